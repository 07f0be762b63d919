"""A model whose chat template has tools and thinking (B1): the default model with shown.jinja, which it follows. It calls by itself and its thoughts
are told apart from its answer, in every dialect, with each official client for Python and Node; what they kept verifies against its receipt."""
import json

import pytest

from clients import anthropic_client, lines, openai_client
from server import QUESTION, Kept
from test_node_clients import O_ASK, anthropic, ollama, openai, run  # noqa: F401 (fixtures)
from test_ollama import client_of
from test_tools import A_TOOLS, TOOLS, check_weather

WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 80}
CALL = CHAT | {"messages": WEATHER, "tools": TOOLS}
RESPONSE = {"model": "smollm2", "input": WEATHER, "temperature": 0, "max_output_tokens": 80,
            "tools": [{"type": "function", "strict": False} | tool["function"] for tool in TOOLS]}
# Anthropic's client for Python has no argument for the temperature any more.
A_CHAT = {"model": "smollm2", "messages": CHAT["messages"], "max_tokens": 80}
A_CALL = A_CHAT | {"messages": WEATHER, "tools": A_TOOLS}
GREEDY = {"extra_body": {"temperature": 0}}
O_CALL = {"model": "smollm2", "messages": WEATHER, "tools": TOOLS, "options": {"temperature": 0, "num_predict": 80}}
RESULT = "20 degrees and sunny"


# --- OpenAI


def check_openai_call(message):
    assert "weather" in message["reasoning_content"] and "<think>" not in json.dumps(message) and "<tool_call>" not in json.dumps(message)
    [call] = message["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    check_weather(call["function"]["arguments"])
    return call


def test_B1_openai_thinks_calls_by_itself_and_answers_with_the_result(shown, tmp_path):
    client, keeping = openai_client(shown)
    thought = client.chat.completions.create(**CHAT)
    message = thought.choices[0].message
    assert "France" in message.reasoning_content and "Paris" in message.content and "think" not in message.content
    kept = Kept(shown, tmp_path / "thought", keeping.request_body, thought.to_json())
    kept.assert_verifies()
    kept.response.write_text(thought.to_json().replace(message.reasoning_content.strip(), "I was told to say so."))
    kept.assert_fails()

    first = client.chat.completions.create(**CALL)
    assert first.choices[0].finish_reason == "tool_calls"
    call = check_openai_call(first.choices[0].message.to_dict())
    Kept(shown, tmp_path / "call", keeping.request_body, first.to_json()).assert_verifies()
    messages = WEATHER + [first.choices[0].message, {"role": "tool", "tool_call_id": call["id"], "content": RESULT}]
    second = client.chat.completions.create(**CALL | {"messages": messages})
    assert "20 degrees" in second.choices[0].message.content and not second.choices[0].message.tool_calls
    Kept(shown, tmp_path / "result", keeping.request_body, second.to_json()).assert_verifies()


def test_B1_openai_streams_thoughts_before_the_call(shown, tmp_path):
    client, keeping = openai_client(shown)
    chunks = list(client.chat.completions.create(**CALL, stream=True))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    thoughts = [n for n, d in enumerate(deltas) if getattr(d, "reasoning_content", None)]
    calls = [n for n, d in enumerate(deltas) if d.tool_calls]
    assert len(thoughts) > 3 and len(calls) > 3 and thoughts[-1] < calls[0]
    check_weather("".join(deltas[n].tool_calls[0].function.arguments for n in calls))
    Kept(shown, tmp_path, keeping.request_body, lines(chunks)).assert_verifies()


def test_B1_openai_effort_none_keeps_it_from_thinking(shown):
    client, _ = openai_client(shown)
    answer = client.chat.completions.create(**CHAT, reasoning_effort="none")
    assert "Paris" in answer.choices[0].message.content and not getattr(answer.choices[0].message, "reasoning_content", None)


def test_B1_responses_have_the_thoughts_as_an_item(shown, tmp_path):
    client, keeping = openai_client(shown)
    first = client.responses.create(**RESPONSE)
    kinds = [item.type for item in first.output]
    assert kinds[0] == "reasoning" and kinds[-1] == "function_call"
    assert "weather" in first.output[0].content[0].text
    check_weather(first.output[-1].arguments)
    Kept(shown, tmp_path / "call", keeping.request_body, first.to_json()).assert_verifies()
    items = WEATHER + first.output + [{"type": "function_call_output", "call_id": first.output[-1].call_id, "output": RESULT}]
    second = client.responses.create(**RESPONSE | {"input": items})
    assert "20 degrees" in second.output_text
    Kept(shown, tmp_path / "result", keeping.request_body, second.to_json()).assert_verifies()
    with client.responses.stream(**RESPONSE) as stream:
        events = list(stream)
        final = stream.get_final_response()
    said = {kind: "".join(e.delta for e in events if e.type == f"response.{kind}.delta") for kind in ("reasoning_text", "function_call_arguments")}
    assert said == {"reasoning_text": final.output[0].content[0].text, "function_call_arguments": final.output[-1].arguments}
    Kept(shown, tmp_path / "stream", keeping.request_body, final.to_json()).assert_verifies()


def test_B1_openai_node_thinks_and_calls(shown, openai, tmp_path):  # noqa: F811
    whole = openai(shown, "chat", body=CALL)
    check_openai_call(whole["response"]["choices"][0]["message"])
    Kept(shown, tmp_path / "whole", whole["request"], json.dumps(whole["response"])).assert_verifies()
    streamed = openai(shown, "stream", body=CALL)
    deltas = [choice["delta"] for chunk in streamed["chunks"] for choice in chunk["choices"]]
    assert "weather" in "".join(d.get("reasoning_content") or "" for d in deltas)
    check_weather("".join(d["tool_calls"][0]["function"]["arguments"] for d in deltas if d.get("tool_calls")))
    Kept(shown, tmp_path / "streamed", streamed["request"], json.dumps(streamed["chunks"])).assert_verifies()
    response = openai(shown, "helper", api="responses", body=RESPONSE)
    assert "response.reasoning_text.delta" in response["types"] and response["response"]["output"][0]["type"] == "reasoning"
    check_weather(response["response"]["output"][-1]["arguments"])


# --- Anthropic


def check_blocks(content):
    blocks = {block["type"]: block for block in content}
    assert content[0]["type"] == "thinking" and "weather" in blocks["thinking"]["thinking"]
    check_weather(blocks["tool_use"]["input"])
    return blocks


def test_B1_anthropic_thinks_calls_by_itself_and_answers_with_the_result(shown, tmp_path):
    client, keeping = anthropic_client(shown)
    first = client.messages.create(**A_CALL, **GREEDY)
    assert first.stop_reason == "tool_use"
    content = [block.to_dict() for block in first.content]
    use = check_blocks(content)["tool_use"]
    Kept(shown, tmp_path / "call", keeping.request_body, first.to_json()).assert_verifies()
    messages = WEATHER + [{"role": "assistant", "content": content},
                          {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use["id"], "content": RESULT}]}]
    second = client.messages.create(**A_CALL | {"messages": messages}, **GREEDY)
    assert "20 degrees" in "".join(block.text for block in second.content if block.type == "text")
    Kept(shown, tmp_path / "result", keeping.request_body, second.to_json()).assert_verifies()


