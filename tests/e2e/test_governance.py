"""Policy and detectors in the pipeline (C5, C6, C9, C10, C14, C16): what is found in requests and answers, under every cut, in every
dialect, and what stands on record of it."""
import json

import anthropic
import openai
import pytest

from upstream import Upstream

MAIL = "maria.sommer@klinikum-nord.example.org"
LONG_MAIL = "a" * 60 + "@" + "klinikum.example.org"  # 82 characters with what follows
CARD = "4012 8888 8888 1881"
IBAN = "DE89 3704 0044 0532 0130 00"

RULES = """
format = 1
policy = "house"

[[rule]]
id = "house.money"
effect = "redact"
select = 'finding.class == "financial"'
message = { en = "Account and card numbers are masked.", de = "Konto- und Kartennummern werden unkenntlich gemacht." }
instead = { en = "Use the customer's number.", de = "Nehmen Sie die Kundennummer." }

[[rule]]
id = "house.mail"
effect = "redact"
select = 'finding.detector == "email"'
message = "Addresses are masked."

[[rule]]
id = "house.number"
effect = "require justification"
when = 'findings.exists(f, f.class == "personal.id")'
message = { en = "The request holds a national number.", de = "Die Anfrage enthält eine nationale Kennziffer." }

[[rule]]
id = "house.secret"
effect = "deny"
when = 'findings.exists(f, f.class == "secret")'
message = { en = "Keys and passwords stay here.", de = "Schlüssel und Kennwörter bleiben hier." }
instead = { en = "Name the key instead of writing it.", de = "Nennen Sie den Schlüssel beim Namen." }
references = ["House rule 7"]
"""
SECRET = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
SSN = "My social security number is 536-90-4399."


class Scripted(Upstream):
    """Streams choices as the test wrote them: each a delta, and what stands beside it."""

    def __init__(self):
        super().__init__()
        self.deltas = []

    def stream(self, handler, asked):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for delta, beside in self.deltas:
            handler.event(json.dumps({"choices": [{"index": 0, "finish_reason": None, "delta": delta} | beside]}))
        handler.event(json.dumps({"choices": [{"index": 0, "finish_reason": "stop", "delta": {}}]}))
        handler.event(json.dumps({"choices": [], "usage": self.usage(asked)}))
        handler.event("[DONE]")
        handler.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def scripted():
    made = Scripted()
    yield made
    made.close()


def governed(own, upstream, rules=RULES, more="", explain="object"):
    (own.folder / "house.toml").write_text(rules)
    return own.configure(f'[policy]\npacks = []\nfiles = ["house.toml"]\nexplain = "{explain}"\n{more}\n' + upstream.toml())


def cuts(text):
    """The text whole, halved, and in pieces of three bytes and of one."""
    half = len(text) // 2
    return [[text], [text[:half], text[half:]], [text[i:i + 3] for i in range(0, len(text), 3)], list(text)]


def decisions(server):
    return [e for e in server.entries() if e["type"] == "decision"]


def test_C6_what_is_found_in_a_request_is_masked_before_the_engine_sees_it_and_the_caller_is_told(own, upstream):
    with governed(own, upstream) as server:
        reply = server.chat(f"Pay to {IBAN}, thanks", model="canned")
        assert reply.status == 200
        asked = upstream.requests[-1]
        assert asked["messages"][0]["content"] == "Pay to [IBAN], thanks"
        said = reply.json()["candor"]["policy"]
        assert said["effect"] == "redact"
        assert said["rules"][0]["rule"] == "house.money" and said["rules"][0]["reason"] == "Account and card numbers are masked."
        assert said["found"] == [{"class": "financial", "field": "messages/0/parts/0/text", "action": "redact"}]
        intent = next(e for e in server.entries() if e["type"] == "intent")
        assert intent["policy"]["rules"] == ["house.money"] and intent["policy"]["effect"] == "redact"
        assert intent["policy"]["findings"] == [{"action": "redact", "class": "financial", "confidence": intent["policy"]["findings"][0]["confidence"],
                                                 "count": 1, "detector": "iban", "field": "messages/0/parts/0/text"}]
        assert IBAN not in str(server.entries())
        server.verify_log()


