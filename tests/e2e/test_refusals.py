"""Every sentence in which a request is refused, in every dialect that can say it (B2). The sentences are read from the code (sentences.py): one
that is never heard here fails, unless another test is named that hears it."""
import ast
import itertools
import json
import pathlib
import socket
import time

import pytest

from dialect_tables import APIS, VALUES, place, rows
from sentences import sentences
from server import http
from test_upstreams import Raw, sse
from upstream import Upstream

HERE = pathlib.Path(__file__).parent
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
HTTP = {s.text for s in sentences() if s.file == "request_reader.cc" and s.text.startswith(("Only HTTP", "The request ", "Exactly one", "The body's length",
                                                                                            "The only ", "Compressed"))
        and "holds more text" not in s.text}
UNSPEAKABLE |= {text: {"anthropic", "ollama"} for text in HTTP}

# Sentences that need a fault of the machine, of the engine or of an operator: the test that hears them.
ELSEWHERE = {
    "The API key could not be checked now.": "",
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
        text = reply.body.decode()
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")] if "event-stream" in reply.headers.get(
            "content-type", "") else [json.loads(line) for line in text.splitlines() if line]
        for event in events[-1:]:
            error = event.get("error")
            if error is not None:
                self.said(error if isinstance(error, str) else error["message"], dialect)
        assert reply.status < 400 or events[-1].get("error"), reply.body
        # of a request: never a failure of the server
        assert reply.status < 600

    def missing(self):
        found = []
        for one in self.known:
            if one.text in ELSEWHERE:
                continue
            must = OWN.get(one.file, DIALECTS) - UNSPEAKABLE.get(one.text, set())
            if not must <= self.by.get(one.text, set()):
                found.append((one.file, one.text, sorted(must - self.by.get(one.text, set()))))
        return found
