"""POST /v1/responses with the official client on the default model (B1, B2)."""
import json

import openai
import pytest

from clients import openai_client
from server import QUESTION, Kept
from test_tools import WEATHER, check_weather

ASK = {"model": "smollm2", "input": QUESTION, "temperature": 0, "max_output_tokens": 40}
TOOL = {"type": "function", "name": "get_weather", "description": "Weather of a city", "parameters": WEATHER, "strict": False}


def test_B1_a_response_is_right_and_its_receipt_verifies(smol, tmp_path):
    client, keeping = openai_client(smol)
    response = client.responses.create(**ASK, instructions="Be brief.")
    assert "Paris" in response.output_text and response.status == "completed"
    assert response.usage.output_tokens > 0
    kept = Kept(smol, tmp_path, keeping.request_body, response.to_json())
    kept.assert_verifies()
    kept.response.write_text(response.to_json().replace("Paris", "Pariz"))
    kept.assert_fails()


def test_B1_events_come_in_order_and_the_last_one_carries_the_receipt(smol, tmp_path):
    client, keeping = openai_client(smol)
    with client.responses.stream(**ASK) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert "Paris" in final.output_text
    assert [e.type for e in events][:2] == ["response.created", "response.in_progress"]
    assert events[-1].type == "response.completed"
    assert final.candor["receipt"].startswith("c2sp.org/tlog-proof@v1")
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == final.output_text
    Kept(smol, tmp_path / "final", keeping.request_body, final.to_json()).assert_verifies()
    raw = client.responses.with_streaming_response.create(**ASK, stream=True)
    with raw as reply:
        body = b"".join(reply.iter_bytes())
    kept = Kept(smol, tmp_path / "raw", keeping.request_body, body)
    kept.assert_verifies()
    for i in range(body.count(b"Paris")):  # in each place where the text is repeated
        parts = body.split(b"Paris")
        kept.response.write_bytes(b"Paris".join(parts[:i + 1]) + b"Pariz" + b"Paris".join(parts[i + 1:]))
        kept.assert_fails()


def test_B1_function_calls_go_round(smol, tmp_path):
    client, keeping = openai_client(smol)
    ask = ASK | {"input": [{"role": "user", "content": "What is the weather in Paris?"}], "tools": [TOOL], "max_output_tokens": 120}
    first = client.responses.create(**ask, tool_choice={"type": "function", "name": "get_weather"})
    call, = [item for item in first.output if item.type == "function_call"]
    check_weather(call.arguments)
    Kept(smol, tmp_path / "call", keeping.request_body, first.to_json()).assert_verifies()
    items = ask["input"] + first.output + [{"type": "function_call_output", "call_id": call.call_id, "output": "20 degrees"}]
    second = client.responses.create(**ask | {"input": items}, tool_choice="none")
    assert second.output_text
    Kept(smol, tmp_path / "result", keeping.request_body, second.to_json()).assert_verifies()
    deltas = []
    with client.responses.stream(**ask, tool_choice="required") as stream:
        deltas = [e.delta for e in stream if e.type == "response.function_call_arguments.delta"]
        final = stream.get_final_response()
    assert len(deltas) > 3 and "".join(deltas) == final.output[-1].arguments
    Kept(smol, tmp_path / "stream", keeping.request_body, final.to_json()).assert_verifies()


def test_B1_a_schema_holds_the_text(smol):
    client, _ = openai_client(smol)
    form = {"type": "json_schema", "name": "x", "strict": True, "schema": {"type": "object", "properties": {"ok": {"type": "boolean"}},
                                                                          "required": ["ok"], "additionalProperties": False}}
    response = client.responses.create(**ASK, text={"format": form})
    assert isinstance(json.loads(response.output_text)["ok"], bool)


def test_B2_stored_responses_are_refused(smol):
    client, _ = openai_client(smol)
    for extra in ({"previous_response_id": "resp_1"}, {"background": True}, {"conversation": "conv_1"}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(**ASK | extra)
        assert "stores no responses" in refused.value.message
    cut = client.responses.create(**ASK | {"max_output_tokens": 2})
    assert cut.status == "incomplete" and cut.incomplete_details.reason == "max_output_tokens"
