"""Ollama's API with its client for Python on the default model (B1, B2)."""
import json

import pytest

ollama = pytest.importorskip("ollama")

from server import QUESTION, Kept  # noqa: E402
from test_embeddings import cosine  # noqa: E402
from test_tools import TOOLS  # noqa: E402

ASK = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}], "options": {"temperature": 0, "num_predict": 40}}


def client_of(server):
    kept = {}

    def on_request(request):
        kept["request"] = request.read()

    def on_response(response):
        kept["exchange"] = response.headers.get("candor-exchange")
        kept["response"] = response

    return ollama.Client(host=server.url, event_hooks={"request": [on_request], "response": [on_response]}, timeout=300), kept


def test_B1_chat_and_its_stream_verify(smol, tmp_path):
    client, kept = client_of(smol)
    answer = client.chat(**ASK)
    assert "Paris" in answer.message.content and answer.done and answer.done_reason == "stop"
    assert answer.eval_count > 0 and answer.total_duration > 0
    body = kept["response"].content
    assert json.loads(body)["candor"]["exchange"] == kept["exchange"]
    saved = Kept(smol, tmp_path / "body", kept["request"], body)
    saved.assert_verifies()
    saved.response.write_bytes(body.replace(b"Paris", b"Pariz"))
    saved.assert_fails()
    parts = list(client.chat(**ASK, stream=True))
    assert "".join(p.message.content for p in parts) == answer.message.content
    assert [p.done for p in parts][-1] and not any(p.done for p in parts[:-1])
    # The stream as it came.
    raw = smol.post("/api/chat", ASK)
    assert raw.headers["content-type"] == "application/x-ndjson"
    Kept(smol, tmp_path / "lines", json.dumps(ASK), raw.body).assert_verifies()


def test_S1_the_exchange_is_named_where_the_client_keeps_no_receipt(smol, tmp_path):
    client, kept = client_of(smol)
    answer = client.chat(**ASK)
    receipt = smol.run("receipt", kept["exchange"]).stdout
    assert receipt.startswith("c2sp.org/tlog-proof@v1")
    Kept(smol, tmp_path, kept["request"], answer.model_dump_json(), receipt=receipt).assert_verifies()


def test_B1_generate_format_and_raw(smol, tmp_path):
    client, kept = client_of(smol)
    options = {"temperature": 0, "num_predict": 60}
    answer = client.generate(model="smollm2", prompt=QUESTION, system="Be brief.", options=options)
    assert "Paris" in answer.response
    Kept(smol, tmp_path / "plain", kept["request"], kept["response"].content).assert_verifies()
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}
    formed = client.generate(model="smollm2", prompt=QUESTION, format=schema, options=options)
    assert isinstance(json.loads(formed.response)["city"], str)
    Kept(smol, tmp_path / "format", kept["request"], kept["response"].content).assert_verifies()
    raw = client.generate(model="smollm2", prompt="One, two, three,", raw=True, options={"num_predict": 5})
    assert raw.response and raw.done_reason == "length"
    Kept(smol, tmp_path / "raw", kept["request"], kept["response"].content).assert_verifies()


def test_B1_tools_and_results_are_taken(smol, tmp_path):
    client, kept = client_of(smol)
    messages = [{"role": "user", "content": "Weather in Paris?"},
                {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Paris", "unit": "celsius"}}}]},
                {"role": "tool", "tool_name": "get_weather", "content": "20 degrees"}]
    answer = client.chat(**ASK | {"messages": messages}, tools=TOOLS)
    assert answer.message.content or answer.message.tool_calls
    Kept(smol, tmp_path, kept["request"], kept["response"].content).assert_verifies()


def test_B1_lists(smol):
    client, _ = client_of(smol)
    client.chat(**ASK | {"options": {"num_predict": 1}})
    assert [m.model for m in client.list().models] == ["smollm2"]
    loaded, = client.ps().models
    assert loaded.model == "smollm2" and loaded.size > 90_000_000
    shown = client.show("smollm2")
    assert shown.details.family == "llama" and "completion" in shown.capabilities
    assert smol.http("GET", "/api/version").json()["version"]
    with pytest.raises(ollama.ResponseError) as missing:
        client.show("nobody")
    assert missing.value.status_code == 404


def test_B1_embed(embedding, tmp_path):
    client, kept = client_of(embedding)
    answer = client.embed(model="smollm2", input=["a cat on a mat", "the cat sits on the mat", "tax returns"])
    assert len(answer.embeddings) == 3
    assert cosine(answer.embeddings[0], answer.embeddings[1]) > cosine(answer.embeddings[0], answer.embeddings[2])
    Kept(embedding, tmp_path, kept["request"], kept["response"].content).assert_verifies()


def test_B2_errors_have_its_shape(smol):
    client, _ = client_of(smol)
    for ask, status in ((ASK | {"model": "nobody"}, 404), (ASK | {"options": {"temperature": 9}}, 400),
                        (ASK | {"messages": [{"role": "user", "content": "x", "images": ["aGk="]}]}, 400)):
        with pytest.raises(ollama.ResponseError) as refused:
            client.chat(**ask)
        assert refused.value.status_code == status and len(refused.value.error) > 20
    assert smol.post("/api/pull", {"model": "x"}).status == 404