def test_B1_anthropic_streams_thinking_deltas(shown, tmp_path):
    client, keeping = anthropic_client(shown)
    events = list(client.messages.create(**A_CALL, **GREEDY, stream=True))
    deltas = [e.delta for e in events if e.type == "content_block_delta"]
    assert "weather" in "".join(d.thinking for d in deltas if d.type == "thinking_delta")
    check_weather("".join(d.partial_json for d in deltas if d.type == "input_json_delta"))
    Kept(shown, tmp_path, keeping.request_body, lines(events)).assert_verifies()


@pytest.mark.parametrize("thinking, thinks", [({"type": "enabled", "budget_tokens": 64}, True), ({"type": "adaptive"}, True),
                                              ({"type": "disabled"}, False)], ids=lambda v: v["type"] if isinstance(v, dict) else "")
def test_B1_anthropic_thinking_is_as_it_was_asked_for(shown, thinking, thinks):
    client, _ = anthropic_client(shown)
    answer = client.messages.create(**A_CHAT, **GREEDY, thinking=thinking)
    assert [block.type for block in answer.content] == ["thinking"] * thinks + ["text"]
    assert "Paris" in answer.content[-1].text


def test_B1_anthropic_node_thinks_and_calls(shown, anthropic, tmp_path):  # noqa: F811
    whole = anthropic(shown, "chat", body=A_CALL | {"temperature": 0})
    check_blocks(whole["response"]["content"])
    Kept(shown, tmp_path / "whole", whole["request"], json.dumps(whole["response"])).assert_verifies()
    helped = anthropic(shown, "helper", body=A_CALL | {"temperature": 0})
    assert "weather" in "".join(helped["pieces"]["thinking"]) and helped["pieces"]["json"]
    check_blocks(helped["response"]["content"])


# --- Ollama


def test_B1_ollama_thinks_and_calls_by_itself(shown, tmp_path):
    client, kept = client_of(shown)
    first = client.chat(**O_CALL)
    assert "weather" in first.message.thinking
    [call] = first.message.tool_calls
    check_weather(dict(call.function.arguments))
    Kept(shown, tmp_path / "call", kept["request"], kept["response"].content).assert_verifies()
    messages = WEATHER + [first.message, {"role": "tool", "tool_name": "get_weather", "content": RESULT}]
    assert "20 degrees" in client.chat(**O_CALL | {"messages": messages}).message.content
    Kept(shown, tmp_path / "result", kept["request"], kept["response"].content).assert_verifies()
    parts = list(client.chat(**O_CALL, stream=True))
    assert "weather" in "".join(p.message.thinking or "" for p in parts) and any(p.message.tool_calls for p in parts)
    assert {"thinking", "tools"} <= set(client.show("smollm2").capabilities)
    quiet = client.chat(**O_ASK, think=False)
    assert "Paris" in quiet.message.content and not quiet.message.thinking


def test_B1_ollama_node_thinks_and_calls(shown, ollama, tmp_path):  # noqa: F811
    whole = ollama(shown, "chat", body=O_CALL)
    message = whole["response"]["message"]
    check_weather(message["tool_calls"][0]["function"]["arguments"])
    assert "weather" in message["thinking"]
    Kept(shown, tmp_path, whole["request"], json.dumps(whole["response"])).assert_verifies()
    parts = ollama(shown, "chat", body=O_CALL, stream=True)["parts"]
    assert "weather" in "".join(p["message"].get("thinking") or "" for p in parts)
    generated = ollama(shown, "generate", body={"model": "smollm2", "prompt": QUESTION, "options": O_ASK["options"] | {"num_predict": 80}})["response"]
    assert "France" in generated["thinking"] and "Paris" in generated["response"]
