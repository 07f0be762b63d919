"""The stop button (C13; EU AI Act, Art. 14(4)(e)): what runs ends within a second, what comes is refused with
the reason, a restart keeps it, and stop and resumption are on record."""
import json
import os
import signal
import threading
import time

import anthropic
import openai
import pytest

from server import wait_until
from upstream import Upstream

REASON = "it insults customers"
SLOW = {"model": "canned", "prompt": "x", "max_tokens": 600}


def refusal(server, model="canned", **more):
    reply = server.complete(model=model, **more)
    return reply.status, reply.json().get("error", {}) if reply.status != 200 else None


def acts(server):
    return [(e["verb"], e["object"]) for e in server.entries() if e["type"] == "admin" and e["verb"] != "key.auditor"]


def test_a_stop_ends_what_runs_within_a_second_and_says_why(own, slow_upstream):
    slow_upstream.words = ["word "] * 500
    with own.configure(slow_upstream.toml()) as server:
        streams = [server.stream("/v1/completions", SLOW) for _ in range(3)]
        for stream in streams:
            stream.event()
        began = time.monotonic()
        said = server.run("stop", "--all", "--reason", REASON)
        ends = [stream.rest() for stream in streams]
        assert time.monotonic() - began < 1
        assert "3 running answers ended" in said.stdout
        for stream, events in zip(streams, ends, strict=True):
            error = events[-1]["error"]
            assert error["code"] == "stopped_by_operator" and REASON in error["message"]
            end = server.wait_for_end(stream.exchange)
            assert (end["type"], end["result"]) == ("outcome", "stopped")
        assert refusal(server) == (403, error)
        assert REASON not in json.dumps(server.entries())  # sealed beside the entry, not in it
        assert acts(server) == [("stop.all", "")]
        assert server.verify_log()[0] == 0


def test_a_stop_survives_a_restart_and_a_kill_until_it_is_resumed(own, upstream):
    with own.configure(upstream.toml()) as server:
        server.run("stop", "--model", "canned", "--reason", REASON)
        assert refusal(server)[0] == 403
        server.kill()
    with own as server:
        assert refusal(server)[0] == 403
        assert REASON in server.run("stop", "--list").stdout
        assert server.json("doctor")["server"]["stops"][0]["object"] == "canned"
        assert "model canned since" in server.run("doctor").stdout
        server.run("resume", "--model", "canned", "--reason", "a new version")
        assert refusal(server)[0] == 200
        assert "nothing is stopped" in server.run("stop", "--list").stdout
    with own as server:
        assert refusal(server)[0] == 200
        assert acts(server) == [("stop.model", "canned"), ("resume.model", "canned")]
        assert server.verify_log()[0] == 0


def test_one_model_or_one_user_is_stopped_and_nobody_else(own, slow_upstream):
    other = Upstream()
    try:
        slow_upstream.words = ["word "] * 500
        with own.configure(slow_upstream.toml() + other.toml("other")) as server:
            key = server.json("key", "create", "alice")["key"]
            alice = {"Authorization": "Bearer " + key}
            mine, hers = server.stream("/v1/completions", SLOW), server.stream("/v1/completions", SLOW, alice)
            mine.event(), hers.event()
            server.run("stop", "--user", "alice", "--reason", "her key is on a public page")
            assert hers.rest()[-1]["error"]["code"] == "stopped_by_operator"
            slow_upstream.release()
            assert "error" not in mine.rest()[-1]  # runs on to its end
            assert refusal(server, "other", headers=alice)[0] == 403
            assert refusal(server, "other")[0] == 200
            server.run("stop", "--model", "canned", "--reason", REASON)
            assert (refusal(server, "canned")[0], refusal(server, "other")[0]) == (403, 200)
            stopped = [act for act in acts(server) if act[0].startswith("stop")]
            callers = {e["caller"] for e in server.entries() if e["type"] == "intent"}
            assert stopped[0][0] == "stop.user" and stopped[0][1] in callers  # a pseudonym, not her name
            assert stopped[1] == ("stop.model", "canned")
    finally:
        other.close()


def test_real_clients_are_told_the_reason_in_their_own_shape(own, upstream):
    with own.configure(upstream.toml()) as server:
        server.run("stop", "--all", "--reason", REASON)
        ask = [{"role": "user", "content": "hello"}]
        with pytest.raises(openai.PermissionDeniedError, match=REASON) as refused:
            openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0).chat.completions.create(
                model="canned", messages=ask)
        assert refused.value.code == "stopped_by_operator"
        with pytest.raises(anthropic.PermissionDeniedError, match=REASON):
            anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0).messages.create(
                model="canned", messages=ask, max_tokens=8)
        reply = server.post("/api/chat", {"model": "canned", "messages": ask})
        assert reply.status == 403 and REASON in reply.json()["error"]


