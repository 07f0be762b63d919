"""The tables of docs/dialects as data, and requests in which each of their fields has a place."""
import copy
import dataclasses
import re

from server import ROOT

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
FUNCTION = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
TOOLS = [{"type": "function", "function": FUNCTION}]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
ASK = {"model": "canned", "messages": [{"role": "user", "content": "a"}]}
R_ASK = {"model": "canned", "input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]}
A_TOOL = {"type": "custom", "name": "f", "description": "d", "input_schema": SCHEMA, "strict": True}
O_CALL = {"id": "c", "function": {"name": "f", "arguments": {}}}
OPTIONS = {"num_predict": 4}
CHAT = [ASK | {"max_tokens": 4},
        ASK | {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                            {"role": "tool", "tool_call_id": "c", "content": "b"}], "tools": TOOLS},
        ASK | {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}}]
RESPONSES = [R_ASK | {"max_output_tokens": 4},
             R_ASK | {"input": R_ASK["input"] + [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                                                 {"type": "function_call_output", "call_id": "c", "output": "b"}],
                      "tools": [{"type": "function"} | FUNCTION]},
             R_ASK | {"text": {"format": {"type": "json_schema", "name": "n", "strict": True, "schema": SCHEMA}}, "reasoning": {"effort": "low"}}]
MESSAGES = [ASK | {"max_tokens": 4},
            ASK | {"max_tokens": 4, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]},
                                                 {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
                                                 {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "b"}]}],
                   "tools": [A_TOOL], "tool_choice": {"type": "auto"}},
            ASK | {"max_tokens": 4, "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}]
O_CHAT = [ASK | {"stream": False, "options": OPTIONS},
          ASK | {"stream": False, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [O_CALL]},
                                               {"role": "tool", "tool_name": "f", "content": "b"}], "tools": TOOLS}]

# API -> its path, its dialect, and requests that are answered
APIS = {
    "chat": ("/v1/chat/completions", "openai", CHAT),
    "completions": ("/v1/completions", "openai", [{"model": "canned", "prompt": "a", "max_tokens": 4}]),
    "responses": ("/v1/responses", "openai", RESPONSES),
    "embeddings": ("/v1/embeddings", "openai", [{"model": "canned", "input": "a"}]),
    "messages": ("/v1/messages", "anthropic", MESSAGES),
    "count": ("/v1/messages/count_tokens", "anthropic", MESSAGES),
    "ollama chat": ("/api/chat", "ollama", O_CHAT),
    "generate": ("/api/generate", "ollama", [{"model": "canned", "prompt": "a", "stream": False, "options": OPTIONS}]),
    "embed": ("/api/embed", "ollama", [{"model": "canned", "input": "a"}]),
}
# One of each kind, and some that are wrong in their number only.
VALUES = [True, -3, 0.5, 10**10, "", "x", "x y" * 100, [], ["x"], [1], {}, {"type": "x"}, [{"type": "x"}], [[]], None]


@dataclasses.dataclass(frozen=True)
class Row:
    api: str
    field: str
    action: str
    note: str


def rows():
    """Each row of the tables of request fields, for each API that it stands under."""
    found = []
    paths = {path: api for api, (path, _, _) in APIS.items()}
    for file in sorted((ROOT / "docs" / "dialects").glob("*.md")):
        api, asked = None, False
        for line in file.read_text().splitlines():
            if heading := re.match(r"## `POST (\S+)`", line):
                api = paths[heading[1]]
            elif line.startswith("| field |"):
                asked = True
            elif line.startswith("| field of the answer"):
                asked = False
            elif api and asked and (row := re.match(r"\| `([^`]+)` \| ([^|]+) \| ?(.*?) ?\|$", line)):
                found.append(Row(api, row[1], row[2].strip(), row[3].replace("\\|", "|")))
            if line.startswith("| field of the answer"):
                asked = False
    return found


def parents(value, keys):
    """Where the last key belongs: the objects that the keys before it lead to."""
    if not keys:
        return [value] if isinstance(value, dict) else []
    key, is_list = keys[0].removesuffix("[]"), keys[0].endswith("[]")
    if not isinstance(value, dict) or key not in value:
        return []
    inner = value[key]
    if is_list:
        return [found for item in inner for found in parents(item, keys[1:])] if isinstance(inner, list) else []
    return parents(inner, keys[1:])


def place(api, field, value):
    """A request of the API that is answered but for this field, which has this value."""
    keys = field.split(".")
    last, best = keys[-1].removesuffix("[]"), None
    for sample in APIS[api][2]:
        body = copy.deepcopy(sample)
        for parent in parents(body, keys[:-1]):
            if last in parent:
                parent[last] = value
                return body
            best = best or (body, parent)
    if best is None:  # what leads to it is absent in all: make it
        body = best_parent = copy.deepcopy(APIS[api][2][0])
        for key in keys[:-1]:
            best_parent = best_parent.setdefault(key.removesuffix("[]"), {})
        best = (body, best_parent)
    best[1][last] = value
    return best[0]
