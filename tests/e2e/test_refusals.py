"""Every sentence in which a request is refused, in every dialect that can say it (B2). The sentences are read from the code (sentences.py): one
that is never heard here fails, unless another test is named that hears it."""
import contextlib
import copy
import errno
import json
import os
import re
import signal
import socket
import ssl
import threading
import time
from http import client
from subprocess import run

import pytest

from authority import Authority
from conftest import need
from dialect_tables import A_TOOL, APIS, ASK, CALL, O_CALL, R_ASK, SCHEMA, TOOLS, VALUES, place, rows
from sentences import USE_KEY, sentences
from server import BIN, SMOL, TINY, Candor, http, wait_until
from test_dialect_documents import bodies
from test_disk import SMALL
from test_failing_disk import FailingDisk, shim  # noqa: F401 (a fixture)
from test_hostile_models import LOOP
from test_provenance import GEMMA
from test_upstreams import Raw, sse
from upstream import Upstream

DIALECTS = {"openai", "anthropic", "ollama"}
# The files whose sentences one dialect says; all others say theirs in each.
OWN = {"anthropic.cc": {"anthropic"}, "ollama.cc": {"ollama"}} | {f"openai_{name}.cc": {"openai"}
                                                                  for name in ("chat", "fields", "prompts", "responses")}
# Of sentences that dialects share: those in which one of them cannot put it, and why.
UNSPEAKABLE = {
    "'{}' must be a string or a list of strings.": set(),
    "'input' must be text: lists of token numbers cannot be recorded as what they mean and are refused.": {"anthropic"},  # embeds nothing
    "A text of 'input' is empty.": {"anthropic"},
    "'input' may hold 1 to {} texts.": {"anthropic"},
    "'messages' must hold at least one message.": {"ollama"},  # has a sentence of its own
    "'tools[].type' may only be function: this server runs no tools itself.": {"anthropic"},
    "'tools[].function' must be an object.": {"anthropic"},
    "'{}' must be a JSON object.": {"anthropic"},  # arguments are objects there
    "'tool_choice' asks for a call, but there are no 'tools'.": {"ollama"},  # has no tool_choice
    "'tool_choice' names none of the 'tools'.": {"ollama"},
    "There are no log probabilities for a forced tool call.": {"ollama", "anthropic"},
    "Log probabilities cannot be streamed together with 'tools'. Leave out one of them, or do not stream.": {"anthropic"},  # has none
    "'n' may be at most {} with this model: it has no more slots. Send the request again for each further answer.": {"anthropic", "ollama"},
    "This model is not served for that. For embeddings the operator gives it the engine flags --embeddings and --pooling mean.": {"anthropic"},
    # before a path is known the shape is OpenAI's
} | {s.text: {"anthropic", "ollama"} for s in sentences() if s.file in ("connection.cc", "server.cc")}
HTTP = {s.text for s in sentences() if s.file == "request_reader.cc" and s.text.startswith(("Only HTTP", "The request ", "Exactly one", "The body's length", "A header field",
                                                                                            "The only ", "Compressed"))
        and "holds more text" not in s.text}
UNSPEAKABLE |= {text: {"anthropic", "ollama"} for text in HTTP}

# Why no request here makes them say it: whom it is for has left, another bound comes first, or it takes a bug of ours.
UNHEARD = {
    "The client closed the connection.": "it has left",
    "Which user of this machine asks could not be told from the connection." + USE_KEY: "the kernel names the user as long as the client is there",
    "Which user of this machine asks could no longer be told. Keep the connection open until the answer ends, or send an API key (made with "
    "`candor key create`).": "likewise",
    "The body is larger than the {} bytes that are allowed.": "the HTTP server has the same bound",
    "The answer took longer than allowed.": "the engine's deadline is the same and comes first",
    "An operator has stopped this answer. Ask again.": "it takes a resumption between two steps of one exchange",
    "The request could not be put on record, so it may not be answered.": "an intent that cannot be encoded is a bug",
    "The engine ended while it answered. Ask again in a moment.": "an engine's end is a race: that its connection broke is mostly seen first",
    "The server failed to answer this request.": "a bug",
    "The Authorization header is not \"Bearer\" and one token." + USE_KEY: "test_oidc.py hears it, in OpenAI's shape",
    "The identity provider's keys cannot be had now, so no sign-in token is taken. Ask again in a moment, or tell the operator.": "likewise",
    "Your sign-in names no group that may use this server. Ask the operator about oidc.groups.": "likewise",
    "The API key could not be checked now." + USE_KEY: "it takes a read of SQLite that fails, and its pages are in memory",
    "The model was replaced while the policy looked at it. Ask again.": "it takes a model file that changes between two steps of one exchange",
    "More was found in this request than can be looked at one by one. Send it in smaller parts.": "test_governance.py hears it, in OpenAI's shape",
    "A rule sends this to a model that is not here or not for you. Ask the operator.": "likewise",
    "Candor-Justification must be one line of at most 500 bytes.": "likewise",
    "The model's engine failed on this request.": "a kind of error that the list above does not have is a bug",
}


