"""Engines that somebody else runs stand in for the local one (B5): real servers, replicas, fakes that drop, stall and lie."""
import json
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from authority import Authority
from conftest import need
from server import QUESTION, SMOL, Kept, spoken, sse_events, wait_until
from upstream import Upstream
from upstream_servers import litellm, llama_cpp_python, llama_server, ollama

CHAT = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 24}


PATIENT = '[engine]\nfirst_token_timeout = "10m"\nstall_timeout = "5m"\n'  # they compute on the machine that tests


def model(name, urls, **more):
    urls = [urls] if isinstance(urls, str) else urls
    return f'[[model]]\nname = "{name}"\nupstream = {json.dumps(urls)}\n' + "".join(
        f"{key} = {json.dumps(str(value) if isinstance(value, pathlib.Path) else value)}\n" for key, value in more.items())


def assert_serves(server, name, folder, answer="Paris", counts_streams=True):
    """Chat whole and streamed, and a cancel; each on record as declared, each receipt verified."""
    request = {"model": name} | CHAT
    whole = server.post("/v1/chat/completions", request)
    assert whole.status == 200, whole.body
    assert answer in whole.json()["choices"][0]["message"]["content"]
    Kept(server, folder / "whole", json.dumps(request), whole.body).assert_verifies()
    code, words = Kept(server, folder / "whole", json.dumps(request), whole.body).verify()
    assert "declared" in words and "ok   P7" not in words, words

    stream = server.stream("/v1/chat/completions", request)
    events = stream.rest()
    assert answer in spoken(events) and events[-1]["choices"][0]["finish_reason"] or spoken(events)
    Kept(server, folder / "stream", json.dumps(request | {"stream": True}), stream.body).assert_verifies()

    exchange = server.exchange(stream.exchange)
    intent, outcome = exchange["intent"]["entry"], exchange["outcome"]["entry"]
    assert outcome["result"] == "complete" and (int(outcome["completion_tokens"]) > 0) == counts_streams
    assert {intent["provenance"][f"{what}_basis"] for what in ("weights", "template", "engine", "usage")} == {"declared"}
    load = next(e for e in server.entries() if e["type"] == "load" and e["load"] == intent["load"])
    assert load["engine_build"] == "upstream" and load["cache"] in ("not_assured", "asked") and not load["confinement"]["confined"]

    cut = server.stream("/v1/chat/completions", request | {"max_tokens": 1500, "temperature": 1,
                                                           "messages": [{"role": "user", "content": "Tell a very long story."}]})
    cut.event()
    cut.close()
    assert server.wait_for_end(cut.exchange)["result"] in ("cancelled", "complete")
    assert server.verify_log()[0] == 0


def test_B5_the_bare_llama_server_with_a_key(own, tmp_path):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    key = tmp_path / "upstream.key"
    key.write_text("sk-upstream-secret\n")
    key.chmod(0o600)
    with llama_server(tmp_path, key="sk-upstream-secret") as (port, _):
        own.configure(model("remote", f"http://127.0.0.1:{port}/v1", upstream_key_file=key, upstream_kind="llama.cpp"))
        with own as server:
            assert_serves(server, "remote", tmp_path)
            long = server.post("/v1/chat/completions", {"model": "remote", "messages": [{"role": "user", "content": "word " * 9_000}]})
            assert long.status == 400 and "sk-upstream-secret" not in long.body.decode()
            assert [e["cache"] for e in server.entries() if e["type"] == "load"] == ["asked"]
            key.write_text("wrong\n")
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: server.post("/v1/chat/completions", {"model": "remote"} | CHAT).status in (500, 502), "the wrong key", 30)
            [replica] = server.admin("GET", "/v1/status").json()["upstreams"][0]["replicas"]
            assert "key" in replica["detail"] or not replica["healthy"] or replica["answered"]
        everything = "".join(own.log) + "".join(p.read_bytes().decode(errors="replace") for p in own.data.rglob("*") if p.is_file())
        assert "sk-upstream-secret" not in everything


def test_B5_llama_cpp_python(own, tmp_path):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    with llama_cpp_python(tmp_path) as (port, _):
        own.configure(PATIENT + model("remote", f"http://127.0.0.1:{port}/v1", upstream_model="smol"))
        with own as server:
            assert_serves(server, "remote", tmp_path, counts_streams=False)  # it takes stream_options and says no usage


