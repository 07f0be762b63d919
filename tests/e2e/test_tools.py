"""Tools, forced formats and several choices with the official clients on the default model (B1, B2). It has no template
for tools: what is forced is held by a grammar of Candor's, and only that a round trip is well formed is asserted."""
import json

import anthropic
import openai
import pytest

from clients import anthropic_client, lines, openai_client
from server import Kept

WEATHER = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 24}, "unit": {"enum": ["celsius", "fahrenheit"]}},
           "required": ["city", "unit"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER}},
         {"type": "function", "function": {"name": "now", "description": "The time"}}]
ASK = {"model": "smollm2", "messages": [{"role": "user", "content": "What is the weather in Paris?"}], "temperature": 0,
       "max_tokens": 120, "tools": TOOLS}
FORCED = {"type": "function", "function": {"name": "get_weather"}}


def check_weather(arguments):
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    assert set(arguments) == {"city", "unit"} and arguments["unit"] in ("celsius", "fahrenheit")


def test_B1_a_forced_call_and_its_result_go_round(smol, tmp_path):
    client, keeping = openai_client(smol)
    first = client.chat.completions.create(**ASK, tool_choice=FORCED)
    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    call, = choice.message.tool_calls
    assert call.function.name == "get_weather"
    check_weather(call.function.arguments)
    Kept(smol, tmp_path / "call", keeping.request_body, first.to_json()).assert_verifies()

    messages = ASK["messages"] + [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "20 degrees and sunny"}]
    second = client.chat.completions.create(**ASK | {"messages": messages})
    assert second.choices[0].message.content
    Kept(smol, tmp_path / "result", keeping.request_body, second.to_json()).assert_verifies()
    # Another result, and other arguments of the call before it, are another conversation.
    request = json.loads(keeping.request_body)
    for change in (lambda r: r["messages"][2].update(content="21 degrees and sunny"),
                   lambda r: r["messages"][1]["tool_calls"][0]["function"].update(arguments='{"city":"Rome","unit":"celsius"}')):
        changed = json.loads(json.dumps(request))
        change(changed)
        Kept(smol, tmp_path / "changed", json.dumps(changed), second.to_json()).assert_fails()


def test_B1_streamed_arguments_are_the_whole_ones(smol, tmp_path):
    client, keeping = openai_client(smol)
    chunks = list(client.chat.completions.create(**ASK, tool_choice=FORCED, stream=True, stream_options={"include_usage": True}))
    pieces = [c for chunk in chunks for choice in chunk.choices for c in choice.delta.tool_calls or []]
    assert len(pieces) > 3 and pieces[0].id and pieces[0].function.name == "get_weather"
    assert all(p.id is None and p.function.name is None for p in pieces[1:])
    check_weather("".join(p.function.arguments for p in pieces))
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["tool_calls"]
    kept = Kept(smol, tmp_path, keeping.request_body, lines(chunks))
    kept.assert_verifies()
    saved = kept.response.read_text()
    kept.response.write_text(saved.replace("get_weather", "got_weather", 1))
    kept.assert_fails()


def test_B1_required_may_call_any_tool_and_in_parallel_when_asked(smol, tmp_path):
    client, keeping = openai_client(smol)
    one = client.chat.completions.create(**ASK, tool_choice="required")
    assert len(one.choices[0].message.tool_calls) == 1
    several = client.chat.completions.create(**ASK | {"max_tokens": 400}, tool_choice="required", parallel_tool_calls=True)
    calls = several.choices[0].message.tool_calls
    assert 1 <= len(calls) <= 8
    assert len({c.id for c in calls}) == len(calls)
    for call in calls[:-1] if several.choices[0].finish_reason == "length" else calls:
        assert call.function.name in ("get_weather", "now")
        assert isinstance(json.loads(call.function.arguments), dict)
    Kept(smol, tmp_path, keeping.request_body, several.to_json()).assert_verifies()


def test_B2_automatic_calls_on_a_model_without_tools_are_prose(smol):
    client, _ = openai_client(smol)
    answer = client.chat.completions.create(**ASK | {"max_tokens": 20})
    assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls")
    assert answer.choices[0].message.content or answer.choices[0].message.tool_calls


