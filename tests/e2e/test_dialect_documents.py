"""docs/dialects held against a running server (B3): every number in the tables and the prose is a bound that is kept, what they call refused is
refused with their words, what they call dropped is dropped and named."""
import copy
import json
import re

import pytest

from dialect_tables import APIS, SCHEMA, place, rows
from server import ROOT, Candor
from upstream import Upstream

ROWS = rows()
KIB = 1024


@pytest.fixture(scope="module")
def engine():
    made = Upstream(words=["a"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory, engine):
    """The documents' bounds, which the default number of messages would hide."""
    server = Candor(tmp_path_factory.mktemp("documents"), {})
    with server.configure("[limits]\nmax_messages = 4096\n" + engine.toml()):
        yield server


def ask(server, api, body):
    return server.post(APIS[api][0], body)


def words_of(reply):
    error = reply.json()["error"]
    return error if isinstance(error, str) else error["message"]


def check(server, api, body, fits, what):
    reply = ask(server, api, body)
    if fits:
        assert reply.status == (404 if fits == "another model" else 200), (what, reply.body[:300])
    else:
        assert reply.status == 400 and words_of(reply), (what, reply.status, reply.body[:300])


# --- numbers in the tables: a pattern, and what it makes of a row: requests, and whether they are within the bound


def of_number(row, low, high):
    low, high = int(low), int(high)
    step = 1 if high > 2 or row.field == "n" else 0.01
    whole = row.field.split(".")[-1] in ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict", "top_k", "seed", "n",
                                         "top_logprobs", "logprobs")
    step = 1 if whole else 0.01
    below = re.search("less than|negative", row.note) is not None  # stands for "not given" there
    for value, fits in ((low, True), (high, True), (high + step, False), (low - step, below)):
        body = place(row.api, row.field, value)
        if "needs logprobs" in row.note:
            body["logprobs"] = True
        yield body, fits


def of_model_name(row, low, high):
    assert (low, high) == ("1", "256")
    for size, fits in ((0, False), (256, "another model"), (257, False)):
        yield place(row.api, row.field, "m" * size), fits


def of_messages(row, *bounds):
    low, high = ["1", *bounds][-2:]
    for count in (0, int(low), int(high), int(high) + 1):
        yield place(row.api, row.field, [{"role": "user", "content": "a"}] * count), int(low) <= count <= int(high)


def of_stops(row, count, low, high):
    for value in (["s"] * int(count), ["s" * int(high)]):
        yield place(row.api, row.field, value), True
    for value in (["s"] * (int(count) + 1), ["s" * (int(high) + 1)], ["s" * (int(low) - 1)]):
        yield place(row.api, row.field, value), False


def of_texts(row, count):
    for value, fits in ((["a"] * int(count), True), (["a"] * (int(count) + 1), False), ([], False), (["a", ""], False)):
        yield place(row.api, row.field, value), fits


def of_name(row, low, high):
    tool = next(body for body in map(copy.deepcopy, APIS[row.api][2]) if "tools" in body)
    for name in ("f" * int(high), "azAZ09_-."):
        text = json.dumps(tool)
        yield json.loads(text.replace('"name": "f"', f'"name": "{name}"').replace('"tool_name": "f"', f'"tool_name": "{name}"')), True
    for name in ("f" * (int(high) + 1), "f" * (int(low) - 1), "a b", "é"):
        yield place(row.api, row.field, name), False


def of_tools(row, count, kib):
    sample = next(body for body in APIS[row.api][2] if "tools" in body)
    [tool] = sample["tools"]

    def named(number, **more):
        made = copy.deepcopy(tool)
        (made.get("function") or made).update({"name": f"f{number}"} | more)
        return made

    base = next(body for body in APIS[row.api][2] if "tools" not in body)
    yield base | {"tools": [named(n) for n in range(int(count))]}, True
    yield base | {"tools": [named(n) for n in range(int(count) + 1)]}, False
    room = int(kib) * KIB - len(json.dumps(SCHEMA, separators=(",", ":")))
    yield base | {"tools": [named(1, description="d" * room)]}, True
    yield base | {"tools": [named(1, description="d" * (room + 1))]}, False


def of_calls(row, count):
    body = next(body for body in map(copy.deepcopy, APIS[row.api][2]) if "tools" in body)
    [calling] = [message for message in body["messages"] if message.get("tool_calls")]
    [call] = calling["tool_calls"]
    calling["tool_calls"] = [call] * int(count)
    yield copy.deepcopy(body), True
    calling["tool_calls"].append(call)
    yield body, False


def of_parallel_calls(row, many):
    """Held by the grammar that the engine is asked for; see the test of the prose."""
    assert many == "8"
    return ()


