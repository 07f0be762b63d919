#!/usr/bin/env python3
"""Known answers of docs/formats/transcript.md for tools, schemas and embeddings, made without Candor's code:
adds them to transcript-v1.json. Canonical JSON is Python's own where it agrees with RFC 8785 (no fractions,
ASCII keys); numbers that do not are written by hand."""
import base64
import json
import pathlib
import struct

FILE = pathlib.Path(__file__).parent / "transcript-v1.json"
RECEIPT = {"exchange": "000102030405060708090a0b0c0d0e0f", "receipt": "r\n"}


def sorted_form(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def ordered_form(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


SCHEMA = {"type": "object", "properties": {"zone": {"type": "string"}, "city": {"type": "string", "pattern": "^[A-Z]"}},
          "required": ["city"], "x-unknown": {"b": 1, "a": [True, None]}}
ARGUMENTS = {"zone": "CET", "city": "Zürich \"z\""}
VECTOR = [0.25, -1.0, 0.10000000149011612]  # the last is the binary32 nearest to 0.1


def conversation(first):
    return [["messages/0/role", "user"], ["messages/0/parts/0/text", "q"],
            ["messages/1/role", "assistant"], *first,
            ["messages/1/tool_calls/0/name", "weather"], ["messages/1/tool_calls/0/arguments", sorted_form(ARGUMENTS)],
            ["messages/1/tool_calls/1/name", "weather"], ["messages/1/tool_calls/1/arguments", "{}"],
            ["messages/2/role", "tool"], ["messages/2/parts/0/text", "second"], ["messages/2/answers", "1/1"],
            ["messages/3/role", "tool"], ["messages/3/parts/0/text", "first"], ["messages/3/answers", "1/0"],
            ["tools/0/name", "weather"], ["tools/0/description", "Of a city."], ["tools/0/parameters", ordered_form(SCHEMA)]]


def request(api, body, transcript):
    return {"api": api, "nonce": "", "body": json.dumps(body, indent=1), "transcript": [["model", "m"], *transcript]}


def requests():
    function = {"name": "weather", "description": "Of a city.", "parameters": SCHEMA}
    yield request("openai.chat", {
        "tools": [{"type": "function", "function": function}], "tool_choice": "required", "parallel_tool_calls": True,
        "reasoning_effort": "low", "model": "m", "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": json.dumps(ARGUMENTS, indent=2)}},
                {"id": "b", "type": "function", "function": {"name": "weather", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "b", "content": "second"},
            {"role": "tool", "tool_call_id": "a", "content": "first"}]},
        [*conversation([]), ["parameters", '{"parallel_tool_calls":true,"reasoning_effort":"low","tool_choice":"required"}']])
    yield request("openai.responses", {
        "model": "m", "max_output_tokens": 9, "tools": [{"type": "function", **function}],
        "tool_choice": {"type": "function", "name": "weather"}, "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "q"}]},
            {"type": "function_call", "call_id": "a", "name": "weather", "arguments": json.dumps(ARGUMENTS)},
            {"type": "function_call", "call_id": "b", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "b", "output": "second"},
            {"type": "function_call_output", "call_id": "a", "output": "first"}]},
        [*conversation([]), ["parameters", '{"max_tokens":9,"tool_choice":{"name":"weather"}}']])
    yield request("anthropic.messages", {
        "model": "m", "max_tokens": 9, "tools": [{"name": "weather", "description": "Of a city.", "input_schema": SCHEMA}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True}, "thinking": {"type": "disabled"}, "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [
                {"type": "text", "text": "t"}, {"type": "tool_use", "id": "a", "name": "weather", "input": ARGUMENTS},
                {"type": "tool_use", "id": "b", "name": "weather", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "b", "content": "second"},
                {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "first"}]}]}]},
        [*conversation([["messages/1/parts/0/text", "t"]]),
         ["parameters", '{"max_tokens":9,"parallel_tool_calls":false,"reasoning_effort":"none","tool_choice":"required"}']])
    yield request("ollama.chat", {
        "model": "m", "tools": [{"type": "function", "function": function}], "options": {"num_predict": 9, "min_p": 0.5},
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "a", "function": {"name": "weather", "arguments": ARGUMENTS}},
                {"id": "b", "function": {"name": "weather", "arguments": {}}}]},
            {"role": "tool", "tool_call_id": "b", "content": "second"},
            {"role": "tool", "tool_name": "weather", "content": "first"}]},
        [*conversation([["messages/1/parts/0/text", ""]]), ["parameters", '{"max_tokens":9,"min_p":"0.5"}']])
    yield request("openai.chat", {
        "model": "m", "n": 2, "messages": [{"role": "user", "content": "q"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
        [["messages/0/role", "user"], ["messages/0/parts/0/text", "q"], ["response_format/schema", ordered_form(SCHEMA)],
         ["parameters", '{"n":2,"response_format":"json_schema"}']])
    yield request("openai.embeddings", {"model": "m", "input": ["a", "b"], "encoding_format": "base64"},
                  [["inputs/0", "a"], ["inputs/1", "b"], ["parameters", "{}"]])
    yield request("ollama.embed", {"model": "m", "input": "a"}, [["inputs/0", "a"], ["parameters", "{}"]])
    yield request("ollama.generate", {"model": "m", "prompt": "q", "system": "s", "format": "json", "think": "high"},
                  [["messages/0/role", "system"], ["messages/0/parts/0/text", "s"], ["messages/1/role", "user"],
                   ["messages/1/parts/0/text", "q"], ["parameters", '{"reasoning_effort":"high","response_format":"json_object"}']])
    yield request("anthropic.count_tokens", {"model": "m", "messages": [{"role": "user", "content": "q"}]},
                  [["messages/0/role", "user"], ["messages/0/parts/0/text", "q"], ["parameters", "{}"]])


def answers():
    called = [["choices/0/content", "t"], ["choices/0/tool_calls/0/name", "weather"],
              ["choices/0/tool_calls/0/arguments", '{"b":1,"city":"Zürich \\"z\\"","zone":"CET"}'],
              ["choices/0/finish", "tool_calls"]]
    written = '{ "zone":"CET", "city":"Z\\u00fcrich \\"z\\"", "b":1.0 }'
    as_object = dict(ARGUMENTS, b=1)
    yield {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "t", "tool_calls": [
        {"id": "x", "type": "function", "function": {"name": "weather", "arguments": written}}]}}], "candor": RECEIPT}, called
    yield {"id": "resp_1", "object": "response", "status": "completed", "error": None, "output": [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "t", "annotations": []}]},
        {"type": "function_call", "call_id": "x", "name": "weather", "arguments": written}], "candor": RECEIPT}, called
    yield {"id": "msg_1", "type": "message", "role": "assistant", "content": [
        {"type": "text", "text": "t"}, {"type": "tool_use", "id": "x", "name": "weather", "input": as_object}],
        "stop_reason": "tool_use", "stop_sequence": None, "candor": RECEIPT}, called
    yield {"model": "m", "created_at": "x", "message": {"role": "assistant", "content": "t", "tool_calls": [
        {"function": {"name": "weather", "arguments": as_object}}]}, "done": True, "done_reason": "stop", "candor": RECEIPT}, called
    packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    yield {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": VECTOR},
                                      {"object": "embedding", "index": 1, "embedding": packed}], "candor": RECEIPT}, \
        [["embeddings/0", packed], ["embeddings/1", packed]]
    yield {"model": "m", "embeddings": [VECTOR], "candor": RECEIPT}, [["embeddings/0", packed]]
    yield {"input_tokens": 34, "candor": RECEIPT}, [["input_tokens", "34"]]


def main():
    known = json.loads(FILE.read_text())
    known["requests"] = [r for r in known["requests"] if not r.get("made")]
    known["answers"] = [a for a in known["answers"] if not a.get("made")]
    known["requests"] += [r | {"made": True} for r in requests()]
    known["answers"] += [{"made": True, "response": json.dumps(body), "transcript": transcript} for body, transcript in answers()]
    lines = ['{"requests":[', ",\n".join(" " + json.dumps(r, ensure_ascii=False) for r in known["requests"]), '],\n"answers":[',
             ",\n".join(" " + json.dumps(a, ensure_ascii=False) for a in known["answers"]), "]}"]
    FILE.write_text("\n".join(lines) + "\n")


main()
