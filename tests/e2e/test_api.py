"""What every client of the API meets, whatever its library (A8)."""
import json
import re
import socket

import pytest

from server import Kept, http, sse_events, wait_until

CHAT = [{"role": "user", "content": "Say something about a dog."}]


def message(server, headers=None, **fields):
    body = {"model": "smollm2", "max_tokens": 16, "messages": CHAT, "temperature": 0} | fields
    return server.post("/v1/messages", body, {"anthropic-version": "2023-06-01"} | (headers or {}))


# --- request ids, health, metrics


@pytest.mark.parametrize("path, body", [("/v1/chat/completions", {"model": "tiny", "messages": CHAT, "max_tokens": 4}),
                                        ("/v1/completions", {"model": "tiny", "prompt": "x", "max_tokens": 4}),
                                        ("/v1/messages", {"model": "tiny", "messages": CHAT, "max_tokens": 4}),
                                        ("/v1/chat/completions", {"model": "nobody", "messages": CHAT})])
def test_a_callers_request_id_comes_back_and_each_answer_has_one(tiny, path, body):
    for stream in (False, True):
        mine = tiny.post(path, body | {"stream": stream}, {"X-Request-Id": "my-id.42"})
        assert mine.headers["x-request-id"] == "my-id.42"
        made = [tiny.post(path, body | {"stream": stream}).headers["x-request-id"] for _ in range(2)]
        assert made[0] != made[1] and all(re.fullmatch("[A-Za-z0-9._-]{8,64}", m) for m in made)


def test_a_request_id_that_is_no_name_is_replaced(tiny):
    for hostile in ("a b", "x" * 500, "<script>", "é".encode().decode("latin-1")):
        got = tiny.http("GET", "/health", {"X-Request-Id": hostile}).headers["x-request-id"]
        assert got != hostile and re.fullmatch("[A-Za-z0-9._-]{8,64}", got)


def test_health_needs_no_key_and_says_ok(tiny):
    reply = tiny.http("GET", "/health")
    assert reply.status == 200 and reply.json() == {"status": "ok"}
    assert http(tiny.api_socket, "GET", "/health").status == 200
    assert tiny.http("GET", "/health", {"Authorization": "Bearer cnd_wrong"}).status == 200


def test_metrics_are_prometheus_text_and_count(tiny):
    def read():
        reply = tiny.http("GET", "/metrics")
        assert reply.headers["content-type"].startswith("text/plain")
        found = {}
        for line in reply.body.decode().splitlines():
            if line.startswith("#"):
                assert re.fullmatch(r"# (HELP|TYPE) candor_[a-z_]+ .+", line), line
                continue
            name, value = line.rsplit(" ", 1)
            assert re.fullmatch(r'candor_[a-z_]+(\{le="[^"]+"\})?', name), line
            found[name] = float(value)
        return found

    before = read()
    tiny.complete(max_tokens=4)
    tiny.complete(model="nobody")
    after = read()
    grown = {name: after[name] - before[name] for name in after}
    assert grown["candor_exchanges_total"] == 1 and grown["candor_exchanges_completed_total"] == 1
    assert grown["candor_refused_total"] == 1 and grown["candor_completion_tokens_total"] == 4
    assert grown["candor_exchange_seconds_count"] == 1
    assert after["candor_ledger_ok"] == 1 and after["candor_bugs_total"] == 0 and after["candor_inflight"] == 0


def test_models_are_listed_with_their_digest_once_measured(tiny):
    tiny.complete()
    [model] = tiny.http("GET", "/v1/models").json()["data"]
    assert model["id"] == "tiny" and model["object"] == "model"
    assert tiny.http("GET", "/v1/models/tiny").json()["id"] == "tiny"
    assert tiny.http("GET", "/v1/models/nobody").status == 404


# --- errors


