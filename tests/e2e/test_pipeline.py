"""One pipeline serves every path (A8, P5): each route's exchange passes the same stages, as entries, headers and refusals show
from outside, and gives the same fields their effect on a real answer, streamed and not."""
import json
import re

import pytest

from routes import CHAT, COMPLETIONS, MESSAGES, ROUTES
from server import QUESTION, Kept, http

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
EACH = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.api)
TEXT = "Once upon a time there was a small dog"  # every route goes on with it, message or prompt
# What may differ between the entries of two exchanges that passed the same stages.
OWN = {"api", "at", "exchange", "forwarded", "received", "received_bytes", "intent_index", "intent_leaf", "produced", "released",
       "queued_us", "first_token_us", "total_us", "released_bytes", "prompt_tokens", "completion_tokens", "cached_tokens", "stream"}


def entries_of(server, exchange):
    """Without marks of progress, which a slow machine leaves on any route."""
    return [e for e in server.entries() if e.get("exchange") == exchange and e["type"] != "progress"]


def without_size(policy):
    """A prompt is no message."""
    return {k: v for k, v in policy.items() if k not in ("characters", "messages")}


def trace(server, route, stream):
    """What the stages leave of one exchange: its entries without what is its own, and what the reply carries."""
    answer = route.post(server, TEXT, stream, seed=7, mirostat=2)
    assert answer.status == 200, answer.reply.body
    found = entries_of(server, answer.exchange)
    assert found[0]["api"] == route.api and found[0]["stream"] is stream
    return {
        "dialect": answer.headers["candor-dropped-fields"],
        "entries": [{k: without_size(v) if k == "policy" else v for k, v in e.items() if k not in OWN} for e in found],
        "fields": [sorted(e) for e in found],
        "receipts": len(answer.receipts),
        "finish": len(answer.finish),
    }


def test_every_route_leaves_the_same_trace(smol):
    traces = {(route.api, stream): trace(smol, route, stream) for route in ROUTES for stream in (False, True)}
    expected = traces["openai.chat", False]
    # identity, intent and outcome, and what placement, engine and admission put into them
    assert [e["type"] for e in expected["entries"]] == ["intent", "outcome"] and expected["receipts"] == 1
    intent, outcome = expected["entries"]
    assert intent["caller_known_by"] == "loopback" and re.fullmatch("[0-9a-f]{32}", intent["caller"])
    assert intent["parameters"]["seed"] == "7" and intent["dropped_fields"] == 1 and intent["content"] == "sealed"
    assert intent["provenance"]["weights_basis"] == "measured" and outcome["result"] == "complete"
    for key, found in traces.items():
        assert found == expected, key


@EACH
@BOTH
def test_the_receipt_of_every_route_verifies(smol, tmp_path, route, stream):
    body = {"model": "smollm2", "max_tokens": 16, "temperature": 0} | route.ask(TEXT) | {"stream": stream}
    reply = smol.post(route.path, body)
    Kept(smol, tmp_path, json.dumps(body), reply.body).assert_verifies()


# The stages that can refuse, in their order; each refuses on every route, and whatever an earlier one refuses no later one is asked.
REFUSALS = {
    "host": ({"Host": "evil.example"}, {}, 421),
    "origin": ({"Origin": "https://evil.example"}, {}, 403),
    "identity": ({"Authorization": "Bearer cnd_wrong"}, {}, 401),
    "dialect": ({}, {"temperature": "hot"}, 400),
    "nonce": ({"Candor-Nonce": "a b"}, {}, 400),
    "model": ({}, {"model": "nobody"}, 404),
}


@EACH
@BOTH
def test_each_stage_refuses_on_every_route_and_nothing_is_begun(smol, route, stream):
    before = [e["exchange"] for e in smol.entries() if e["type"] == "intent"]
    order = list(REFUSALS)
    for number, name in enumerate(order):
        # This stage's mistake and all later ones': the earliest decides.
        headers, fields = {}, {}
        for other in reversed(order[number:]):
            headers |= REFUSALS[other][0]
            fields |= REFUSALS[other][1]
        answer = route.post(smol, "Hello", stream, headers, **fields)
        assert answer.status == REFUSALS[name][2], (name, answer.reply.body)
        assert "error" in answer.reply.json() and answer.exchange is None
    assert [e["exchange"] for e in smol.entries() if e["type"] == "intent"] == before


def test_a_refusal_of_every_route_is_an_entry_with_its_cause(own, upstream):
    with own.configure(upstream.toml()) as server:
        server.models = {"canned": None}
        for route in ROUTES:
            assert route.post(server, "x", model="nobody").status == 404
            assert route.post(server, "x", temperature="hot").status == 400
    lines = own.run("--json", "ledger", "tail", "-n", "100").stdout.splitlines()
    found = [json.loads(json.loads(line)["entry"]) for line in lines]
    refused = {(e["api"], e["cause"]): e["count"] for e in found if e["type"] == "refusal"}
    assert refused == {(route.api, cause): 1 for route in ROUTES for cause in ("unknown_model", "malformed")}