def test_B5_litellm_over_https_in_front_of_another(own, tmp_path):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    authority = Authority(tmp_path / "authority")
    key = tmp_path / "upstream.key"
    key.write_text("sk-litellm-1234")
    key.chmod(0o600)
    with llama_server(tmp_path) as (behind, _), litellm(tmp_path, behind, "sk-litellm-1234", authority.issue("litellm")) as (port, _):
        own.configure(model("remote", f"https://localhost:{port}/v1", upstream_model="through-litellm", upstream_key_file=key,
                            upstream_ca=authority.certificate))
        with own as server:
            assert_serves(server, "remote", tmp_path)


def test_B5_ollama(own, tmp_path):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    with ollama(tmp_path) as (port, _):
        own.configure(PATIENT + model("remote", f"http://127.0.0.1:{port}/v1", upstream_model="smol"))
        with own as server:
            assert_serves(server, "remote", tmp_path)


def test_B5_replicas_share_the_load_and_one_that_dies_is_left_out(own, tmp_path):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    with llama_server(tmp_path, name="one") as (one, first), llama_server(tmp_path, name="two") as (two, _):
        own.configure('[upstream]\nhealth_interval = "500ms"\n' + model("remote", [f"http://127.0.0.1:{one}", f"http://127.0.0.1:{two}"]))
        with own as server:
            def replicas():
                return server.admin("GET", "/v1/status").json()["upstreams"][0]["replicas"]
            replies = []
            threads = [threading.Thread(target=lambda: replies.append(server.post("/v1/chat/completions", {"model": "remote"} | CHAT)))
                       for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert [r.status for r in replies] == [200] * 6
            assert min(r["answered"] for r in replicas()) >= 2
            first.kill()
            first.wait()
            after = [server.post("/v1/chat/completions", {"model": "remote"} | CHAT).status for _ in range(4)]
            assert after == [200] * 4  # tried again elsewhere where it was needed
            wait_until(lambda: [r["healthy"] for r in replicas()] == [False, True], "the dead one is known")
            assert len([e for e in server.entries() if e["type"] == "load"]) == 1  # one load, whoever answers
            assert server.verify_log()[0] == 0


def test_B5_a_replica_that_leaves_the_configuration_drains(own, slow_upstream):
    other = Upstream(words=["other"])
    own.configure(slow_upstream.toml())
    with own as server:
        stream = server.stream("/v1/completions", {"model": "canned", "prompt": "a", "max_tokens": 8})
        stream.event()
        own.configure(other.toml())
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: any("configuration.reloaded" in line for line in server.log), "the reload")
        assert server.complete(model="canned").json()["choices"][0]["text"] == "other"
        assert not [e for e in server.entries() if e["type"] == "unload"]  # the old one still answers
        slow_upstream.release()
        stream.rest()
        assert server.wait_for_end(stream.exchange)["result"] == "complete"
        loads = [e["load"] for e in server.entries() if e["type"] == "load"]
        wait_until(lambda: [e["load"] for e in server.entries() if e["type"] == "unload"] == loads[:1], "its unload entry")
        assert len(loads) == 2 and server.verify_log()[0] == 0
    other.close()


class Raw:
    """A server of raw bytes: what it says to each POST, after which it hangs up or waits."""

    def __init__(self, answer, wait=False):
        self.answer, self.wait, self.posts = answer, wait, 0
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        with connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (byte := connection.recv(1)):
                    return
                head += byte
            if head.startswith(b"GET"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
                return
            self.posts += 1
            try:
                for piece in self.answer if isinstance(self.answer, list) else [self.answer]:
                    connection.sendall(piece)
                if self.wait:
                    self.over.wait(60)
            except OSError:
                pass

    def close(self):
        self.over.set()
        self.listener.close()


def sse(*events, length=None):
    body = b"".join(b"data: " + (e if isinstance(e, bytes) else json.dumps(e).encode()) + b"\n\n" for e in events)
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + body


def delta(text, finish=None):
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}