def of_one(row):
    yield place(row.api, row.field, 1), True
    yield place(row.api, row.field, 2), False


def of_encoding(row):
    for value, fits in (("float", True), ("base64", True), ("base32", False)):
        yield place(row.api, row.field, value), fits


NUMBERS = [(r"^(\d+) to (\d+) bytes; required$", of_model_name), (r"^(\d+) to (\d+); required$", of_messages),
           (r"^a string, or up to (\d+) items; required$", of_messages), (r"^(-?\d+) to (\d+)(?=$|[;,])", of_number),
           (r"up to (\d+)(?: texts)?, each (\d+) to (\d+) bytes", of_stops), (r"^a string or up to (\d+), none empty", of_texts),
           (r"(\d+) to (\d+) letters, digits, _ - \.", of_name), (r"^up to (\d+) (?:functions|of the caller's own), (\d+) KiB", of_tools),
           (r"^of an assistant message, up to (\d+)$", of_calls), (r"then up to (\d+)$", of_parallel_calls), (r"^1 only$", of_one),
           (r"^float or base64$", of_encoding), (r"which it is when less than \d+", lambda row: ())]


def bodies(row):
    """Requests at and beyond each bound that the row names, whether each fits, and the numbers that nothing has read."""
    found, left = [], row.note
    for pattern, maker in NUMBERS:
        if (match := re.search(pattern, left)) and not (maker is of_number and "letters" in row.note):
            found += maker(row, *match.groups())
            left = left.replace(match[0], "", 1)
    return found, re.findall(r"\d+", left.replace("base64", ""))


@pytest.mark.parametrize("api", APIS)
def test_B3_each_number_in_the_tables_is_a_bound_that_is_kept(served, api):
    mine = [row for row in ROWS if row.api == api]
    assert len(mine) > 3
    for row in mine:
        found, unread = bodies(row)
        assert not unread, f"nothing checks this number: {row}"
        for body, fits in found:
            check(served, api, body, fits, (row, str(body)[:300]))


@pytest.mark.parametrize("api", APIS)
def test_B3_what_is_refused_is_refused_in_the_documents_words_and_what_is_dropped_is_named(served, api):
    for row in (row for row in ROWS if row.api == api):
        if row.action == "refused":
            reply = ask(served, api, place(api, row.field, ["x"]))
            assert reply.status == 400 and words_of(reply) == f"'{row.field}': {row.note}.", (row, reply.body)
        elif row.action == "dropped":
            reply = ask(served, api, place(api, row.field, "x" if row.field != "input[].content[].annotations" else ["x"]))
            assert reply.status == 200 and row.field in reply.headers["candor-dropped-fields"].split(", "), (row, reply.headers, reply.body[:300])


# of a field that is accepted in one form: that form, and another
FORMS = {"function only": ("function", "x"), "custom only": ("custom", "x"), '["text"] only': (["text"], ["audio"]), "false only": (False, True),
         "1 only": (1, 2), "disabled only": ("disabled", "auto"), "empty only": ("", "x"), "without effect": ("x", None),
         "true or false; a text beyond the context is refused, never cut": (True, "x")}


@pytest.mark.parametrize("api", APIS)
def test_B3_what_is_accepted_in_one_form_is_taken_in_that_form_alone(served, api):
    for row in (row for row in ROWS if row.api == api and row.action == "accepted in one form"):
        lawful, other = FORMS[row.note]
        reply = ask(served, api, place(api, row.field, lawful))
        assert reply.status == 200 and row.field not in reply.headers.get("candor-dropped-fields", ""), (row, reply.body)
        if other is not None:
            assert ask(served, api, place(api, row.field, other)).status == 400, row


@pytest.mark.parametrize("api", APIS)
def test_B3_each_row_is_honoured_refused_dropped_or_accepted(served, api):
    assert {row.action for row in ROWS if row.api == api} <= {"honoured", "refused", "dropped", "accepted in one form"}
    for row in (row for row in ROWS if row.api == api and row.action == "honoured" and row.note.startswith("true or false")):
        for value, status in ((True, 200), (False, 200), ("x", 400)):
            body = place(api, row.field, value)
            if row.field == "logprobs" and "tools" in body:
                del body["tools"]
            if row.field != "stream":
                assert ask(served, api, body).status == status, (row, value)


# --- numbers in the prose: each is in one of these, whose check follows