class Heard:
    """What was said, and by which dialect."""

    def __init__(self, server):
        self.server, self.by, self.strange = server, {}, []
        self.known = sentences()

    def said(self, message, dialect):
        possible = [s for s in self.known if s.matches(message) and dialect in OWN.get(s.file, DIALECTS)]
        if not possible:
            self.strange.append((dialect, message))
            return
        plainest = max(len(s.text.replace("{}", "")) for s in possible)
        for one in possible:
            if len(one.text.replace("{}", "")) == plainest:
                self.by.setdefault(one.text, set()).add(dialect)

    def ask(self, api, body, headers=None, server=None, status=None):
        path, dialect, _ = APIS[api]
        reply = http((server or self.server).tcp, "POST", path, body, headers)
        self.reply(reply, dialect)
        if status:
            assert reply.status == status, (api, body if len(str(body)) < 500 else "", reply.body[:500])
        return reply

    def reply(self, reply, dialect):
        said = self.body(reply.body, dialect)
        assert reply.status < 400 or said, reply.body

    def body(self, body, dialect):
        """The error in a body, in the last event of a stream or in its last line."""
        lines = [line.removeprefix("data: ") for line in body.decode().splitlines()]
        values = [json.loads(line) for line in lines if line.startswith("{")]
        error = values[-1].get("error") if values else None
        if error is not None:
            self.said(error if isinstance(error, str) else error["message"], dialect)
        return error is not None

    def raw(self, connection, dialect):
        connection.settimeout(20)
        data = b""
        while b"}" not in data and (piece := connection.recv(65536)):
            data += piece
        assert self.body(data.partition(b"\r\n\r\n")[2], dialect), data

    def missing(self):
        found = []
        for one in self.known:
            if one.text in UNHEARD:
                continue
            must = OWN.get(one.file, DIALECTS) - UNSPEAKABLE.get(one.text, set())
            if not must <= self.by.get(one.text, set()):
                found.append((one.file, one.text, sorted(must - self.by.get(one.text, set()))))
        return found


GENERATING = ["chat", "messages", "ollama chat"]  # one of each dialect
MANY = 5000