def test_no_route_answers_once_the_server_drains(own, slow_upstream):
    with own.configure(slow_upstream.toml()) as server:
        server.models = {"canned": None}
        stream = server.stream("/v1/completions", {"model": "canned", "prompt": "go"})
        stream.event()
        server.run("shutdown", "--reason", "a test")
        for route in ROUTES:
            with pytest.raises(OSError):
                route.post(server, "x")
        slow_upstream.release()
        stream.rest()


def test_models_pass_identity_like_every_route(own, upstream):
    """The fourth endpoint has no exchange; it asks who is there, and lists only what that key may use."""
    with own.configure(upstream.toml("one") + upstream.toml("two")) as server:
        server.models = {"one": None}
        assert [m["id"] for m in server.http("GET", "/v1/models").json()["data"]] == ["one", "two"]
        assert http(server.tcp, "GET", "/v1/models", headers={"Authorization": "Bearer cnd_wrong"}).status == 401
        assert http(server.tcp, "GET", "/v1/models", headers={"Host": "evil.example"}).status == 421
        bearer = {"Authorization": "Bearer " + server.json("key", "create", "of-two", "--models", "two")["key"]}
        assert [m["id"] for m in server.http("GET", "/v1/models", bearer).json()["data"]] == ["two"]
        for route in ROUTES:
            assert route.post(server, "x", headers=bearer).status == 403
            assert route.post(server, "x", headers=bearer, model="two").status == 200


# --- the same fields on a real answer


@EACH
@BOTH
def test_usage_is_what_the_entry_says(smol, route, stream):
    answer = route.post(smol, TEXT, stream, max_tokens=12)
    end = entries_of(smol, answer.exchange)[-1]
    assert answer.usage == [(int(end["prompt_tokens"]), int(end["completion_tokens"]))]
    assert answer.usage[0][1] == 12 and answer.usage[0][0] >= 3
    assert answer.finish == [{"anthropic.messages": "max_tokens"}.get(route.api, "length")]


@EACH
@BOTH
def test_a_stop_sequence_ends_a_real_answer_and_is_not_part_of_it(smol, route, stream):
    whole = route.post(smol, TEXT, stream, max_tokens=40).text
    word = whole.split()[3]
    cut = route.post(smol, TEXT, stream, max_tokens=40, **{route.stop_field: [word, "never said"]})
    assert cut.text == whole[:whole.index(word)] and len(cut.text) > 3
    assert cut.finish == [route.ended_by_stop]
    [intent, outcome] = entries_of(smol, cut.exchange)
    assert intent["parameters"]["stops"] == 2 and outcome["finish"] == "stop"


@EACH
@BOTH
def test_a_seed_is_honoured_and_recorded(smol, route, stream):
    asked = [route.post(smol, TEXT, stream, temperature=1, seed=seed) for seed in (11, 11, 4_294_967_294)]
    for answer, seed in zip(asked, ("11", "11", "4294967294")):
        parameters = entries_of(smol, answer.exchange)[0]["parameters"]
        assert parameters["seed"] == seed and parameters["seed_by_caller"] is True and parameters["temperature"] == "1"
    assert asked[0].text != asked[2].text
    assert asked[0].text == asked[1].text  # best effort; so short, one after the other, it is kept


@BOTH
def test_log_probabilities_are_those_of_the_text_said(smol, stream):
    chat = CHAT.post(smol, QUESTION, stream, logprobs=True, top_logprobs=2)
    tokens = [t for part in chat.parts for c in part["choices"] for t in (c.get("logprobs") or {}).get("content") or ()]
    assert "".join(t["token"] for t in tokens) == chat.text and len(tokens) >= 5
    assert bytes(b for t in tokens for b in t["bytes"]) == chat.text.encode()
    assert all(t["logprob"] <= 0.0001 and len(t["top_logprobs"]) == 2 for t in tokens)
    # greedy: what was said is what was likeliest
    assert all(t["top_logprobs"][0]["token"] == t["token"] for t in tokens)
    done = COMPLETIONS.post(smol, "The capital of France is", stream, logprobs=2)
    parts = [c["logprobs"] for part in done.parts for c in part["choices"] if c.get("logprobs")]
    assert "".join(t for p in parts for t in p["tokens"]) == done.text
    assert all(v <= 0.0001 for p in parts for v in p["token_logprobs"])


def test_messages_have_no_log_probabilities_and_say_so(smol):
    answer = MESSAGES.post(smol, QUESTION, logprobs=True)
    assert answer.status == 200 and answer.headers["candor-dropped-fields"] == "logprobs"