BAD = [({"model": "nobody"}, 404, "model"), ({"temperature": 9}, 400, "temperature"), ({"max_tokens": -1}, 400, "max_tokens"),
       ({"n": 500}, 400, "n"), ({"tools": [{"type": "function"}]}, 400, "tools"), ({"stop": ["x"] * 17}, 400, "stop"),
       ({"seed": -1}, 400, "seed"), ({"messages": "hello"}, 400, "messages"), ({"messages": []}, 400, "messages")]


@pytest.mark.parametrize("fields, status, param", BAD, ids=lambda v: next(iter(v)) if isinstance(v, dict) else str(v))
def test_openai_errors_have_their_shape_and_say_what_to_do(tiny, fields, status, param):
    for stream in (False, True):
        reply = tiny.post("/v1/chat/completions", {"model": "tiny", "messages": CHAT, "stream": stream} | fields)
        assert reply.status == status and reply.headers["content-type"].startswith("application/json")
        error = reply.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert len(error["message"]) > 20 and error["message"].endswith(".") and param in str(error["param"])


ANTHROPIC = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 413: "request_too_large"}


@pytest.mark.parametrize("fields, status", [({"model": "nobody"}, 404), ({"temperature": 9}, 400), ({"max_tokens": None}, 400),
                                            ({"messages": []}, 400), ({"tools": [{"name": "x"}]}, 400)],
                         ids=lambda v: next(iter(v)) if isinstance(v, dict) else str(v))
def test_anthropic_errors_have_their_shape_and_say_what_to_do(tiny, fields, status):
    for stream in (False, True):
        reply = message(tiny, **({"model": "tiny", "stream": stream} | fields))
        assert reply.status == status
        body = reply.json()
        assert body["type"] == "error" and body["error"]["type"] == ANTHROPIC[status] and len(body["error"]["message"]) > 20
    refused = message(tiny, {"x-api-key": "cnd_wrong"}, model="tiny")
    assert refused.status == 401 and refused.json()["error"]["type"] == "authentication_error"


def test_what_is_no_request_at_all_is_refused_in_words(tiny):
    for body, status in ((b"", 400), (b"{", 400), (b"[]", 400), (b'{"model": "tiny", "model": "tiny"}', 400), (b"\xff", 400),
                         (b"[" * 100_000, 400)):
        reply = tiny.post("/v1/chat/completions", body)
        assert reply.status == status and reply.json()["error"]["message"], body[:20]
    assert tiny.http("GET", "/v1/chat/completions").status == 405
    assert tiny.http("GET", "/nowhere").status == 404
    wrong = http(tiny.tcp, "POST", "/v1/chat/completions", b"{}", {"Content-Type": "text/plain"})
    assert wrong.status in (400, 415)


def test_a_body_beyond_the_bound_gets_413(own, upstream):
    with own.configure("[limits]\nmax_body_bytes = \"4KiB\"\n" + upstream.toml()) as server:
        reply = server.complete("x" * 5000, model="canned")
        assert reply.status == 413 and "error" in reply.json()
        assert server.complete("x" * 1000, model="canned").status == 200


def test_unknown_fields_are_dropped_and_named_or_refused_when_strict(own, upstream):
    with own.configure(upstream.toml()) as server:
        reply = server.complete(model="canned", grammar="root ::= x", id_slot=3, user="me")
        assert reply.status == 200
        assert set(re.split(r"[,;] ?", reply.headers["candor-dropped-fields"])) == {"grammar", "id_slot", "user"}
        assert not {"grammar", "user"} & set(upstream.requests[-1])
        assert [e["dropped_fields"] for e in server.entries() if e["type"] == "intent"] == [3]
    with own.configure("[limits]\nstrict_fields = true\n" + upstream.toml()) as server:
        assert server.complete(model="canned", grammar="root ::= x").status == 400


# --- answers