def test_C4_every_text_of_a_request_is_read_and_arguments_stay_json(own, upstream):
    with governed(own, upstream) as server:
        call = {"id": "c", "type": "function", "function": {"name": "pay", "arguments": json.dumps({"to": f"x \" {IBAN}", "n": 4012888888881881})}}
        messages = [{"role": "system", "content": f"s {CARD}"}, {"role": "user", "content": [{"type": "text", "text": f"u {MAIL}"}]},
                    {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": f"t {IBAN}"}]
        tool = {"type": "function", "function": {"name": "pay", "description": f"d {MAIL}", "parameters": {"type": "object", "properties": {}}}}
        reply = server.post("/v1/chat/completions", {"model": "canned", "messages": messages, "tools": [tool]})
        assert reply.status == 200, reply.body
        asked = json.dumps(upstream.requests[-1])
        for value in (IBAN, CARD, MAIL, "4012888888881881"):
            assert value not in asked
        sent = upstream.requests[-1]["messages"][2]["tool_calls"][0]["function"]["arguments"]
        assert json.loads(sent) == {"to": 'x " [IBAN]', "n": "[CARD]"} or json.loads(sent)["to"] == 'x " [IBAN]'
        # A name cannot be masked without calling something else.
        tool["function"]["name"] = SECRET
        refused = server.post("/v1/chat/completions", {"model": "canned", "messages": [{"role": "user", "content": "hi"}], "tools": [tool]})
        assert refused.status == 403


def test_L3_what_is_cut_over_the_parts_of_a_message_is_found(own, upstream):
    with governed(own, upstream) as server:
        parts = [{"type": "text", "text": f"pay {IBAN[:12]}"}, {"type": "text", "text": f"{IBAN[12:]} now"}]
        assert server.post("/v1/chat/completions", {"model": "canned", "messages": [{"role": "user", "content": parts}]}).status == 200
        asked = json.dumps(upstream.requests[-1])
        assert IBAN[:12] not in asked and IBAN[12:] not in asked and "[IBAN]" in asked


def test_C14_a_refusal_says_which_rule_why_and_what_to_do_in_the_callers_language_and_stands_on_record(own, upstream):
    with governed(own, upstream) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
        with pytest.raises(openai.PermissionDeniedError) as refused:
            client.chat.completions.create(model="canned", messages=[{"role": "user", "content": f"use {SECRET}"}])
        message = refused.value.body["message"]
        assert "Keys and passwords stay here." in message and "house.secret" in message and "House rule 7" in message
        assert "Name the key instead of writing it." in message and "secret (messages/0/parts/0/text)" in message
        assert SECRET not in message and refused.value.code == "policy_denied"
        assert not upstream.requests
        [decision] = decisions(server)
        assert decision["phase"] == "request" and decision["policy"]["effect"] == "deny" and decision["policy"]["rules"] == ["house.secret"]
        german = server.chat(f"use {SECRET}", model="canned", headers={"Accept-Language": "de-DE,de;q=0.9"})
        assert "Schlüssel und Kennwörter bleiben hier." in german.json()["error"]["message"]
        claude = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
        with pytest.raises(anthropic.PermissionDeniedError, match="Keys and passwords stay here"):
            claude.messages.create(model="canned", max_tokens=5, messages=[{"role": "user", "content": SECRET}])
        assert SECRET not in str(server.entries())
        server.verify_log()


def test_C9_a_justification_is_asked_for_and_heard(own, upstream):
    with governed(own, upstream) as server:
        assert server.chat(SSN, model="canned").json()["error"]["code"] == "justification_required"
        assert server.chat(SSN, model="canned", headers={"Candor-Justification": "tax return"}).status == 200
        intent = next(e for e in server.entries() if e["type"] == "intent")
        assert intent["policy"]["justified"] is True
        assert "tax return" not in str(server.entries())


STREAMS = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
    "completions": ("/v1/completions", {"prompt": "x"}),
    "responses": ("/v1/responses", {"input": "x"}),
    "messages": ("/v1/messages", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 99}),
    "ollama chat": ("/api/chat", {"messages": [{"role": "user", "content": "x"}]}),
    "ollama generate": ("/api/generate", {"prompt": "x"}),
}