# name: what it says; whether it then waits; the statuses or results that may follow
LIES = {
    "hangs up at once": (b"", False),
    "half a status line": (b"HTTP/1.1 2", False),
    "half a stream": (sse(delta("half")), False),
    "stalls before a byte": (b"", True),
    "stalls in the stream": (sse(delta("half")), True),
    "no http": (b"220 smtp.example ESMTP\r\n\r\n", False),
    "an endless head": (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000, False),
    "an endless line": ([sse(), b"data: ", b"x" * 30_000_000], False),
    "an endless stream": ([sse(), b"".join(b"data: " + json.dumps(delta("word ")).encode() + b"\n\n" for _ in range(100_000))], True),
    "no json": (sse(b"{{{"), False),
    "another index": (sse({"choices": [{"index": 7, "text": "a", "finish_reason": None}]}, delta("", "stop")), False),
    "numbers for texts": (sse({"choices": [{"index": 0, "text": 7, "finish_reason": None}]}), False),
    "two answers": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", False),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", False),
    "an error with a canary": (b'HTTP/1.1 500 No\r\nContent-Length: 29\r\nX-Canary: CANARY\r\n\r\n{"error":{"message":"CANARY"}}', False),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", False),
    "upgrade": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", False),
}


@pytest.mark.parametrize("name", LIES)
def test_B5_an_upstream_that_drops_stalls_or_lies_is_an_error_and_an_end_on_record(own, name):
    answer, wait = LIES[name]
    liar = Raw(answer, wait)
    own.configure('[engine]\nfirst_token_timeout = "1s"\nstall_timeout = "1s"\n[upstream]\nretries = 0\n'
                  + model("liar", f"tcp:127.0.0.1:{liar.port}"))
    with own as server:
        began = time.monotonic()
        stream = server.stream("/v1/completions", {"model": "liar", "prompt": "a", "max_tokens": 50})
        body = stream.response.read().decode(errors="replace")
        assert time.monotonic() - began < 20
        assert "CANARY" not in body and "CANARY" not in str(stream.response.getheaders())
        assert "error" in body and '"receipt"' not in body, body[-500:]
        if stream.status == 200:
            assert "[DONE]" not in body
        end = server.wait_for_end(stream.exchange)
        assert end["type"] == "outcome" and end["result"] in ("engine_error", "deadline"), end
        assert liar.posts == 1
        assert server.verify_log()[0] == 0
    liar.close()


def test_B5_a_wrong_address_key_or_file_is_said_at_the_start_and_at_a_reload(own, upstream, tmp_path):
    everybody = tmp_path / "everybodys.key"
    everybody.write_text("sk-a")
    everybody.chmod(0o644)
    missing = tmp_path / "missing.key"
    for toml, words in ((model("m", "https://"), "upstream is written"), (model("m", "http://10.0.0.1:1", upstream_key_file=missing), "missing.key"),
                        (model("m", "http://127.0.0.1:1", upstream_key_file=everybody), "chmod"),
                        (model("m", "https://user:secret@host"), "upstream is written"),
                        (model("m", "https://host", upstream_ca=everybody), "authorities")):
        code, said = own.configure(toml).refused()
        assert code != 0 and words in said and "sk-a" not in said, (toml, said)
    mine = tmp_path / "mine.key"
    mine.write_text("sk-a")
    mine.chmod(0o600)
    code, said = own.configure(model("m", "http://192.0.2.1:1", upstream_key_file=mine)).refused()
    assert code != 0 and "in the clear" in said
    own.configure(upstream.toml())
    with own as server:
        assert server.complete(model="canned").status == 200
        own.configure(model("canned", "nonsense"))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: any("stays as it was" in line for line in server.log), "it says so")
        assert server.complete(model="canned").status == 200


def test_B5_a_vllm_gets_a_salt_for_each_caller_and_others_only_the_apis_own_fields(own, upstream):
    known = {"model", "messages", "prompt", "max_tokens", "seed", "stream", "temperature", "stream_options", "stop", "top_p"}
    own.configure(upstream.toml() + 'upstream_kind = "vllm"\n' + upstream.toml("plain"))
    with own as server:
        keys = [server.json("key", "create", name)["key"] for name in ("ada", "bob")]
        for key in (keys[0], keys[0], keys[1]):
            assert server.complete(model="canned", headers={"Authorization": f"Bearer {key}"}).status == 200
        salts = [asked["cache_salt"] for asked in upstream.requests]
        assert salts[0] == salts[1] != salts[2] and all(len(salt) == 64 for salt in salts)
        assert server.complete(model="plain").status == 200
        assert set(upstream.requests[-1]) <= known
        assert {e["provenance"]["model"]: e["cache"] for e in server.entries() if e["type"] == "load"} == {"canned": "asked", "plain": "not_assured"}
