"""Real clients on the default model: chat, streams, errors, cancelling, log probabilities; and what
each client kept verifies against its receipt (A8, A13, A16, S1)."""
import json
import os
import pathlib
import subprocess

import anthropic
import httpx2 as httpx  # what both clients of these versions take
import openai
import pytest

from server import QUESTION, Kept, spoken

HERE = pathlib.Path(__file__).parent
ASK = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 40}
LONG = ASK | {"messages": [{"role": "user", "content": "Write a long story about a dog that walks around the world."}], "max_tokens": 2000}


def untyped(ask):
    """For Anthropic's client for Python, which has no argument for the temperature any more."""
    return {k: v for k, v in ask.items() if k != "temperature"} | {"extra_body": {"temperature": ask["temperature"]}}


class Keeping(httpx.Client):
    """Keeps the last request's body and the last response's headers."""

    def __init__(self):
        super().__init__(event_hooks={"request": [self.on_request], "response": [self.on_response]}, timeout=120)
        self.request_body = self.response_headers = None

    def on_request(self, request):
        self.request_body = request.read()

    def on_response(self, response):
        self.response_headers = response.headers


def openai_client(server, key="none"):
    keeping = Keeping()
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, http_client=keeping, max_retries=0), keeping


def anthropic_client(server, key="none"):
    keeping = Keeping()
    return anthropic.Anthropic(base_url=server.url, api_key=key, http_client=keeping, max_retries=0), keeping


def run_node(node, script, **job):
    done = subprocess.run(["node", str(HERE / "node" / script), json.dumps(job)], capture_output=True, text=True,
                          env=os.environ | {"CANDOR_NODE": str(node)}, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lines(chunks):
    return "\n".join(c.to_json(indent=None) for c in chunks)


# --- openai for Python


def test_openai_python_chat_is_right_and_its_receipt_verifies(smol, tmp_path):
    client, keeping = openai_client(smol)
    answer = client.chat.completions.create(**ASK)
    assert "Paris" in answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0 and answer.usage.prompt_tokens > 0
    exchange = keeping.response_headers["candor-exchange"]
    assert answer.candor["exchange"] == exchange
    Kept(smol, tmp_path, keeping.request_body, answer.to_json()).assert_verifies()


def test_openai_python_stream_carries_the_receipt_on_its_last_event(smol, tmp_path):
    client, keeping = openai_client(smol)
    chunks = list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    assert "Paris" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].candor["receipt"].startswith("c2sp.org/tlog-proof@v1")
    assert [c for c in chunks if c.usage]
    Kept(smol, tmp_path, keeping.request_body, lines(chunks)).assert_verifies()


def test_openai_python_logprobs_are_those_of_the_text(smol, tmp_path):
    client, keeping = openai_client(smol)
    answer = client.chat.completions.create(**ASK, logprobs=True, top_logprobs=3)
    tokens = answer.choices[0].logprobs.content
    assert "".join(t.token for t in tokens).strip() == answer.choices[0].message.content.strip()
    assert all(t.logprob <= 0.0001 and len(t.top_logprobs) == 3 for t in tokens)
    Kept(smol, tmp_path, keeping.request_body, answer.to_json()).assert_verifies()


def test_openai_python_completions_verify_too(smol, tmp_path):
    client, keeping = openai_client(smol)
    answer = client.completions.create(model="smollm2", prompt="The capital of France is", temperature=0, max_tokens=8)
    assert answer.choices[0].text
    Kept(smol, tmp_path, keeping.request_body, answer.to_json()).assert_verifies()
    chunks = list(client.completions.create(model="smollm2", prompt="One, two, three,", temperature=0, max_tokens=8, stream=True))
    Kept(smol, tmp_path / "stream", keeping.request_body, lines(chunks)).assert_verifies()


