"""The routes that answer, in one table: what a test needs to treat them alike. A new route is one more line."""
import dataclasses
from typing import Callable

from server import Reply, sse_events


def chat_text(body):
    return body["choices"][0]["message"]["content"]


def chat_piece(event):
    return "".join(c["delta"].get("content") or "" for c in event.get("choices", ()))


def completion_piece(event):
    return "".join(c["text"] for c in event.get("choices", ()))


def message_piece(event):
    return event["delta"].get("text", "") if event["type"] == "content_block_delta" else ""


def openai_usage(body):
    usage = body.get("usage")
    return usage and (usage["prompt_tokens"], usage["completion_tokens"])


def anthropic_usage(body):
    usage = body.get("usage")
    return usage and (usage["input_tokens"] + (usage.get("cache_read_input_tokens") or 0), usage["output_tokens"])


def openai_finish(body):
    return next((c["finish_reason"] for c in body.get("choices", ()) if c["finish_reason"]), None)


@dataclasses.dataclass(frozen=True)
class Route:
    path: str
    api: str  # as entries name it
    ask: Callable  # (text) -> the request's own fields
    text: Callable  # (whole body) -> what was said
    piece: Callable  # (event) -> its part of that
    usage: Callable  # (whole body or event) -> (prompt tokens, completion tokens), or nothing
    finish: Callable  # (whole body or event) -> the reason of the end, or None
    stop_field: str
    ended_by_stop: str
    stream_fields: dict = dataclasses.field(default_factory=dict)  # so that a stream says its usage

    def post(self, server, text, stream=False, headers=None, **fields):
        body = {"model": next(iter(server.models)), "max_tokens": 16, "temperature": 0} | self.ask(text)
        if stream:
            body |= {"stream": True} | self.stream_fields
        return Answer(self, server.post(self.path, body | fields, headers), stream)


class Answer:
    def __init__(self, route: Route, reply: Reply, stream: bool):
        self.reply, self.status, self.headers = reply, reply.status, reply.headers
        self.exchange = reply.headers.get("candor-exchange")
        self.parts = (sse_events(reply.body) if stream else [reply.json()]) if reply.status == 200 else []
        if self.parts:
            self.text = "".join(map(route.piece, self.parts)) if stream else route.text(self.parts[0])
            self.usage = [u for u in map(route.usage, self.parts) if u][-1:]
            self.finish = [f for f in map(route.finish, self.parts) if f]
            self.receipts = [p["candor"]["receipt"] for p in self.parts if p.get("candor")]


def message(text):
    return {"messages": [{"role": "user", "content": text}]}


CHAT = Route("/v1/chat/completions", "openai.chat", message, chat_text, chat_piece, openai_usage, openai_finish, "stop",
             "stop", {"stream_options": {"include_usage": True}})
COMPLETIONS = Route("/v1/completions", "openai.completions", lambda text: {"prompt": text}, lambda body: body["choices"][0]["text"],
                    completion_piece, openai_usage, openai_finish, "stop", "stop", {"stream_options": {"include_usage": True}})
MESSAGES = Route("/v1/messages", "anthropic.messages", message, lambda body: body["content"][0]["text"], message_piece,
                 anthropic_usage, lambda b: b.get("stop_reason") or b.get("delta", {}).get("stop_reason"), "stop_sequences",
                 "end_turn")
ROUTES = [CHAT, COMPLETIONS, MESSAGES]
