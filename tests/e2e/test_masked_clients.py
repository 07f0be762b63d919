"""What is found in an answer, through every client and every place of every dialect (C16): several choices, reasoning, calls and log
probabilities, streamed and whole; masked, parsed, and counted right."""
import json

import anthropic
import openai
import pytest

from conftest import need
from server import ROOT, Kept
from test_client_table import SCRIPTS
from test_governance import CARD, IBAN, MAIL, RULES, SECRET, STREAMS, Scripted, cuts, governed

CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "mail", "arguments": ""}}
PARAMETERS = {"type": "object", "properties": {"to": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "mail", "parameters": PARAMETERS}}
ASK = [{"role": "user", "content": "x"}]


class Both(Scripted):
    """Scripted, and the same whole where no stream is asked for."""

    def answer(self, asked, path=""):
        made = {}
        for delta, beside in self.deltas:
            index = beside.get("index", 0)
            choice = made.setdefault(index, {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": ""}})
            message = choice["message"]
            for name in ("content", "reasoning_content"):
                if name in delta:
                    message[name] = message.get(name, "") + delta[name]
            for call in delta.get("tool_calls", []):
                calls = message.setdefault("tool_calls", [])
                if "id" in call:
                    calls.append(json.loads(json.dumps(call)))
                else:
                    calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
            if "logprobs" in beside:
                choice.setdefault("logprobs", {"content": []})["content"] += beside["logprobs"]["content"]
        if "prompt" in asked:
            for choice in made.values():
                choice["text"] = choice.pop("message")["content"]
        return {"object": "chat.completion", "usage": self.usage(asked), "choices": [made[index] for index in sorted(made)]}

    def usage(self, asked):
        return {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}

    def stream(self, handler, asked):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for delta, beside in self.deltas:
            said = {"text": delta["content"]} if "prompt" in asked else {"delta": delta}
            handler.event(json.dumps({"choices": [{"index": 0, "finish_reason": None} | said | beside]}))
        for index in range(asked.get("n", 1)):
            handler.event(json.dumps({"choices": [{"index": index, "finish_reason": "stop"} | ({"text": ""} if "prompt" in asked else {"delta": {}})]}))
        handler.event(json.dumps({"choices": [], "usage": self.usage(asked)}))
        handler.event("[DONE]")
        handler.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def both():
    made = Both()
    yield made
    made.close()


def nothing_leaks(text):
    assert MAIL not in text and MAIL[:9] not in text and MAIL[-9:] not in text, text[:3000]
    said = "".join(part for part in text.split('"') if part not in ("", " "))
    assert MAIL[:9] not in said and MAIL[-9:] not in said and CARD[:9] not in said, said[:3000]


def test_C16_each_of_two_choices_is_masked_and_none_is_mixed_with_the_other(own, both):
    with governed(own, both) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
        for mail, card in zip(cuts(MAIL), cuts(CARD)):
            first, second = ["Ask ", *mail, " now."], ["Pay ", *card, " then."]
            both.deltas = []
            while first or second:  # in turn
                both.deltas += [({"content": first.pop(0)}, {"index": 0})] if first else []
                both.deltas += [({"content": second.pop(0)}, {"index": 1})] if second else []
            got = ["", ""]
            usage = None
            for chunk in client.chat.completions.create(model="canned", messages=ASK, n=2, stream=True, stream_options={"include_usage": True}):
                usage = chunk.usage or usage
                for choice in chunk.choices:
                    got[choice.index] += choice.delta.content or ""
            assert got == ["Ask [EMAIL] now.", "Pay [CARD] then."] and usage.completion_tokens == 7
            whole = client.chat.completions.create(model="canned", messages=ASK, n=2)
            assert [c.message.content for c in whole.choices] == got and whole.usage.completion_tokens == 7
        server.verify_log()


def with_calls():
    """The deltas of an answer that thinks, speaks and calls, each with the address, under every cut."""
    arguments = json.dumps({"to": MAIL})
    for said, called in zip(cuts(MAIL), cuts(arguments)):
        yield ([({"reasoning_content": p}, {}) for p in ["I think of ", *said, "."]] +
               [({"content": p}, {}) for p in ["Ask ", *said, " now."]] + [({"tool_calls": [CALL]}, {})] +
               [({"tool_calls": [{"index": 0, "function": {"arguments": p}}]}, {}) for p in called])


def test_C16_messages_mask_thinking_text_and_input_of_calls(own, both):
    tool = {"name": "mail", "input_schema": PARAMETERS}
    with governed(own, both) as server:
        client = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
        for both.deltas in with_calls():
            asked = {"model": "canned", "messages": ASK, "max_tokens": 200, "tools": [tool]}
            for thinking in ({}, {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}):
                with client.messages.stream(**asked | thinking) as stream:
                    said = stream.get_final_message()
                for message in (said, client.messages.create(**asked | thinking)):
                    nothing_leaks(message.to_json())
                    kinds = {block.type: block for block in message.content}
                    assert kinds["text"].text == "Ask [EMAIL] now." and kinds["tool_use"].input == {"to": "[EMAIL]"}
                    assert "thinking" not in kinds or kinds["thinking"].thinking == "I think of [EMAIL]."
                    assert message.usage.output_tokens == 7
            nothing_leaks(server.post("/v1/messages", asked | {"stream": True}).body.decode())


def test_C16_responses_mask_reasoning_text_and_arguments_of_calls(own, both):
    tool = {"type": "function", "name": "mail", "parameters": PARAMETERS, "strict": False}
    with governed(own, both) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
        for both.deltas in with_calls():
            with client.responses.stream(model="canned", input="x", tools=[tool]) as stream:
                events = list(stream)
                streamed = stream.get_final_response()
            nothing_leaks("".join(e.to_json() for e in events))
            for response in (streamed, client.responses.create(model="canned", input="x", tools=[tool])):
                nothing_leaks(response.to_json())
                kinds = {item.type: item for item in response.output}
                assert response.output_text == "Ask [EMAIL] now." and json.loads(kinds["function_call"].arguments) == {"to": "[EMAIL]"}
                assert response.usage.output_tokens == 7
                if "reasoning" in kinds:
                    assert "I think of [EMAIL]." in kinds["reasoning"].to_json()


def test_C16_ollamas_chat_masks_thinking_text_and_arguments_of_calls(own, both):
    with governed(own, both) as server:
        for both.deltas in with_calls():
            for stream in (True, False):
                reply = server.post("/api/chat", {"model": "canned", "messages": ASK, "tools": [TOOL], "stream": stream, "think": True})
                assert reply.status == 200, reply.body
                text = reply.body.decode()
                nothing_leaks(text)
                lines = [json.loads(line) for line in text.splitlines()]
                join = lambda name: "".join(line.get("message", {}).get(name) or "" for line in lines)
                assert join("content") == "Ask [EMAIL] now." and join("thinking") in ("", "I think of [EMAIL].")
                calls = [call for line in lines for call in line.get("message", {}).get("tool_calls") or []]
                assert len(calls) == 1, text
                [call] = calls
                assert call["function"]["arguments"] == {"to": "[EMAIL]"} and lines[-1]["eval_count"] == 7


LOGPROBS = {
    "chat": ("/v1/chat/completions", {"messages": ASK, "logprobs": True, "top_logprobs": 1}),
    "completions": ("/v1/completions", {"prompt": "x", "logprobs": 1}),
    "responses": ("/v1/responses", {"input": "x", "include": ["message.output_text.logprobs"], "top_logprobs": 1}),
    "ollama chat": ("/api/chat", {"messages": ASK, "logprobs": True, "top_logprobs": 1}),
    "ollama generate": ("/api/generate", {"prompt": "x", "logprobs": True, "top_logprobs": 1}),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", LOGPROBS)
def test_C16_log_probabilities_are_withheld_where_text_was_replaced(own, both, api, stream):
    def token(text):
        one = {"token": text, "bytes": list(text.encode()), "logprob": -0.5}
        return one | {"top_logprobs": [one]}
    path, body = LOGPROBS[api]
    with governed(own, both) as server:
        for pieces in cuts(MAIL):
            both.deltas = [({"content": p}, {"logprobs": {"content": [token(p)]}}) for p in ["Ask ", *pieces, " now."]]
            reply = server.post(path, {"model": "canned", "stream": stream} | body)
            assert reply.status == 200, reply.body
            text = reply.body.decode()
            nothing_leaks(text)
            assert "[EMAIL]" in text and text.count("-0.5") >= 2  # of what was not replaced
            spelled = json.dumps(list(MAIL.encode())[:3])[1:-1]
            assert spelled not in text and spelled.replace(" ", "") not in text


@pytest.mark.parametrize("client", SCRIPTS)
@pytest.mark.parametrize("verb", ["chat", "stream"])
def test_C16_every_client_reads_a_masked_answer(own, both, client, verb):
    need(ROOT / ".cache" / "clients" / SCRIPTS[client].folder / ".candor", "this client (tests/e2e/setup.sh)")
    both.deltas = [({"content": p}, {}) for p in ["Ask ", *cuts(MAIL)[2], " and pay ", *cuts(CARD)[3], " now."]]
    with governed(own, both) as server:
        got = SCRIPTS[client].run(server, verb, model="canned", tokens=100)
        assert got.get("text") == "Ask [EMAIL] and pay [CARD] now.", got
        assert got.get("usage", 7) == 7
        outcome = [e for e in server.entries() if e["type"] == "outcome"][-1]
        assert outcome["result"] == "complete"
        server.verify_log()


@pytest.mark.parametrize("stream", [True, False])
def test_C5_an_alternative_that_holds_something_is_left_out(own, both, stream):
    def one(text):
        return {"token": text, "bytes": list(text.encode()), "logprob": -0.5}
    both.deltas = [({"content": "Hello"}, {"logprobs": {"content": [one("Hello") | {"top_logprobs": [one("Hello"), one(MAIL), one("Hi")]}]}})]
    with governed(own, both) as server:
        reply = server.post("/v1/chat/completions", {"model": "canned", "messages": ASK, "logprobs": True, "top_logprobs": 3, "stream": stream})
        text = reply.body.decode()
        nothing_leaks(text)
        assert reply.status == 200 and '"Hi"' in text and text.count("Hello") >= 2
        assert json.dumps(list(MAIL.encode())[:3])[1:-1].replace(" ", "") not in text.replace(" ", "")


WHY = "Keys and passwords stay here."
TEXT = ["Here it is: ", SECRET[:12], SECRET[12:], " and more", " that nobody sees."]


@pytest.mark.parametrize("client", SCRIPTS)
def test_C16_every_client_reads_an_answer_that_a_rule_ends(own, both, client):
    need(ROOT / ".cache" / "clients" / SCRIPTS[client].folder / ".candor", "this client (tests/e2e/setup.sh)")
    both.deltas = [({"content": p}, {}) for p in TEXT]
    with governed(own, both) as server:
        got = SCRIPTS[client].run(server, "stream", model="canned", tokens=100)
        assert got.get("text", "").startswith("Here it is: ") and WHY in got["text"] and SECRET[:12] not in str(got), got
        assert [e for e in server.entries() if e["type"] == "outcome"][-1]["finish"] == "content_filter"
        server.verify_log()


def ends(path, text, stream):
    """The dialect's own last words."""
    if not stream:
        return json.loads(text)
    if path.startswith("/api/"):
        return json.loads(text.splitlines()[-1])["done"]
    if path == "/v1/messages":
        return "event: message_stop" in text
    if path == "/v1/responses":
        return "event: response.completed" in text or "event: response.incomplete" in text
    return text.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", STREAMS)
def test_C16_a_rule_ends_an_answer_with_an_explanation_and_each_dialects_end(own, both, api, stream):
    path, body = STREAMS[api]
    with governed(own, both) as server:
        both.deltas = [({"content": p}, {}) for p in TEXT]
        reply = server.post(path, {"model": "canned", "stream": stream} | body)
        text = reply.body.decode()
        assert reply.status == 200 and WHY in text and SECRET[:12] not in text and "nobody sees" not in text, text
        assert ends(path, text, stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", ["chat", "messages", "responses", "ollama chat"])
def test_C16_a_rule_ends_an_answer_in_the_midst_of_a_call(own, both, api, stream):
    path, body = STREAMS[api]
    tools = {"messages": [{"name": "mail", "input_schema": PARAMETERS}],
             "responses": [{"type": "function", "name": "mail", "parameters": PARAMETERS}]}.get(api, [TOOL])
    arguments = json.dumps({"to": "me", "body": SECRET})
    with governed(own, both) as server:
        both.deltas = [({"tool_calls": [CALL]}, {})] + [({"tool_calls": [{"index": 0, "function": {"arguments": p}}]}, {}) for p in cuts(arguments)[2]]
        reply = server.post(path, {"model": "canned", "stream": stream, "tools": tools} | body)
        text = reply.body.decode()
        assert reply.status == 200 and WHY in text and SECRET[:12] not in text.replace('"', ""), text
        assert ends(path, text, stream)
        if api == "chat" and stream:
            client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
            chunks = list(client.chat.completions.create(model="canned", messages=ASK, tools=[TOOL], stream=True))
            assert "content_filter" in [c.finish_reason for chunk in chunks for c in chunk.choices]
        if api == "messages" and stream:
            client = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
            with client.messages.stream(model="canned", messages=ASK, max_tokens=200, tools=tools) as stream:
                said = stream.get_final_message()
            assert said.stop_reason == "refusal" and WHY in said.content[-1].text
        assert [e for e in server.entries() if e["type"] == "outcome"][-1]["finish"] == "content_filter"
        server.verify_log()


KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1pZ9sOXwRrDNEYCbsmGS\nXyZabcdEFGHijklMNOpqrSTUvwx0123456789\n-----END RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize("stream", [True, False])
def test_L3_what_begins_in_reasoning_and_ends_in_content_is_found(own, both, stream):
    rules = RULES.replace('finding.class == "financial"', 'finding.class in ["financial", "secret"]').replace('effect = "deny"', 'effect = "warn"')
    with governed(own, both, rules) as server:
        def ask(thought, said):
            both.deltas = [({"reasoning_content": p}, {}) for p in thought] + [({"content": p}, {}) for p in said]
            reply = server.chat("x", model="canned", stream=stream, max_tokens=500)
            assert reply.status == 200
            if not stream:
                return reply.json()["choices"][0]["message"]["content"]
            events = [json.loads(e) for e in reply.body.decode().split("data: ") if e.startswith("{")]
            return "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e.get("choices"))

        for pieces in cuts(MAIL[16:] + " is all I know."):
            assert ask(["Ask ", MAIL[:16]], pieces) == "[EMAIL] is all I know."
        # Nothing that either text holds by itself is missed for what stands before it.
        for thought in ("It is 2", "It is so", "one \\", "the end.", "4012 88", "x@", "a" * 3000):
            for pieces in cuts(f"{CARD}, {MAIL}!"):
                got = ask([thought], pieces)
                assert got == "[CARD], [EMAIL]!" or got == "[EMAIL], [EMAIL]!" and thought == "x@", (thought, got)
        assert ask(["I think."], ["So ", "be it."]) == "So be it."
        # A key that goes on: all of it.
        for cut in (40, 60, 90):
            for pieces in cuts(KEY[cut:] + "and on."):
                got = ask(["Here: ", KEY[:cut]], pieces)
                assert got.endswith("and on.") and "MIIE" not in got and "abcd" not in got and "0123456789" not in got, got


NOTE = """

Parts of the text were masked.
- Addresses are masked. [Rule house.mail]
Found: personal.contact (choices/0/content), masked"""
ASKED_IN_GERMAN = """

Teile des Textes wurden unkenntlich gemacht.
- Konto- und Kartennummern werden unkenntlich gemacht. [Regel house.money]
Gefunden: financial (messages/0/parts/0/text), unkenntlich gemacht
Stattdessen: Nehmen Sie die Kundennummer."""


def test_C14_a_chat_answer_ends_with_what_was_masked_in_it_or_in_its_question_and_why(own, both):
    both.deltas = [({"content": piece}, {}) for piece in ["Ask ", *cuts(MAIL)[2], " now."]]
    with governed(own, both, explain="text") as server:
        openai_client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
        anthropic_client = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
        told = "Ask [EMAIL] now." + NOTE
        for stream in (False, True):
            chat = openai_client.chat.completions.create(model="canned", messages=ASK, stream=stream)
            assert ("".join(c.choices[0].delta.content or "" for c in chat if c.choices) if stream else chat.choices[0].message.content) == told
            ollama = server.post("/api/chat", {"model": "canned", "messages": ASK, "stream": stream}).body.decode().splitlines()
            assert "".join(json.loads(line)["message"]["content"] for line in ollama) == told
        assert openai_client.responses.create(model="canned", input="x").output_text == told
        assert anthropic_client.messages.create(model="canned", max_tokens=99, messages=ASK).content[0].text == told
        # What programs read stays as it is: completions, JSON, log probabilities.
        assert openai_client.completions.create(model="canned", prompt="x").choices[0].text == "Ask [EMAIL] now."
        plain = openai_client.chat.completions.create(model="canned", messages=ASK, response_format={"type": "json_object"})
        assert "Parts of the text" not in plain.choices[0].message.content
        both.deltas = [({"content": "Done."}, {})]
        german = server.post("/v1/chat/completions", {"model": "canned", "messages": [{"role": "user", "content": f"Pay {IBAN}"}]},
                             headers={"Accept-Language": "de"})
        assert german.json()["choices"][0]["message"]["content"] == "Done." + ASKED_IN_GERMAN
        assert openai_client.chat.completions.create(model="canned", messages=ASK).choices[0].message.content == "Done."
        server.verify_log()


@pytest.mark.parametrize("api", STREAMS)
@pytest.mark.parametrize("stream", [False, True])
def test_C14_the_paragraph_is_in_the_transcript_that_the_receipt_covers(own, both, tmp_path, api, stream):
    path, body = STREAMS[api]
    both.deltas = [({"content": piece}, {}) for piece in ["Ask ", *cuts(MAIL)[2], " now."]]
    with governed(own, both, explain="text") as server:
        asked = json.dumps(body | {"model": "canned", "stream": stream})
        reply = server.post(path, asked.encode())
        assert reply.status == 200, reply.body
        nothing_leaks(reply.body.decode())
        for_programs = api in ("completions", "ollama generate")
        assert (b"Parts of the text were masked" in reply.body) != for_programs
        Kept(server, tmp_path / "kept", asked, reply.body).assert_verifies()