@pytest.mark.parametrize("stream", [False, True])
def test_usage_counts_what_was_said(smol, stream):
    reply = smol.chat("Count to ten.", max_tokens=12, stream=stream, **({"stream_options": {"include_usage": True}} if stream else {}))
    usage = [e["usage"] for e in sse_events(reply.body) if e.get("usage")][-1] if stream else reply.json()["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] == 12 and usage["prompt_tokens"] > 5
    end = smol.wait_for_end(reply.headers["candor-exchange"])
    assert (int(end["prompt_tokens"]), int(end["completion_tokens"])) == (usage["prompt_tokens"], 12)
    assert end["finish"] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_sequence_ends_the_answer_and_is_not_part_of_it(tiny, stream):
    def text(**more):
        reply = tiny.complete(max_tokens=40, stream=stream, **more)
        if stream:
            return "".join(c["text"] for e in sse_events(reply.body) for c in e["choices"]), reply
        return reply.json()["choices"][0]["text"], reply

    whole, _ = text()
    word = whole.split()[4]
    cut, reply = text(stop=[word])
    assert cut == whole[:whole.index(word)] and word not in cut
    choices = [c for e in (sse_events(reply.body) if stream else [reply.json()]) for c in e["choices"]]
    assert choices[-1]["finish_reason"] == "stop"
    assert [e["parameters"]["stops"] for e in tiny.entries() if e.get("exchange") == reply.headers["candor-exchange"]
            and e["type"] == "intent"] == [1]


def test_a_whole_answer_and_a_stream_say_the_same(smol):
    whole = smol.chat(max_tokens=24).json()["choices"][0]
    events = sse_events(smol.chat(max_tokens=24, stream=True).body)
    assert "".join(c["delta"].get("content") or "" for e in events for c in e["choices"]) == whole["message"]["content"]
    assert [c["finish_reason"] for e in events for c in e["choices"] if c["finish_reason"]] == [whole["finish_reason"]]
    anthropic = message(smol, max_tokens=24, messages=[{"role": "user", "content": "What is the capital of France? Answer in one sentence."}])
    assert anthropic.json()["content"][0]["text"] == whole["message"]["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_completions_give_log_probabilities_of_their_text(tiny, stream, tmp_path):
    body = json.dumps({"model": "tiny", "prompt": "Once", "max_tokens": 6, "temperature": 0, "logprobs": 2, "stream": stream})
    reply = tiny.post("/v1/completions", body.encode())
    parts = [c["logprobs"] for e in (sse_events(reply.body) if stream else [reply.json()]) for c in e["choices"] if c.get("logprobs")]
    tokens = [t for p in parts for t in p["tokens"]]
    values = [v for p in parts for v in p["token_logprobs"]]
    assert len(tokens) == len(values) == 6 and all(v <= 0.0001 for v in values)
    assert all(len(top) >= 2 for p in parts for top in p["top_logprobs"])
    Kept(tiny, tmp_path, body, reply.body).assert_verifies()


# --- who leaves


@pytest.mark.parametrize("when", ["before the first word", "in mid-stream"])
def test_a_client_that_leaves_ends_the_engines_work_and_is_recorded(own, slow_upstream, when):
    slow_upstream.words = ["word "] * 500
    with own.configure(slow_upstream.toml()) as server:
        if when == "in mid-stream":
            stream = server.stream("/v1/completions", {"model": "canned", "prompt": "x", "max_tokens": 600})
            stream.event()
            slow_upstream.release(20)
            [stream.event() for _ in range(10)]
            stream.close()
        else:  # an upstream that has not said anything: it holds whole answers back, too
            slow_upstream.hold_whole = True
            body = json.dumps({"model": "canned", "prompt": "x", "max_tokens": 600}).encode()
            raw = socket.create_connection(server.tcp)
            raw.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_until(lambda: [e for e in server.entries() if e["type"] == "intent"], "the intent")
            raw.close()
        [exchange] = [e["exchange"] for e in server.entries() if e["type"] == "intent"]
        slow_upstream.release(5)
        end = server.wait_for_end(exchange)
        assert end["type"] == "outcome" and end["result"] == "cancelled"
        if when == "in mid-stream":
            assert 0 < int(end["completion_tokens"]) <= 40 and int(end["released_bytes"]) > 0
        else:
            assert int(end["released_bytes"]) == 0
        assert server.verify_log()[0] == 0