def test_openai_python_gets_errors_in_its_own_classes(smol):
    client, _ = openai_client(smol)
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(**ASK | {"model": "nobody"})
    assert "smollm2" in missing.value.message or "model" in missing.value.message
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**ASK | {"temperature": 9})
    wrong, _ = openai_client(smol, "cnd_" + "0" * 43)
    with pytest.raises(openai.AuthenticationError):
        wrong.chat.completions.create(**ASK)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")
    assert [m.id for m in client.models.list()] == ["smollm2"]


def test_openai_python_cancel_in_mid_stream_is_recorded(smol):
    client, keeping = openai_client(smol)
    stream = client.chat.completions.create(**LONG, stream=True)
    for number, _ in enumerate(stream):
        if number == 5:
            break
    stream.close()
    end = smol.wait_for_end(keeping.response_headers["candor-exchange"])
    assert end["type"] == "outcome" and end["result"] == "cancelled"
    assert 0 < int(end["completion_tokens"]) < 1500


# --- openai for Node


def test_openai_node_chat_and_stream_verify(smol, node, tmp_path):
    whole = run_node(node, "openai.mjs", url=smol.url, verb="chat", body=ASK)
    assert "Paris" in whole["response"]["choices"][0]["message"]["content"]
    assert whole["response"]["candor"]["exchange"] == whole["exchange"]
    Kept(smol, tmp_path / "whole", whole["request"], json.dumps(whole["response"])).assert_verifies()
    streamed = run_node(node, "openai.mjs", url=smol.url, verb="stream", body=ASK)
    assert "Paris" in spoken(streamed["chunks"])
    Kept(smol, tmp_path / "streamed", streamed["request"], json.dumps(streamed["chunks"])).assert_verifies()


def test_openai_node_logprobs_verify(smol, node, tmp_path):
    got = run_node(node, "openai.mjs", url=smol.url, verb="chat", body=ASK | {"logprobs": True, "top_logprobs": 2})
    assert len(got["response"]["choices"][0]["logprobs"]["content"][0]["top_logprobs"]) == 2
    Kept(smol, tmp_path, got["request"], json.dumps(got["response"])).assert_verifies()


def test_openai_node_gets_errors_in_its_own_classes(smol, node):
    missing = run_node(node, "openai.mjs", url=smol.url, verb="chat", body=ASK | {"model": "nobody"})
    assert missing["error"]["name"] == "NotFoundError" and missing["error"]["status"] == 404
    refused = run_node(node, "openai.mjs", url=smol.url, verb="chat", body=ASK, key="cnd_" + "0" * 43)
    assert refused["error"]["name"] == "AuthenticationError"
    bad = run_node(node, "openai.mjs", url=smol.url, verb="stream", body=ASK | {"max_tokens": -1})
    assert bad["error"]["name"] == "BadRequestError"


def test_openai_node_cancel_in_mid_stream_is_recorded(smol, node):
    got = run_node(node, "openai.mjs", url=smol.url, verb="cancel", body=LONG)
    assert len(got["chunks"]) == 5
    end = smol.wait_for_end(got["exchange"])
    assert end["type"] == "outcome" and end["result"] == "cancelled"


# --- Anthropic's clients


def test_anthropic_python_message_and_stream_verify(smol, tmp_path):
    client, keeping = anthropic_client(smol)
    answer = client.messages.create(**untyped(ASK))
    assert "Paris" in answer.content[0].text and answer.stop_reason == "end_turn"
    Kept(smol, tmp_path / "whole", keeping.request_body, answer.to_json()).assert_verifies()
    events = list(client.messages.create(**untyped(ASK), stream=True))
    assert events[-1].type == "message_stop" and events[-1].candor["receipt"]
    Kept(smol, tmp_path / "streamed", keeping.request_body, lines(events)).assert_verifies()