def test_B1_a_schema_holds_the_answer(smol, tmp_path):
    client, keeping = openai_client(smol)
    schema = {"type": "object", "additionalProperties": False, "required": ["answer", "sure", "parts"], "properties": {
        "answer": {"type": "string", "maxLength": 30}, "sure": {"type": "boolean"},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}, "maxItems": 2}},
        "$defs": {"part": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["n"],
                           "additionalProperties": False}}}
    ask = {"model": "smollm2", "messages": [{"role": "user", "content": "Capital of France?"}], "temperature": 0, "max_tokens": 200,
           "response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}}
    answer = client.chat.completions.create(**ask)
    assert answer.choices[0].finish_reason == "stop"
    said = json.loads(answer.choices[0].message.content)
    assert list(said) == ["answer", "sure", "parts"] and isinstance(said["sure"], bool)
    assert all(1 <= part["n"] <= 9 for part in said["parts"])
    Kept(smol, tmp_path / "body", keeping.request_body, answer.to_json()).assert_verifies()
    chunks = list(client.chat.completions.create(**ask, stream=True))
    json.loads("".join(c.choices[0].delta.content or "" for c in chunks if c.choices))
    Kept(smol, tmp_path / "stream", keeping.request_body, lines(chunks)).assert_verifies()
    plain = client.chat.completions.create(**ask | {"response_format": {"type": "json_object"}})
    assert plain.choices[0].finish_reason == "length" or isinstance(json.loads(plain.choices[0].message.content), dict)


def test_B1_several_choices_share_one_exchange(smol, tmp_path):
    client, keeping = openai_client(smol)
    ask = {"model": "smollm2", "messages": [{"role": "user", "content": "Say something."}], "max_tokens": 8, "n": 3, "temperature": 1}
    answer = client.chat.completions.create(**ask)
    assert [c.index for c in answer.choices] == [0, 1, 2] and all(c.message.content for c in answer.choices)
    assert answer.usage.completion_tokens <= 24
    Kept(smol, tmp_path / "body", keeping.request_body, answer.to_json()).assert_verifies()
    chunks = list(client.chat.completions.create(**ask, stream=True))
    assert {c.index for chunk in chunks for c in chunk.choices if c.delta.content} == {0, 1, 2}
    Kept(smol, tmp_path / "stream", keeping.request_body, lines(chunks)).assert_verifies()
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**ask | {"n": 5})
    assert "at most 4 with this model" in refused.value.message


def test_B2_what_cannot_be_is_refused_with_a_reason(smol):
    client, _ = openai_client(smol)
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]
    cases = [({"logprobs": True, "stream": True}, "cannot be streamed together with 'tools'"),
             ({"logprobs": True, "tool_choice": "required"}, "no log probabilities for a forced"),
             ({"response_format": {"type": "json_object"}}, "cannot be combined"),
             ({"messages": image}, "images"),
             ({"tools": [{"type": "web_search"}]}, "runs no tools itself"),
             ({"tool_choice": {"type": "function", "function": {"name": "nobody"}}}, "none of the 'tools'")]
    for extra, says in cases:
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(**ASK | extra)
        assert says in refused.value.message


def test_B8_a_schema_made_to_explode_is_refused_at_once(smol):
    client, _ = openai_client(smol)
    deep = {"type": "string"}
    for _ in range(20):
        deep = {"type": "array", "items": deep, "minItems": 500, "maxItems": 500}
    wide = {"type": "object", "properties": {f"p{i}": {"type": "string", "maxLength": 500} for i in range(60)}}
    regular = {"type": "string", "pattern": "^(((a{1,99}){1,99}){1,99}){1,99}$"}
    for schema in (deep, wide, regular):
        form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
        with pytest.raises(openai.BadRequestError) as refused:
            client.with_options(timeout=10).chat.completions.create(**ASK | {"tools": openai.omit, "response_format": form})
        assert refused.value.code == "unsupported_schema"


# --- Anthropic

A_TOOLS = [{"name": "get_weather", "description": "Weather of a city", "input_schema": WEATHER}]
A_ASK = {"model": "smollm2", "messages": ASK["messages"], "max_tokens": 120, "tools": A_TOOLS, "system": [{"type": "text", "text": "Be brief."}],
         "tool_choice": {"type": "tool", "name": "get_weather"}}


