"""B8: model files and engines that are broken, changed or hostile, against the running server. Each time the
caller gets a clear error, the log an entry, the monitor runs on and another model is not affected."""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import threading
import time

import pytest

from conftest import need
from gguf import with_text
from server import TINY, wait_until
from test_engines import events_of_models

CRASHES_WITH_AMX = TINY.parent / "derived" / "stories260K-Q4_K_M.gguf"


@pytest.fixture
def beside(own, tmp_path):
    """A server with the tiny model and, beside it, one of the test's own: the file and a way to configure both."""
    need(TINY, "the tiny model")
    file = tmp_path / "models" / "hostile.gguf"  # a folder that does not hold the data folder
    file.parent.mkdir()

    def configure(more="", head=""):
        return own.configure(f'{head}\n[[model]]\nname = "tiny"\npath = "{TINY}"\n'
                             f'[[model]]\nname = "hostile"\npath = "{file}"\n{more}')
    return file, configure


def ask(server, model="hostile"):
    return server.complete(model=model)


def assert_runs_on(server):
    assert ask(server, "tiny").status == 200
    assert server.verify_log()[0] == 0


WRONG = {
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "truncated": lambda file: os.truncate(file, file.stat().st_size // 2),
    "cut in its metadata": lambda file: os.truncate(file, 200),
    "wrong magic": lambda file: file.write_bytes(b"GGML" + file.read_bytes()[4:]),
    "of a version to come": lambda file: file.write_bytes(b"GGUF\x63\0\0\0" + file.read_bytes()[8:]),
    "more tensors than bytes": lambda file: file.write_bytes(file.read_bytes()[:8] + b"\xff" * 8 + file.read_bytes()[16:]),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_B8_a_model_file_that_is_wrong_is_refused_in_words(beside, wrong):
    file, configure = beside
    shutil.copy(TINY, file)
    with configure() as server:
        assert ask(server, "tiny").status == 200
        WRONG[wrong](file)
        reply = ask(server)
        assert reply.status == 503 and "candor doctor" in reply.json()["error"]["message"], reply.body
        said = server.run("model", "load", "hostile", code=3)
        assert str(file) in said.stderr and len(said.stderr) > len(str(file)) + 20, said.stderr
        assert "hostile" not in [model for what, model in events_of_models(server) if what == "load"]
        failed = [e for e in server.entries() if e.get("verb") == "model.load" and e["object"] == "hostile"]
        assert {e["result"] for e in failed} == {"failed_precondition"}
        wait_until(lambda: [e for e in server.entries() if e["type"] == "refusal" and e["cause"] == "engine"],
                   "the refusal's entry", 30)
        assert_runs_on(server)


def test_B8_a_model_changed_since_it_was_admitted_is_refused(beside):
    file, configure = beside
    shutil.copy(TINY, file)
    with configure(f'sha256 = "{hashlib.sha256(file.read_bytes()).hexdigest()}"\n') as server:
        assert ask(server).status == 200
        server.run("model", "unload", "hostile", "--reason", "a test")
        bytes_ = bytearray(file.read_bytes())
        bytes_[-1] ^= 1  # one bit of the weights
        file.write_bytes(bytes_)
        assert ask(server).status == 503
        said = server.run("model", "load", "hostile", code=None)
        assert said.returncode != 0 and "sha256" in said.stderr.lower(), said.stderr
        assert_runs_on(server)


def test_B8_no_byte_of_weights_that_change_while_mapped_is_released(beside):
    file, configure = beside
    shutil.copy(TINY, file)
    with configure() as server:
        assert ask(server).status == 200  # loaded
        began = time.monotonic()
        with file.open("r+b") as writer:  # waits until the engine has gone
            assert time.monotonic() - began < 2
            writer.seek(-64, os.SEEK_END)
            writer.write(b"\xff" * 64)
        wait_until(lambda: ("lease_broken", "hostile") in events_of_models(server), "the unload's entry")
        loads = [e["provenance"]["weights"] for e in server.entries() if e["type"] == "load"
                 and e["provenance"]["model"] == "hostile"]
        reply = ask(server)  # what is there now, under a digest of its own
        if reply.status == 200:
            now = [e["provenance"]["weights"] for e in server.entries() if e["type"] == "load"
                   and e["provenance"]["model"] == "hostile"]
            assert now[-1] not in loads
        assert_runs_on(server)


def test_B8_an_engine_that_crashes_while_it_loads(beside):
    file, configure = beside
    need(CRASHES_WITH_AMX, "the model that crashes llama.cpp v0.5.0 with AMX")
    shutil.copy(CRASHES_WITH_AMX, file)
    with configure() as server:
        assert ask(server, "tiny").status == 200
        [other] = server.engine_pids()

        def kill():  # as soon as it is there: whether it crashes by itself depends on processor and build
            wait_until(lambda: set(server.engine_pids()) - {other}, "the second engine")
            for pid in set(server.engine_pids()) - {other}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSEGV)

        killer = threading.Thread(target=kill)
        killer.start()
        began = time.monotonic()
        reply = ask(server)
        killer.join()
        assert reply.status in (200, 503) and time.monotonic() - began < 30
        assert reply.status == 200 or "engine" in reply.json()["error"]["message"]
        assert server.engine_pids().count(other) == 1  # not affected
        assert ask(server, "tiny").status == 200
        assert_runs_on(server)


def test_B8_an_engine_that_hangs_is_replaced_and_the_caller_told(beside):
    file, configure = beside
    shutil.copy(TINY, file)
    with configure(head='[engine]\nstall_timeout = "2s"\nfirst_token_timeout = "2s"') as server:
        assert ask(server).status == 200
        [engine] = server.engine_pids()
        assert ask(server, "tiny").status == 200
        os.kill(engine, signal.SIGSTOP)
        for stream, allowed in ((True, 2 + 2), (False, 10 + 2 * 2 + 2)):  # no token in time; the probe
            began = time.monotonic()
            reply = server.complete(model="hostile", stream=stream)
            took = time.monotonic() - began
            assert reply.status in (503, 504) and took < allowed, (reply.status, took)
            end = server.wait_for_end(reply.headers["candor-exchange"])
            assert (end.get("result") or end.get("reason")) in ("deadline", "engine_error", "engine_lost")
        wait_until(lambda: engine not in server.engine_pids(), "the end of the one that hangs", 30)
        assert wait_until(lambda: ask(server).status == 200, "its successor", 30)
        assert_runs_on(server)


def test_B8_an_engine_killed_for_memory_is_an_entry_and_comes_again(beside):
    """What the kernel does when memory ends: SIGKILL, from outside."""
    file, configure = beside
    shutil.copy(TINY, file)
    with configure() as server:
        assert ask(server).status == 200
        [engine] = server.engine_pids()
        os.kill(engine, signal.SIGKILL)
        wait_until(lambda: ("crash", "hostile") in events_of_models(server), "the unload's entry")
        assert wait_until(lambda: ask(server).status == 200, "its successor", 30)
        assert_runs_on(server)


PLAIN = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
LOOP = "{% for a in range(100000) %}{% for b in range(100000) %}{% set c = a * b %}{% endfor %}{% endfor %}"
# name: the template, and what the operator is told of it
EXPLOSIVES = {
    "a loop in a loop": (LOOP, "processor time"),
    "a huge range": ("{% for a in range(1000000000000) %}{{ a }}{% endfor %}", "processor time"),
    "a text larger than memory": ("{{ 'a' | indent(100000000000, true) }}", "memory"),
    "a macro that calls itself": ("{% macro f(x) %}{{ f(x + 1) }}{% endmacro %}{{ f(0) }}", "crashes"),
    "brackets without end": ("{{ " + "(" * 60_000, "crashes"),
}
HEAD = '[engine]\ntemplate_timeout = "1s"\nscheduling = "other"'
BOUND_S = 30  # a second of processor time on a busy machine, and the rest of a load


def chat(server, words="hi", **more):
    return server.post("/v1/chat/completions", {"model": "hostile", "messages": [{"role": "user", "content": words}], "max_tokens": 4, **more})


def assert_blames_template(reply):
    error = reply.json()["error"]
    assert reply.status == 400 and error["code"] == "chat_template_failed", reply.body
    assert "chat template took more time or memory" in error["message"] and "model.chat_template" in error["message"]


@pytest.mark.parametrize("where", ["in the file", "in the configuration"])
@pytest.mark.parametrize("name", EXPLOSIVES)
def test_B8_a_chat_template_that_explodes_at_the_load_is_bounded_and_named(beside, name, where):
    file, configure = beside
    template, words = EXPLOSIVES[name]
    more = ""
    if where == "in the file":
        with_text(TINY, file, "tokenizer.chat_template", template)
    else:
        shutil.copy(TINY, file)
        (file.parent / "template.jinja").write_text(template)
        more = f'chat_template = "{file.parent / "template.jinja"}"\n'
    with configure(more, HEAD) as server:
        assert ask(server, "tiny").status == 200
        [other] = server.engine_pids()
        began = time.monotonic()
        assert_blames_template(chat(server))
        assert_blames_template(ask(server))  # nor does it complete: it cannot be loaded
        assert time.monotonic() - began < BOUND_S
        said = server.run("model", "load", "hostile", code=3).stderr
        assert "chat template" in said and words in said and "model.chat_template" in said, said
        assert server.engine_pids() == [other]
        failed = [e for e in server.entries() if e.get("verb") == "model.load" and e["object"] == "hostile"]
        assert {e["result"] for e in failed} == {"failed_precondition"}
        wait_until(lambda: [e for e in server.entries() if e["type"] == "refusal" and e["cause"] == "engine" and e["status"] == 400],
                   "the refusal's entry", 30)
        assert_runs_on(server)


@pytest.mark.parametrize("name", [name for name in EXPLOSIVES if name != "brackets without end"])
@pytest.mark.parametrize("stream", [False, True])
def test_B8_a_chat_template_that_explodes_on_a_request_is_bounded_and_the_engine_comes_again(beside, name, stream):
    file, configure = beside
    with_text(TINY, file, "tokenizer.chat_template", "{% if messages[-1]['content'] == 'boom' %}" + EXPLOSIVES[name][0] + "{% endif %}" + PLAIN)
    with configure(head=HEAD) as server:
        assert ask(server, "tiny").status == 200
        [other] = server.engine_pids()
        assert chat(server).status == 200
        began = time.monotonic()
        reply = chat(server, "boom", stream=stream)
        assert time.monotonic() - began < BOUND_S
        assert_blames_template(reply)
        end = server.wait_for_end(reply.headers["candor-exchange"])
        assert end["type"] == "abort" and end["reason"] == "engine_lost", end
        wait_until(lambda: ("crash", "hostile") in events_of_models(server), "the unload's entry")
        assert wait_until(lambda: chat(server).status == 200, "its successor", 30)
        assert other in server.engine_pids()
        assert_runs_on(server)


def test_B8_a_chat_template_burns_no_longer_when_its_caller_has_left(beside):
    file, configure = beside
    with_text(TINY, file, "tokenizer.chat_template", "{% if messages[-1]['content'] == 'boom' %}" + LOOP + "{% endif %}" + PLAIN)
    with configure(head=HEAD) as server:
        assert chat(server).status == 200
        [engine] = server.engine_pids()
        with socket.create_connection(server.tcp) as connection:
            body = json.dumps({"model": "hostile", "messages": [{"role": "user", "content": "boom"}], "stream": True})
            connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                               f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            wait_until(lambda: [e for e in server.entries() if e["type"] == "intent"][1:], "the intent")
        wait_until(lambda: engine not in server.engine_pids(), "the end of the engine that burns", BOUND_S)
        assert wait_until(lambda: chat(server).status == 200, "its successor", 30)
        assert_runs_on(server)