def said_by(messages, tools=None):
    """The conversation as each dialect writes it: (role, text), (role, [calls]) or ('result', id)."""
    def of(api):
        out = []
        for role, content in messages:
            if role == "result":
                out.append({"chat": {"role": "tool", "tool_call_id": content, "content": "r"},
                            "messages": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": content, "content": "r"}]},
                            "ollama chat": {"role": "tool", "tool_call_id": content, "content": "r"}}[api])
            elif content == "calls":
                out.append({"chat": {"role": role, "tool_calls": [CALL]}, "ollama chat": {"role": role, "content": "", "tool_calls": [O_CALL]},
                            "messages": {"role": role, "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]}}[api])
            else:
                out.append({"role": role, "content": content})
        return APIS[api][2][0] | {"messages": out}
    return of


def with_tools(api, **more):
    return APIS[api][2][0] | {"tools": [A_TOOL] if api == "messages" else TOOLS} | more


def with_format(api, **more):
    form = {"chat": {"response_format": {"type": "json_object"}}, "ollama chat": {"format": "json"},
            "messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}}[api]
    return APIS[api][2][0] | form | more


def bad_conversations(heard):
    for messages in ([("user", "a"), ("assistant", "calls")], [("user", "a"), ("assistant", "b"), ("assistant", "c")],
                     [("user", "a"), ("assistant", "calls"), ("result", "other")], [("user", "calls")]):
        for api in GENERATING:
            heard.ask(api, said_by(messages)(api), status=400)
    for api in GENERATING:
        heard.ask(api, with_format(api, messages=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]), status=400)
        heard.ask(api, with_format(api, **{"tools": with_tools(api)["tools"]}), status=400)
        twice = with_tools(api)
        heard.ask(api, twice | {"tools": twice["tools"] * 2}, status=400)
        heard.ask(api, APIS[api][2][0] | {"messages": []}, status=400)
    heard.ask("ollama chat", APIS["ollama chat"][2][0] | {"messages": [{"role": "tool", "content": "r"}]}, status=400)
    for calls in ([], [CALL] * 65):
        heard.ask("chat", ASK | {"messages": [{"role": "assistant", "content": None, "tool_calls": calls}, {"role": "user", "content": "a"}]}, status=400)
    heard.ask("ollama chat", APIS["ollama chat"][2][0] | {"messages": [{"role": "assistant", "content": "", "tool_calls": [O_CALL] * 65}]}, status=400)
    heard.ask("responses", R_ASK | {"input": [{"type": "function_call", "call_id": "c", "name": "f"}] * 65}, status=400)
    heard.ask("responses", R_ASK | {"input": [{"type": "function_call_output", "call_id": "c"}]}, status=400)
    heard.ask("responses", R_ASK | {"input": [{"type": "function_call_output", "output": "b"}]}, status=400)
    heard.ask("responses", R_ASK | {"input": [{"role": "user"}]}, status=400)
    heard.ask("responses", R_ASK | {"input": [{"type": "item_reference", "id": "x"}]}, status=400)
    heard.ask("responses", {"model": "canned"}, status=400)
    heard.ask("responses", R_ASK | {"include": [1]}, status=400)
    heard.ask("messages", APIS["messages"][2][0] | {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, status=400)
    for block in ({"type": "text"}, {"text": "a"}, "a", {"type": "image"}):
        heard.ask("messages", APIS["messages"][2][0] | {"messages": [{"role": "user", "content": [block]}]}, status=400)
    for api, role in (("chat", "user"), ("messages", "user"), ("ollama chat", "user")):
        heard.ask(api, APIS[api][2][0] | {"messages": [{"role": role}]}, status=400)
    for api, field in (("chat", "messages"), ("messages", "messages"), ("ollama chat", "messages"), ("responses", "input")):
        heard.ask(api, place(api, field, [{"role": "user", "content": "a"}] * 2049), status=400)
        if api != "ollama chat":
            part = {"type": "input_text" if api == "responses" else "text", "text": "a"}
            heard.ask(api, place(api, field, [{"role": "user", "content": [part] * MANY}]), status=400)
    heard.ask("messages", APIS["messages"][2][0] | {"system": [{"type": "text", "text": "a"}] * MANY}, status=400)
    results = [{"type": "tool_result", "tool_use_id": "c", "content": "b"}] * 2100
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]}]
    heard.ask("messages", APIS["messages"][2][0] | {"messages": turns + [{"role": "user", "content": results[:1000]}] * 3}, status=400)


def bad_combinations(heard):
    chat, responses = APIS["chat"][2][0], APIS["responses"][2][0]
    heard.ask("chat", chat | {"tool_choice": "required"}, status=400)
    heard.ask("messages", APIS["messages"][2][0] | {"tool_choice": {"type": "any"}}, status=400)
    heard.ask("chat", with_tools("chat", tool_choice={"type": "function", "function": {"name": "other"}}), status=400)
    heard.ask("messages", with_tools("messages", tool_choice={"type": "tool", "name": "other"}), status=400)
    heard.ask("chat", with_tools("chat", logprobs=True, stream=True), status=400)
    heard.ask("ollama chat", with_tools("ollama chat", logprobs=True, stream=True), status=400)
    heard.ask("chat", with_tools("chat", logprobs=True, tool_choice="required"), status=400)
    heard.ask("chat", chat | {"max_tokens": 1, "max_completion_tokens": 2}, status=400)
    heard.ask("chat", chat | {"top_logprobs": 2}, status=400)
    heard.ask("ollama chat", APIS["ollama chat"][2][0] | {"top_logprobs": 2}, status=400)
    heard.ask("generate", APIS["generate"][2][0] | {"raw": True, "system": "a"}, status=400)
    heard.ask("responses", responses | {"background": True}, status=400)
    heard.ask("responses", responses | {"text": {"format": "json"}}, status=400)
    heard.ask("messages", APIS["messages"][2][0] | {"thinking": {"type": "enabled"}}, status=400)
    heard.ask("chat", chat | {"response_format": {"type": "json_schema"}}, status=400)
    heard.ask("chat", chat | {"messages": [{"role": "assistant", "tool_calls": [{"type": "function"}]}]}, status=400)
    for api in ("chat", "ollama chat"):
        heard.ask(api, APIS[api][2][0] | {"tools": [{"type": "function"}]}, status=400)
    for api in APIS:
        for body in (b"{", b"[]", b"{}", b'{"model":"canned"}'):
            heard.ask(api, body, status=400)


def wrong_values(heard):
    """Each field that is read, with values of every kind; and at and beyond each of its bounds."""
    for row in rows():
        if row.action == "dropped":
            continue
        for value in VALUES:
            heard.ask(row.api, place(row.api, row.field, value))
        if row.field == "tools" or row.field != "messages":
            for body, fits in bodies(row)[0]:
                if not fits:
                    heard.ask(row.api, body)
    for api, field in (("chat", "tools[].function.parameters"), ("messages", "tools[].input_schema"), ("ollama chat", "tools[].function.parameters")):
        heard.ask(api, place(api, field, {"type": "string"}), status=400)
        heard.ask(api, place(api, field, {"type": "object", "properties": {"a" * 65: {}}}), status=400)
    heard.ask("ollama chat", place("ollama chat", "messages[].tool_calls[].function.arguments", "no object"), status=400)


def wrong_doors(heard, server):
    """Host, origin, type, path, method, names; each under a path of each dialect."""
    paths = {"openai": ("/v1/chat/completions", "/v1/nothing", {}), "anthropic": ("/v1/messages", "/v1/nothing", {"anthropic-version": "2023-06-01"}),
             "ollama": ("/api/chat", "/api/nothing", {})}
    for dialect, (path, nowhere, more) in paths.items():
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            heard.reply(http(server.tcp, "POST", path, {}, headers | more), dialect)
        with socket.create_connection(server.tcp) as raw:
            raw.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            heard.raw(raw, dialect)
        heard.reply(http(server.tcp, "POST", nowhere, {}, more), dialect)
        heard.reply(http(server.tcp, "GET", path, headers=more), dialect)
    heard.reply(http(server.tcp, "GET", "/v1/models/nobody"), "openai")
    heard.reply(http(server.tcp, "GET", "/v1/models/nobody", headers={"anthropic-version": "2023-06-01"}), "anthropic")
    heard.reply(http(server.tcp, "POST", "/api/show", {"model": "nobody"}), "ollama")
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for request in (b"GET / HTTP/3.0\r\n\r\n", b"GET http://x/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                    head + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", head + b"Transfer-Encoding: gzip\r\n\r\n",
                    head + b"X: a\r\n b\r\n\r\n", head + b"Content-Length: 2, 2\r\n\r\n{}",
                    head + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", head + b"Expect: tea\r\nContent-Length: 2\r\n\r\n{}",
                    head + b"Content-Length: 999999999\r\n\r\n", b"GET\x01 / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection(server.tcp) as raw:
            raw.sendall(request)
            heard.raw(raw, "openai")


def strangers(heard, server):
    good, short = server.json("key", "create", "alice"), server.json("key", "create", "bob", "--expires", "2s")
    server.run("key", "revoke", "alice", "--reason", "left")
    narrow = server.json("key", "create", "narrow", "--models", "other")["key"]
    wait_until(lambda: server.http("GET", "/v1/models", {"Authorization": f"Bearer {short['key']}"}).status == 401, "the key expires")
    for api in GENERATING:
        for key in (good["key"], short["key"], "cnd_" + "0" * 43, "eyJhbGciOiJub25lIn0.e30.x", narrow):
            heard.ask(api, APIS[api][2][0], {"Authorization": f"Bearer {key}"})
        heard.ask(api, APIS[api][2][0], {"Authorization": "Bearer a", "x-api-key": "b"}, status=400)
        heard.ask(api, APIS[api][2][0], {"Idempotency-Key": "x"}, status=400)
        heard.ask(api, APIS[api][2][0], {"Candor-Nonce": "a b"}, status=400)
        heard.ask(api, APIS[api][2][0] | {"model": "nobody"}, status=404)


def other_configurations(heard, made):
    upstream = Upstream(words=["a"])
    for toml, status in (("[identity]\nrequire_key = true\n", 401), ("[identity]\nos_users = [\"54321\"]\n", 401),
                         ("[identity]\nforwarder_uids = [0]\n", 401), ("[limits]\nstrict_fields = true\n", 400),
                         ("[limits]\nmax_body_bytes = \"64KiB\"\n", 400), ("[quota]\nexchanges_per_minute = 1\n", 429),
                         ("[[budget]]\nsubject = \"user:*\"\nrequests = 1\n", 429)):
        with made().configure(toml + upstream.toml()) as server:
            if status == 429:
                server.complete(model="canned")
            for api in GENERATING:
                body = copy.deepcopy(APIS[api][2][1])
                text = json.dumps(body | {"unheard_of": 1})
                if "max_body" in toml:  # numbers that are longer as they are recorded than as they were sent
                    text = text.replace("{}", '{"a": [' + ",".join(["1e20"] * 9000) + "]}").replace('"{"a": ', '{"a": ').replace(']}"', "]}")
                heard.ask(api, text.encode(), server=server, status=status)
    upstream.close()


def registered(heard, made):
    """Somebody who asks for more of what is registered than an hour may hold."""
    upstream = Upstream(words=["a"])
    server = made()
    (server.folder / "customers.csv").write_text("name\nErika Mustermann\n")
    run([BIN / "candor", "detector", "values", "--id", "customers", "--column", "name", "customers.csv"], cwd=server.folder, check=True)
    (server.folder / "house.toml").write_text('format = 1\npolicy = "house"\n[[rule]]\nid = "house.a"\neffect = "redact"\n'
                                              'select = \'finding.class == "registered.data"\'\nmessage = "Customers stay here."\n')
    with server.configure(f'[policy]\npacks = []\nfiles = ["house.toml"]\ndetectors = ["{server.folder / "customers.toml"}"]\nregistered_hits = 1\n' + upstream.toml()):
        server.chat("Erika Mustermann and again Erika Mustermann", model="canned")
        for api in GENERATING:
            heard.ask(api, APIS[api][2][0], server=server, status=429)
    upstream.close()


def busy(heard, made):
    """A model whose only slot is taken; a server that ends while it answers; an operator who stops it."""
    slow = Upstream(gate=True, words=["word "] * 50)
    with made().configure("[limits]\nmax_waiting = 0\n" + slow.toml() + "upstream_slots = 1\n") as server:
        held = server.stream("/v1/completions", {"model": "canned", "prompt": "a"})
        held.event()
        for api in GENERATING:
            heard.ask(api, APIS[api][2][0], server=server, status=429)
        server.configure("[limits]\nrequest_timeout = \"1s\"\n" + slow.toml() + "upstream_slots = 1\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: any("configuration.reloaded" in line for line in server.log), "the reload")
        for api in GENERATING:
            heard.ask(api, APIS[api][2][0], server=server, status=504)
        held.close()
    with made().configure(slow.toml() + "[[budget]]\nsubject = \"model:canned\"\nstreams = 1\n") as server:
        held = server.stream("/v1/completions", {"model": "canned", "prompt": "a"})
        held.event()
        for api in GENERATING:
            heard.ask(api, APIS[api][2][0], server=server, status=429)
        held.close()
    for how in ("time", "stop", "end"):
        server = made().configure("[limits]\ndrain_timeout = \"0s\"\n" + ("request_timeout = \"2s\"\n" if how == "time" else "") + slow.toml())
        with server:
            streams = [(api, server.stream(APIS[api][0], APIS[api][2][0])) for api in GENERATING]
            if how == "end":
                wait_until(lambda: len([e for e in server.entries() if e["type"] == "intent"]) == 3, "they run")
                server.process.send_signal(signal.SIGTERM)
            elif how == "stop":
                wait_until(lambda: len([e for e in server.entries() if e["type"] == "intent"]) == 3, "they run")
                server.run("stop", "--all", "--reason", "a test")
            for api, stream in streams:
                heard.body(stream.response.read(), APIS[api][1])
    slow.close()


class Engine(Raw):
    """Says the same to each request."""

    def toml(self, more=""):
        return f'[engine]\nfirst_token_timeout = "1s"\nstall_timeout = "1s"\n[upstream]\nretries = 0\n[[model]]\nname = "canned"\n' \
               f'upstream = "tcp:127.0.0.1:{self.port}"\nupstream_kind = "llama.cpp"\n'


def answered(status, body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


def chunk(text, finish=None):
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def engine_errors(heard, made):
    full = {"error": {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 2048}}
    call = {"id": "c", "type": "function", "function": {"name": "unheard_of", "arguments": "{}"}}
    whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}], "usage": {}}
    long = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\ndata: " + json.dumps(chunk("a")).encode() + b"\n\n"
    for answer, wait, stream in ((answered(400, {"error": {}}), False, False), (answered(400, full), False, False),
                                 (answered(400, {"error": {"type": "exceed_context_size_error"}}), False, False),
                                 (answered(429, {}), False, False), (answered(500, {}), False, False), (answered(501, {}), False, False),
                                 (answered(200, b"{{{"), False, False), (answered(200, whole), False, False),
                                 (b"", True, True), (b"", False, True), (sse(chunk("a")), True, True), (sse(chunk("a")), False, True), (long, False, True),
                                 (sse(b"{{{"), False, True), (sse({"error": {"code": 500}}), False, True)):
        engine = Engine(answer, wait)
        with made().configure(engine.toml()) as server:
            for api in GENERATING:
                body = APIS[api][2][0] | {"stream": stream}
                if answer == answered(200, whole):  # calls a tool that the request does not define
                    body = with_tools(api)
                heard.ask(api, body, server=server)
        engine.close()
    with made().configure(engine.toml()) as server:  # it has gone
        for api in GENERATING:
            heard.ask(api, APIS[api][2][0], server=server, status=503)


def local_models(heard, made):
    need(TINY, "the tiny model")
    need(GEMMA, "a model without a template (tools/gemma.sh .cache/models)")
    model = f'[[model]]\nname = "canned"\npath = "{TINY}"\n'
    for toml, status in ((f'[[model]]\nname = "canned"\npath = "{GEMMA}"\n', 400), ('[engine]\nmemory_budget = "1MiB"\n' + model + 'memory = "2MiB"\n', 503),
                         (model + f'sha256 = "{"0" * 64}"\n', 503)):
        with made().configure(toml) as server:
            for api in GENERATING:
                heard.ask(api, APIS[api][2][0], server=server, status=status)
            if status == 400:
                heard.ask("completions", APIS["completions"][2][0] | {"n": 5}, server=server, status=400)
                for api in ("embeddings", "embed"):
                    heard.ask(api, APIS[api][2][0], server=server, status=400)
    with made().configure(model) as server:
        server.complete(model="canned")
        server.run("model", "revoke", "canned", "--reason", "a back door")
        for api in GENERATING:
            heard.ask(api, APIS[api][2][0], server=server, status=403)
    for engine, model_, status in (('template_timeout = "200ms"', model + 'chat_template = "{}"\n', 400), ('binary = "/bin/true"', model, 503)):
        server = made()
        template = server.folder / "loop.jinja"
        template.write_text(LOOP)
        with server.configure(f"[engine]\n{engine}\n" + model_.format(template)):
            for api in GENERATING:
                heard.ask(api, APIS[api][2][0], server=server, status=status)


def all_at_once(heard, server, stream=True):
    """A request of each dialect that runs, and a function that hears how they end."""
    before = len([e for e in server.entries() if e["type"] == "intent"])
    replies = {}

    def ask(api):
        body = APIS[api][2][0] | {"stream": stream}
        for field in ("max_tokens", "options"):
            if field in body:
                body[field] = {"num_predict": 4000} if field == "options" else 4000
        replies[api] = http(server.tcp, "POST", APIS[api][0], body)

    threads = [threading.Thread(target=ask, args=(api,)) for api in GENERATING]
    for thread in threads:
        thread.start()
    wait_until(lambda: len([e for e in server.entries() if e["type"] == "intent"]) == before + 3, "they run", 60)

    def hear():
        for thread in threads:
            thread.join(60)
        for api, reply in replies.items():
            assert heard.body(reply.body, APIS[api][1]), reply.body[-300:]

    return hear


def engines_that_end(heard, made):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    with made().configure(f'[[model]]\nname = "canned"\npath = "{SMOL}"\ncontext = 2048\n') as server:
        assert server.complete(model="canned").status == 200
        [pid] = server.engine_pids()
        os.kill(pid, signal.SIGSTOP)
        hear = all_at_once(heard, server, stream=False)
        os.kill(pid, signal.SIGKILL)
        hear()
        assert wait_until(lambda: server.complete(model="canned").status == 200, "the engine is up again", 60)
        streams = {api: server.stream(APIS[api][0], APIS[api][2][0] | ({"options": {"num_predict": 2000}} if api == "ollama chat" else {"max_tokens": 2000}))
                   for api in GENERATING}
        for stream in streams.values():
            stream.response.readline()
        os.kill(server.engine_pids()[0], signal.SIGKILL)
        for api, stream in streams.items():
            assert heard.body(stream.response.read(), APIS[api][1])
        # Killed again and again: it is given up.
        ended = threading.Event()

        def kill():
            while not ended.wait(0.1):
                for pid in server.engine_pids():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        for api in GENERATING:
            heard.ask(api, APIS[api][2][0], server=server, status=503)
        ended.set()
        killer.join()


def faults(heard, made, shim):
    slow = Upstream(gate=True)
    server = made().configure(SMALL + slow.toml())
    disk = FailingDisk(server, shim)
    with server:
        hear = all_at_once(heard, server)
        disk.fail(errno.EIO)
        slow.release()
        hear()
        for api in GENERATING:
            heard.ask(api, APIS[api][2][0], server=server, status=503)
    server = made().configure(SMALL + slow.toml())
    disk = FailingDisk(server, shim, below="data/state")
    with server:
        disk.fail(errno.EIO)
        for api in GENERATING:  # nobody has a pseudonym yet, and none can be stored
            heard.ask(api, APIS[api][2][0], server=server, status=503)
    slow.close()


def connections(heard, made, authority):
    certificate, key = authority.issue("localhost")
    upstream = Upstream(words=["a"])
    server = made().configure(f'[listen]\ntls_address = "127.0.0.1:0"\ntls_certificate = "{certificate}"\ntls_key = "{key}"\n[limits]\n'
                              'header_timeout = "200ms"\nmax_connections = 2\n' + upstream.toml())
    with server:
        port = wait_until(lambda: [int(m[1]) for line in server.log if (m := re.search(r"listening on https://[^ ]+:(\d+)", line))], "its port")[0]
        context = ssl.create_default_context(cafile=authority.certificate)
        for api in GENERATING:
            path, dialect, [body, *_] = APIS[api]
            talk = client.HTTPSConnection("localhost", port, context=context, timeout=20)
            talk.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            reply = talk.getresponse()
            assert reply.status == 401 and heard.body(reply.read(), dialect)
            talk.close()
        with socket.create_connection(server.tcp) as raw:
            raw.sendall(b"GET /v1/mod")
            heard.raw(raw, "openai")
    server = made().configure("[limits]\nmax_connections = 2\n" + upstream.toml())
    with server, contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(server.tcp)).sendall(b"GET ")
        time.sleep(0.2)
        with socket.create_connection(server.tcp) as raw:
            raw.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            heard.raw(raw, "openai")
    upstream.close()