def test_B1_anthropic_tools_go_round(smol, tmp_path):
    client, keeping = anthropic_client(smol)
    first = client.messages.create(**A_ASK, thinking={"type": "disabled"})
    assert first.stop_reason == "tool_use"
    use, = [block for block in first.content if block.type == "tool_use"]
    check_weather(use.input)
    Kept(smol, tmp_path / "call", keeping.request_body, first.to_json()).assert_verifies()
    messages = A_ASK["messages"] + [{"role": "assistant", "content": [b.to_dict() for b in first.content]},
                                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "20 degrees"},
                                                                 {"type": "text", "text": "Thanks. In short?"}]}]
    second = client.messages.create(**A_ASK | {"messages": messages, "tool_choice": {"type": "none"}})
    assert second.content[0].text
    Kept(smol, tmp_path / "result", keeping.request_body, second.to_json()).assert_verifies()


def test_B1_anthropic_streams_the_call_and_keeps_its_receipt(smol, tmp_path):
    client, keeping = anthropic_client(smol)
    with client.messages.stream(**A_ASK) as stream:
        events = [event for event in stream]
        final = stream.get_final_message()
    use, = [block for block in final.content if block.type == "tool_use"]
    check_weather(use.input)
    raw = [e for e in events if e.type in ("message_start", "content_block_start", "content_block_delta", "content_block_stop",
                                           "message_delta", "message_stop")]
    assert any(e.type == "content_block_delta" and e.delta.type == "input_json_delta" for e in raw)
    with client.messages.with_streaming_response.create(**A_ASK, stream=True) as reply:
        body = b"".join(reply.iter_bytes())
    kept = Kept(smol, tmp_path, keeping.request_body, body)
    kept.assert_verifies()
    kept.response.write_bytes(body.replace(b"get_weather", b"got_weather", 1))
    kept.assert_fails()


def test_B1_anthropic_python_schema_holds_the_answer(smol, tmp_path):
    client, keeping = anthropic_client(smol)
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
    ask = {"model": "smollm2", "messages": ASK["messages"], "max_tokens": 40, "output_config": {"format": {"type": "json_schema", "schema": schema}}}
    answer = client.messages.create(**ask)
    assert isinstance(json.loads(answer.content[0].text)["ok"], bool)
    Kept(smol, tmp_path, keeping.request_body, answer.to_json()).assert_verifies()


def test_B1_anthropic_counts_tokens_on_the_record(smol, tmp_path):
    client, keeping = anthropic_client(smol)
    ask = {"model": "smollm2", "messages": [{"role": "user", "content": "Hello"}]}
    count = client.messages.count_tokens(**ask)
    assert count.input_tokens == client.messages.create(**ask, max_tokens=1).usage.input_tokens
    again = client.messages.count_tokens(**ask)
    kept = Kept(smol, tmp_path, keeping.request_body, again.to_json())
    kept.assert_verifies()
    kept.response.write_text(again.to_json().replace(str(again.input_tokens), str(again.input_tokens + 1), 1))
    kept.assert_fails()


def test_B2_anthropic_refusals_have_its_shape(smol):
    client, _ = anthropic_client(smol)
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.create(**A_ASK | {"tools": [{"type": "bash_20250124", "name": "bash"}]})
    assert "runs no tools itself" in str(refused.value)


def test_S8_no_route_of_the_engine_is_a_route_here(smol):
    for method, path in [("GET", p) for p in ("/props", "/slots", "/lora-adapters", "/models", "/v1/health", "/tools", "/v1/stream",
                                              "/models/sse", "/cors-proxy")] + \
                        [("POST", p) for p in ("/completion", "/completions", "/chat/completions", "/v1/chat/completions/control", "/responses",
                                               "/v1/audio/transcriptions", "/infill", "/embedding", "/embeddings", "/rerank", "/v1/rerank",
                                               "/tokenize", "/detokenize", "/apply-template", "/lora-adapters", "/slots/0", "/props",
                                               "/v1/chat/completions/input_tokens", "/v1/responses/input_tokens", "/models/load",
                                               "/v1/streams/lookup", "/tools", "/api/pull", "/api/create", "/api/delete", "/api/blobs/x")]:
        reply = smol.post(path, {"model": "smollm2"}) if method == "POST" else smol.http("GET", path)
        assert reply.status == 404, (method, path, reply.status)