@pytest.mark.parametrize("name", ["uid:alice", "uid:01000", "uid:", "key:nosuch", "oidc:", "cert:", "gone", "nobody-here"])
def test_a_user_whom_nobody_can_be_is_not_called_stopped(own, upstream, name):
    with own.configure(upstream.toml()) as server:
        server.run("key", "revoke", server.json("key", "create", "gone")["id"])
        said = server.run("stop", "--user", name, "--reason", "r", code=None)
        assert said.returncode in (2, 4) and "nothing is stopped" in server.run("stop", "--list").stdout


def test_an_answer_that_waits_for_its_reader_is_stopped_too(own, upstream):
    upstream.words = ["word " * 8000] * 400  # more than sockets hold
    with own.configure(upstream.toml()) as server:
        stream = server.stream("/v1/completions", SLOW)
        stream.event()
        time.sleep(1)  # the monitor waits for us
        server.run("stop", "--all", "--reason", REASON)
        assert stream.rest()[-1]["error"]["code"] == "stopped_by_operator"
        assert server.wait_for_end(stream.exchange)["result"] == "stopped"


def test_a_stop_ends_who_waits_for_a_model_to_load(own_tiny):
    with own_tiny as server:
        server.complete()
        server.run("model", "unload", "tiny")
        wait_until(lambda: not server.engine_pids(), "the engine's end")
        for _ in range(5):  # a small model may be ready before it is frozen: then once more
            replies = []
            asking = threading.Thread(target=lambda into=replies: into.append(server.complete()))
            asking.start()
            wait_until(server.engine_pids, "an engine that loads")
            for loading in server.engine_pids():
                os.kill(loading, signal.SIGSTOP)  # it will not be ready
            server.run("stop", "--all", "--reason", REASON)
            asking.join(5)
            for loading in server.engine_pids():
                os.kill(loading, signal.SIGKILL)
            if replies and replies[0].status != 200:
                break
            wait_until(lambda: not server.engine_pids(), "the engine's end")
            server.run("resume", "--all", "--reason", REASON)
        assert replies and replies[0].status == 403


def test_who_is_stopped_is_erased_only_once_resumed(own, upstream):
    with own.configure(upstream.toml()) as server:
        alice = {"Authorization": "Bearer " + server.json("key", "create", "alice")["key"]}
        assert server.complete(model="canned", headers=alice).status == 200
        server.run("stop", "--user", "alice", "--reason", "she asked for it")
        assert "resume" in server.run("erase", "--caller", "alice", "--reason", "r", "--yes", code=3).stderr
        server.run("resume", "--user", "alice", "--reason", "r")
        server.run("erase", "--caller", "alice", "--reason", "r", "--yes")
        assert not [f for f in server.data.rglob("state.db*") if b"she asked for it" in f.read_bytes()]


def test_a_model_that_is_configured_no_more_can_be_resumed(own, upstream):
    with own.configure(upstream.toml()) as server:
        server.run("stop", "--model", "canned", "--reason", REASON)
        own.configure(upstream.toml("other"))
        server.run("reload")
        server.run("resume", "--model", "canned", "--reason", "it is gone")
        assert "nothing is stopped" in server.run("stop", "--list").stdout


@pytest.mark.parametrize("words", ["--reason r", "--all", "--all --model canned --reason r"])
def test_what_is_meant_must_be_said(own, upstream, words):
    with own.configure(upstream.toml()) as server:
        for verb in ("stop", "resume"):
            assert "--" in server.run(verb, *words.split(), code=2).stderr
        server.run("resume", "--all", "--reason", "r", code=4)  # nothing is stopped
        server.run("stop", "--model", "unknown", "--reason", "r", code=4)
        assert refusal(server)[0] == 200


def test_a_stop_holds_even_if_the_ledger_takes_no_entry(own_tiny):
    """Fail closed: what cannot be put on record is stopped all the same."""
    with own_tiny as server:
        assert server.complete().status == 200
        [signer] = server.children("candor-signer")
        os.kill(signer, 9)
        server.complete()  # notices
        said = server.run("stop", "--all", "--reason", REASON, code=7)
        assert "stopped, but not on record" in said.stderr
        assert REASON in server.run("stop", "--list").stdout
    with own_tiny as server:
        assert refusal(server, "tiny")[0] == 403
