"""Erasing content while every proof still verifies (A14, P3, S2, S3), from outside."""
import json

from conftest import add_auditor
from server import Kept

SECRET = "The patient is called Amalthea Quickwater"


def sealed_exchange(server):
    reply = server.complete(SECRET)
    return reply, reply.headers["candor-exchange"]


def test_S3_an_erased_exchange_opens_for_nobody_and_every_proof_still_verifies(own_tiny, tmp_path):
    with own_tiny as server:
        add_auditor(server)
        body = json.dumps({"model": "tiny", "prompt": SECRET, "max_tokens": 4})
        reply = server.post("/v1/completions", body.encode())
        exchange = reply.headers["candor-exchange"]
        kept = Kept(server, tmp_path, body, reply.body)
        other = server.complete("Somebody else's words").headers["candor-exchange"]
        assert SECRET in server.run("ledger", "open", "--exchange", exchange).stdout
        done = server.json("erase", "--exchange", exchange, "--reason", "asked by the person", "--yes")
        assert done["unreachable"]
        assert server.run("ledger", "open", "--exchange", exchange, code=None).returncode != 0
        server.run("receipt", exchange, code=3)
        assert "Somebody else's words" in server.run("ledger", "open", "--exchange", other).stdout
        kept.assert_verifies()  # the client's own copy
        assert [e for e in server.entries() if e["type"].startswith("eras")]
        code, words = server.verify_log()
        assert code == 0, words
    with own_tiny as server:  # and after a restart
        assert server.run("ledger", "open", "--exchange", exchange, code=None).returncode != 0
        server.run("receipt", exchange, code=3)
        server.run("receipt", other)


def test_S3_erasing_a_caller_reaches_all_their_exchanges_and_no_others(own_tiny):
    with own_tiny as server:
        add_auditor(server)
        key = server.json("key", "create", "alice")["key"]
        mine = [server.complete(SECRET, headers={"Authorization": f"Bearer {key}"}).headers["candor-exchange"] for _ in range(3)]
        other = server.complete("Of the machine's user").headers["candor-exchange"]
        done = server.json("erase", "--caller", "alice", "--reason", "left", "--yes")
        count = done["exchanges"] if isinstance(done["exchanges"], int) else len(done["exchanges"])
        assert int(count) == 3
        for exchange in mine:
            assert server.run("ledger", "open", "--exchange", exchange, code=None).returncode != 0
        server.run("ledger", "open", "--exchange", other)
        assert server.verify_log()[0] == 0


def test_no_prompt_answer_or_name_stands_in_plain_bytes_on_disk(own_tiny):
    with own_tiny as server:
        add_auditor(server)
        sealed_exchange(server)
        server.run("key", "create", "Amalthea-Quickwater")
    found = [p for p in own_tiny.data.rglob("*") if p.is_file() and not p.is_relative_to(own_tiny.data / "state")
             and b"Quickwater" in p.read_bytes()]
    assert not found
    assert "Quickwater" not in "".join(own_tiny.log)  # nor in the server's own log


def test_content_none_keeps_commitments_only(own_tiny):
    own_tiny.arguments += ["--content", "none"]
    with own_tiny as server:
        add_auditor(server)
        reply, exchange = sealed_exchange(server)
        assert reply.json()["candor"]["receipt"]
        assert server.exchange(exchange)["intent"]["entry"]["content"] == "none"
        assert server.run("ledger", "open", "--exchange", exchange, code=None).returncode != 0


def test_erasing_nothing_says_so(tiny):
    tiny.run("erase", "--exchange", "0" * 32, "--reason", "none", "--yes", code=4)
    tiny.run("erase", "--reason", "none", "--yes", code=2)
    tiny.run("erase", "--caller", "nobody-of-this-name", "--reason", "x", "--yes", code=4)


def test_S3_one_field_is_erased_and_the_rest_opens_still(own_tiny, tmp_path):
    field = "messages/0/parts/0/text"
    with own_tiny as server:
        add_auditor(server)
        body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": SECRET}], "max_tokens": 4})
        reply = server.post("/v1/chat/completions", body.encode())
        exchange = reply.headers.get("candor-exchange")
        if reply.status != 200:  # the tiny model has no chat template: a prompt then
            field, body = "prompts/0", json.dumps({"model": "tiny", "prompt": SECRET, "max_tokens": 4})
            reply = server.post("/v1/completions", body.encode())
            exchange = reply.headers["candor-exchange"]
        kept = Kept(server, tmp_path, body, reply.body)
        server.run("erase", "--exchange", exchange, "--field", "no/such/field", "--reason", "x", "--yes", code=4)
        done = server.run("erase", "--exchange", exchange, "--field", field, "--reason", "a name", "--yes")
        assert "1 field(s)" in done.stdout
        opened = server.run("ledger", "open", "--exchange", exchange)
        assert SECRET not in opened.stdout and f"{field}: (erased or not kept)" in opened.stdout
        assert "model: tiny" in opened.stdout and "answer.released" in opened.stdout
        assert "each text is the one that the log commits to" in opened.stderr
        erasure = [e for e in server.entries() if e["type"] == "erasure"][-1]
        assert erasure["scope"] == "field" and erasure["fields"] == [field]
        receipt = tmp_path / "again.tlog-proof"
        receipt.write_text(server.run("receipt", exchange).stdout)
        answer_only = server.verify("receipt", receipt, "--response", kept.response, "--log-key", kept.key)
        assert answer_only[0] == 0 and "this is the answer that was logged" in answer_only[1]
        kept.assert_verifies()  # what the client kept is out of reach
        assert server.verify_log()[0] == 0
    with own_tiny as server:  # and after a restart; a field of that older epoch needs the auditor's key
        assert SECRET not in server.run("ledger", "open", "--exchange", exchange).stdout
        more = ("erase", "--exchange", exchange, "--field", "choices/0/content", "--reason", "more", "--yes")
        assert "auditor" in server.run(*more, code=3).stderr
        server.run(*more, "--auditor-key", server.home / ".config/candor/auditor.key")
        opened = server.run("ledger", "open", "--exchange", exchange).stdout
        assert opened.count("choices/0/content: (erased or not kept)") == 2 and "choices/0/finish: " in opened
        server.run("erase", "--exchange", exchange, "--reason", "all of it", "--yes")
        server.run("ledger", "open", "--exchange", exchange, code=3)
        assert not list((server.data / "sealed" / "fields").iterdir())
        assert server.verify_log()[0] == 0