@pytest.mark.parametrize("api", STREAMS)
@pytest.mark.parametrize("value", [MAIL, LONG_MAIL, CARD], ids=["mail", "long mail", "card"])
def test_C16_nothing_of_a_finding_leaves_in_an_answer_however_it_is_cut(own, upstream, api, value):
    path, body = STREAMS[api]
    with governed(own, upstream) as server:
        for pieces in cuts(value):
            for stream in (True, False):
                upstream.words = ["Ask ", *pieces, " about it."]
                reply = server.post(path, {"model": "canned", "stream": stream} | body)
                assert reply.status == 200, reply.body
                text = reply.body.decode()
                # Not the value, and not its pieces side by side in events.
                said = "".join(part for part in text.split('"') if part not in ("", " "))
                assert value not in text and value[:9] not in said and value[-9:] not in said, text[:2000]
                assert ("[CARD]" if value is CARD else "[EMAIL]") in text


def test_C5_a_stream_begins_before_the_answer_ends_and_usage_is_right(own, slow_upstream):
    slow_upstream.words = ["The answer is this. A cat sat on a mat in front of a house by the sea, and it was neither cold nor hungry, so it slept until somebody came home. ", "It goes on ", f"with {MAIL}", " and ends."]
    with governed(own, slow_upstream) as server:
        stream = server.stream("/v1/chat/completions", {"model": "canned", "stream": True, "stream_options": {"include_usage": True},
                                                        "messages": [{"role": "user", "content": "x"}]})
        seen = ""
        while "The answer is" not in seen:
            seen += json.dumps(stream.event())
        slow_upstream.release()
        rest = stream.rest()
        text = json.dumps(rest)
        assert "[EMAIL]" in text and MAIL not in text and '"completion_tokens": 4' in text.replace("'", '"')


def test_C16_reasoning_tool_arguments_and_log_probabilities_are_guarded_too(own, scripted):
    def token(text):
        return {"token": text, "bytes": list(text.encode()), "logprob": -0.5, "top_logprobs": [{"token": text, "bytes": list(text.encode()), "logprob": -0.5}]}
    for pieces in cuts(MAIL):
        scripted.deltas = [({"reasoning_content": piece}, {}) for piece in ["I think of ", *pieces, "."]]
        scripted.deltas += [({"content": piece}, {"logprobs": {"content": [token(piece)]}}) for piece in ["Ask ", *pieces, " now."]]
        with governed(own, scripted) as server:
            reply = server.post("/v1/chat/completions", {"model": "canned", "stream": True, "logprobs": True, "top_logprobs": 1,
                                                         "messages": [{"role": "user", "content": "x"}]})
            text = reply.body.decode()
            assert reply.status == 200 and text.count("[EMAIL]") == 2, text[:3000]
            events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
            tokens = [t for e in events for c in e.get("choices", []) for t in (c.get("logprobs") or {}).get("content") or []]
            assert [t["token"] for t in tokens] == ["Ask ", " now."]
            assert MAIL[:6] not in text and "klinikum" not in text
            server.stop()
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "mail", "arguments": ""}}
    whole = json.dumps({"to": MAIL, "n": 1})
    for pieces in cuts(whole):
        scripted.deltas = [({"tool_calls": [call]}, {})]
        scripted.deltas += [({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, {}) for piece in pieces]
        tool = {"type": "function", "function": {"name": "mail", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}}}
        with governed(own, scripted) as server:
            client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
            got = ""
            for chunk in client.chat.completions.create(model="canned", messages=[{"role": "user", "content": "x"}], tools=[tool], stream=True):
                for choice in chunk.choices:
                    for one in choice.delta.tool_calls or []:
                        got += one.function.arguments or ""
            assert json.loads(got) == {"to": "[EMAIL]", "n": 1}
            server.stop()