@pytest.fixture(scope="module")
def heard(tmp_path_factory, shim):
    servers, upstream = [], Upstream(words=["a"])

    def made():
        servers.append(Candor(tmp_path_factory.mktemp("refusals"), {}))
        return servers[-1]

    with made().configure(upstream.toml() + upstream.toml("other")) as server:
        all_heard = Heard(server)
        bad_conversations(all_heard)
        bad_combinations(all_heard)
        wrong_values(all_heard)
        wrong_doors(all_heard, server)
        strangers(all_heard, server)
        assert server.verify_log()[0] == 0
    other_configurations(all_heard, made)
    registered(all_heard, made)
    busy(all_heard, made)
    engine_errors(all_heard, made)
    local_models(all_heard, made)
    engines_that_end(all_heard, made)
    faults(all_heard, made, shim)
    connections(all_heard, made, Authority(tmp_path_factory.mktemp("authority")))
    upstream.close()
    return all_heard


def test_B2_every_sentence_is_heard_in_every_dialect_that_can_say_it(heard):
    assert len(heard.known) > 200
    assert not heard.missing(), "\n".join(map(str, heard.missing()))


def test_B2_nothing_is_said_that_is_not_written(heard):
    assert not heard.strange, "\n".join(map(str, heard.strange))


def test_B2_no_exception_is_made_for_what_is_not_there():
    texts = {one.text for one in sentences()}
    assert set(UNHEARD) <= texts and set(UNSPEAKABLE) <= texts