HERE = "tests/e2e/test_dialect_documents.py"
PROSE = {  # the sentence: the file that checks it, and words of that check
    "Duplicate keys, invalid UTF-8 and more than 32 levels are refused.": (HERE, "((32, 200), (33, 400))"),
    "`limits.max_messages` (2,048 unless set otherwise)": (HERE, "((2048, 200), (2049, 400))"),
    "then a list of up to 8.": (HERE, '["maxItems"] == 8'),
    "values below -9999 are shown as -9999": ("src/dialect/engine_codec_test.cc", "logprobs[0].logprob, -9999.0F"),
    "With `n` above 1 an exchange takes as many of the model's slots at once": ("tests/e2e/test_tools.py", "at most 4 with this model"),
    "otherwise it answers 400 `no_chat_template`": ("tests/e2e/test_provenance.py", 'chat.status == 400 and chat.json()["error"]["code"] == "no_chat_template"'),
    "such a request is answered with 400 `chat_template_failed`": ("tests/e2e/test_hostile_models.py", 'reply.status == 400 and error["code"] == "chat_template_failed"'),
    "Another model answers 400 `model_not_capable`.": ("tests/e2e/test_embeddings.py", 'refused.value.code == "model_not_capable"'),
    "*Refused*: 400 with this reason.": (HERE, "assert reply.status == 400 and words_of(reply) == f"),
    "the Python client's types (0.6.3) drop fields": ("tests/e2e/setup.sh", "ollama==0.6.3"),
    "more than 12 levels, 512 schemas, 64 properties of an object, 64 bytes of a name, 256 values of an `enum`, 1024 bytes of a value, 32 alternatives, "
    "2048 repetitions in all, or 64 KiB as\nwritten": (HERE, "BEYOND_ALL = {"),
    "All tools of a request together have at most 512 KiB.": (HERE, "def of_tools"),
}


def test_B3_no_number_in_the_prose_is_without_a_check():
    for file in [ROOT / "docs" / "dialects.md", *sorted((ROOT / "docs" / "dialects").glob("*.md"))]:
        text = re.sub(r"```.*?```", "", file.read_text(), flags=re.S)
        text = "\n".join(line for line in text.splitlines() if not line.startswith(("| ", "#")))
        for fragment in PROSE:
            text = text.replace(fragment, "")
        left = [line for line in re.sub(r"`[^`\n]*`", "", text).replace("S8", "").splitlines() if re.search(r"\d", line)]
        assert not left, (file.name, left)
    everything = (ROOT / "docs" / "dialects.md").read_text() + "".join(p.read_text() for p in (ROOT / "docs" / "dialects").glob("*.md"))
    for fragment, (file, check) in PROSE.items():
        assert fragment in everything and check in (ROOT / file).read_text(), fragment


def test_B3_levels_messages_calls_and_least_probabilities_are_as_the_prose_says(own, engine, served):
    for depth, status in ((32, 200), (33, 400)):
        inner = "1"
        for _ in range(depth - 1):
            inner = f"[{inner}]"
        body = b'{"model":"canned","messages":[{"role":"user","content":"a"}],"metadata":' + inner.encode() + b"}"
        assert served.post("/v1/chat/completions", body).status == status, depth
    with own.configure(engine.toml()) as server:  # the default bound
        for count, status in ((2048, 200), (2049, 400)):
            for api, field in (("chat", "messages"), ("messages", "messages"), ("ollama chat", "messages"), ("responses", "input")):
                assert ask(server, api, place(api, field, [{"role": "user", "content": "a"}] * count)).status == status, (api, count)
    forced = {"chat": {"tool_choice": "required", "parallel_tool_calls": True},
              "messages": {"tool_choice": {"type": "any", "disable_parallel_tool_use": False}},
              "responses": {"tool_choice": "required", "parallel_tool_calls": True}}
    for api, more in forced.items():
        ask(served, api, next(body for body in APIS[api][2] if "tools" in body) | more)
        assert engine.requests[-1]["response_format"]["json_schema"]["schema"]["maxItems"] == 8


# --- schemas.md: a keyword's number, and a schema that has as many

ARRAY = {"type": "array"}
OBJECT = {"type": "object", "additionalProperties": False}


def deep(levels):
    made = {"type": "string"}
    for _ in range(levels - 1):
        made = {"type": "array", "items": made}
    return made