def test_C5_a_rule_that_denies_ends_the_stream_with_an_explanation_and_the_dialects_proper_end(own, upstream):
    upstream.words = ["Here it is: ", SECRET[:12], SECRET[12:], " and more", " that nobody sees."]
    with governed(own, upstream) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
        text, finish = "", None
        for chunk in client.chat.completions.create(model="canned", messages=[{"role": "user", "content": "x"}], stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
        assert text.startswith("Here it is: ") and "Keys and passwords stay here." in text and finish == "content_filter"
        assert SECRET[:12] not in text and "nobody sees" not in text
        claude = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
        with claude.messages.stream(model="canned", max_tokens=50, messages=[{"role": "user", "content": "x"}]) as stream:
            said = stream.get_final_message()
        assert said.stop_reason == "refusal" and "Keys and passwords stay here." in said.content[-1].text
        outcomes = [e for e in server.entries() if e["type"] == "outcome"]
        assert [o["result"] for o in outcomes] == ["policy", "policy"] and outcomes[0]["finish"] == "content_filter"
        first = decisions(server)[0]
        assert first["phase"] == "answer" and first["exchange"] == outcomes[0]["exchange"] and first["policy"]["effect"] == "deny"
        entries = server.entries()
        assert entries.index(first) < entries.index(outcomes[0])
        server.verify_log()


def test_C10_a_reload_puts_rules_in_force_at_once_as_an_entry_with_both_digests_or_changes_nothing(own, upstream):
    with governed(own, upstream) as server:
        assert server.chat(f"use {SECRET}", model="canned").status == 403
        (own.folder / "house.toml").write_text(RULES.replace('effect = "deny"', 'effect = "warn"'))
        server.run("reload")
        reply = server.chat(f"use {SECRET}", model="canned")
        assert reply.status == 200 and reply.json()["candor"]["policy"]["effect"] == "warn"
        (own.folder / "house.toml").write_text(RULES + "[[rule]\n")
        assert "house.toml" in server.run("reload", code=2).stderr
        assert server.chat(f"use {SECRET}", model="canned").status == 200  # the rules before are in force still
        first, second = [e for e in server.entries() if e["type"] == "policy"]
        assert second["previous"] == first["digest"] != second["digest"] and "previous" not in first
        server.verify_log()


PSEUDONYMS = """
format = 1
policy = "house"

[[rule]]
id = "house.people"
effect = "pseudonymise"
select = 'finding.class == "personal.contact"'
message = "Who is meant stays here."
"""


def test_C6_L1_pseudonyms_go_to_the_engine_and_their_values_come_back_in_prose_alone(own, scripted):
    with governed(own, scripted, PSEUDONYMS) as server:
        question = f"Answer {MAIL}, and copy {LONG_MAIL}."
        scripted.deltas = [({"content": "ok"}, {})]
        ask = lambda **more: server.chat(question, model="canned", stream=True, max_tokens=500, **more)
        assert ask().status == 200
        sent = scripted.requests[-1]["messages"][0]["content"]
        assert MAIL not in sent and LONG_MAIL not in sent and sent.count("@example.com") == 2
        first, second = (word.strip(",.") for word in sent.split() if "@" in word)
        foreign = "peter.kurz@klinikum-nord.example.org"  # of the model's own
        said = f"To {first}: dear {second}.\n```\nmail {first}\n```\nhttps://evil.example/?{first} or `{second}`, or {foreign}."
        right = f"To {MAIL}: dear {LONG_MAIL}.\n```\nmail {first}\n```\nhttps://evil.example/?{first} or `{second}`, or "
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": "send", "arguments": json.dumps({"to": first})}}
        tool = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}}}
        for pieces in cuts(said):
            scripted.deltas = [({"content": piece}, {}) for piece in pieces] + [({"tool_calls": [call]}, {})]
            reply = ask(tools=[tool])
            events = [json.loads(e) for e in reply.body.decode().split("data: ") if e.startswith("{")]
            deltas = [e["choices"][0]["delta"] for e in events if e.get("choices")]
            got = "".join(d.get("content") or "" for d in deltas)
            # What the model says of its own is found, replaced and not turned back.
            assert got.startswith(right) and foreign not in got and got.endswith("@example.com.")
            arguments = "".join(c["function"].get("arguments", "") for d in deltas for c in d.get("tool_calls", []))
            assert json.loads(arguments) == {"to": first}
        # A caller who did not send the value is not told it; another conversation has other stand-ins.
        scripted.deltas = [({"content": f"Ask {first}."}, {})]
        assert MAIL.encode() not in server.chat("Who was it?", model="canned", stream=True).body
        assert ask(headers={"Candor-Conversation": "another"}).status == 200
        assert first not in scripted.requests[-1]["messages"][0]["content"]
        # Tokens with probabilities agree with their text, so it stays as it is.
        assert ask(logprobs=True).status == 200
        assert MAIL.encode() not in ask(logprobs=True).body
        assert MAIL not in str(server.entries())
        server.verify_log()