def test_anthropic_python_cancel_in_mid_stream_is_recorded(smol):
    client, keeping = anthropic_client(smol)
    stream = client.messages.create(**untyped(LONG), stream=True)
    for number, _ in enumerate(stream):
        if number == 7:
            break
    stream.close()
    end = smol.wait_for_end(keeping.response_headers["candor-exchange"])
    assert end["type"] == "outcome" and end["result"] == "cancelled"
    assert 0 < int(end["completion_tokens"]) < 1500


def test_anthropic_node_message_and_stream_verify(smol, node, tmp_path):
    whole = run_node(node, "anthropic.mjs", url=smol.url, verb="chat", body=ASK)
    assert "Paris" in whole["response"]["content"][0]["text"]
    Kept(smol, tmp_path / "whole", whole["request"], json.dumps(whole["response"])).assert_verifies()
    streamed = run_node(node, "anthropic.mjs", url=smol.url, verb="stream", body=ASK)
    assert streamed["chunks"][-1]["type"] == "message_stop"
    Kept(smol, tmp_path / "streamed", streamed["request"], json.dumps(streamed["chunks"])).assert_verifies()


def test_anthropic_node_stream_helper_gets_the_whole_message(smol, node):
    got = run_node(node, "anthropic.mjs", url=smol.url, verb="helper", body=ASK)
    assert "Paris" in got["response"]["content"][0]["text"]
    assert got["response"]["usage"]["output_tokens"] > 0


def test_anthropic_clients_get_errors_in_their_own_classes(smol, node):
    client, _ = anthropic_client(smol)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**untyped(ASK | {"model": "nobody"}))
    wrong, _ = anthropic_client(smol, "cnd_" + "0" * 43)
    with pytest.raises(anthropic.AuthenticationError):
        wrong.messages.create(**untyped(ASK))
    missing = run_node(node, "anthropic.mjs", url=smol.url, verb="chat", body=ASK | {"model": "nobody"})
    assert missing["error"]["name"] == "NotFoundError" and missing["error"]["type"] == "not_found_error"


def test_anthropic_node_cancel_in_mid_stream_is_recorded(smol, node):
    got = run_node(node, "anthropic.mjs", url=smol.url, verb="cancel", body=LONG)
    end = smol.wait_for_end(got["exchange"])
    assert end["type"] == "outcome" and end["result"] == "cancelled"


# --- writing systems

WRITING = {
    "Latin": "Wie heißt die Hauptstadt von Österreich? Größe, Ñandú, œuvre, ŝi.",
    "Greek and Cyrillic": "Ποια είναι η πρωτεύουσα της Ελλάδας; Как называется столица России?",
    "Arabic and Hebrew": "ما هي عاصمة مصر؟ מהי בירת ישראל?",
    "Devanagari": "भारत की राजधानी क्या है? क्षत्रिय ज्ञान",
    "Han and kana": "中国的首都是哪里？𠮷野家の本社はどこですか。",
    "Emoji and combining": "Who is 👩🏽‍🔬? e\u0301 vs é, 🇫🇷, ก็, 한글",
}


@pytest.mark.parametrize("system", WRITING, ids=lambda name: name.replace(" ", "-"))
def test_receipts_verify_in_each_writing_system(smol, node, tmp_path, system):
    ask = ASK | {"messages": [{"role": "user", "content": WRITING[system] + " Repeat this text."}], "max_tokens": 24}
    client, keeping = openai_client(smol)
    chunks = list(client.chat.completions.create(**ask, stream=True))
    Kept(smol, tmp_path / "openai-python", keeping.request_body, lines(chunks)).assert_verifies()
    got = run_node(node, "openai.mjs", url=smol.url, verb="stream", body=ask)
    Kept(smol, tmp_path / "openai-node", got["request"], json.dumps(got["chunks"])).assert_verifies()
    client, keeping = anthropic_client(smol)
    events = list(client.messages.create(**untyped(ask), stream=True))
    Kept(smol, tmp_path / "anthropic", keeping.request_body, lines(events)).assert_verifies()
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == spoken(got["chunks"])  # greedy: the same text, however it was cut