def many(schemas):  # of small objects of one field each, below the root
    return OBJECT | {"properties": {f"p{n}": OBJECT | {"properties": {f"q{m}": {"type": "string"} for m in range(min(63, schemas - 1 - n * 64 - 1))}}
                                    for n in range((schemas - 1 + 63) // 64)}}


def count_of(schema):
    return 1 + sum(map(count_of, schema.get("properties", {}).values()))


KEYWORDS = {
    "anyOf": (32, lambda n: {"anyOf": [{"type": "string"}] * n}), "prefixItems": (32, lambda n: ARRAY | {"prefixItems": [{"type": "string"}] * n}),
    "enum": (256, lambda n: {"enum": [f"v{i}" for i in range(n)]}), "properties": (64, lambda n: OBJECT | {"properties": {f"p{i}": {"type": "string"} for i in range(n)}}),
    "const": (1024, lambda n: {"const": "c" * (n - 2)}), "default": (1024, lambda n: {"type": "string", "default": "c" * (n - 2)}),
    "minItems": (512, lambda n: ARRAY | {"items": {"type": "string"}, "minItems": n}), "maxItems": (512, lambda n: ARRAY | {"items": {"type": "string"}, "maxItems": n}),
    "minLength": (512, lambda n: {"type": "string", "minLength": n}), "maxLength": (512, lambda n: {"type": "string", "maxLength": n}),
    "title": (8192, lambda n: {"type": "string", "title": "t" * n}), "description": (8192, lambda n: {"type": "string", "description": "t" * n}),
} | {name: (2**53, lambda n, name=name: {"type": "integer", name: n}) for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")}
BEYOND_ALL = {  # the paragraph under the table: refused whatever is marked
    "12 levels": (12, deep), "512 schemas": (512, many),
    "64 bytes of a name": (64, lambda n: OBJECT | {"properties": {"p" * n: {"type": "string"}}}),
    "1024 bytes of a value": (1024, lambda n: {"enum": ["c" * (n - 2)]}),
    "2048 repetitions in all": (2048, lambda n: OBJECT | {"properties": {f"p{i}": {"type": "string", "maxLength": min(512, n - 512 * i)}
                                                                         for i in range((n + 511) // 512)}}),
    "64 properties of an object": KEYWORDS["properties"], "256 values of an `enum`": KEYWORDS["enum"], "32 alternatives": KEYWORDS["anyOf"],
}


def formed(served, schema, strict):
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": strict, "schema": schema}}
    return served.post("/v1/chat/completions", APIS["chat"][2][0] | {"response_format": form})


def test_B3_each_number_of_the_table_of_schemas_is_a_bound_that_is_kept(served):
    table = re.findall(r"^\| `([^`]+)` \| [^|]+ \| ?(.*?) ?\|$", (ROOT / "docs/dialects/schemas.md").read_text(), re.M)
    numbered = {name: [int(n) for n in re.findall(r"(?<![\^\d])\d+", note.replace("2^53", str(2**53)))] for name, note in table}
    assert {name for name, numbers in numbered.items() if numbers} == set(KEYWORDS)
    for name, (bound, schema) in KEYWORDS.items():
        assert bound in numbered[name], (name, numbered[name])
        assert formed(served, schema(bound), True).status == 200, name
        reply = formed(served, schema(bound + 1), True)
        assert reply.status == 400 and reply.json()["error"]["code"] == "unsupported_schema", (name, reply.body)
    assert numbered["enum"] == [1, 256, 1024] and formed(served, {"enum": []}, True).status == 400
    assert formed(served, {"enum": ["c" * 1022]}, True).status == 200 and formed(served, {"enum": ["c" * 1023]}, True).status == 400


def test_B3_what_makes_a_grammar_explode_is_refused_as_the_prose_says(served):
    paragraph = next(line for line in (ROOT / "docs/dialects/schemas.md").read_text().split("\n\n") if line.startswith("Refused whatever"))
    for words, (bound, schema) in BEYOND_ALL.items():
        assert words in paragraph
        assert formed(served, schema(bound), False).status == 200, words
        reply = formed(served, schema(bound + 1), False)
        assert reply.status == 400 and reply.json()["error"]["code"] == "unsupported_schema", (words, reply.body)
    long = OBJECT | {"properties": {f"p{n}": {"type": "string", "description": "d" * 8000} for n in range(8)}}
    assert "64 KiB" in paragraph and formed(served, long, False).status == 200
    long["properties"]["p8"] = long["properties"]["p7"]
    assert formed(served, long, False).status == 400


def test_B3_what_cannot_be_enforced_is_refused_when_strict_and_named_when_not(served):
    table = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", (ROOT / "docs/dialects/schemas.md").read_text(), re.M)
    sample = {"pattern": "a", "multipleOf": 2, "uniqueItems": True, "not": {}, "if": {}, "then": {}, "else": {}}
    for name in (name for name, action in table if action == "cannot be enforced"):
        schema = {"type": "object", "properties": {}, name: sample.get(name, 1 if "Properties" in name or "Contains" in name else {"a": {}})}
        assert formed(served, schema, True).status == 400, name
        reply = formed(served, schema, False)
        assert reply.status == 200 and name in reply.headers["candor-dropped-fields"], (name, reply.headers)
    for name in (name for name, action in table if action == "no constraint, not passed on"):
        assert "candor-dropped-fields" not in formed(served, {"type": "string", name: "x"}, True).headers, name
