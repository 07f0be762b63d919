"""The log's key changes, and a log ends and another goes on (S7; docs/formats/log-key.md), on the real programs."""
import base64
import json

import pytest

from server import Kept

# Far fewer entries than an overlap take too long to pass: what follows it is shown by
# LogChangeTest.S7_TheKeyChangesAtAStartAndTheOlderOneSignsUntilTheOverlapIsOver, and once here (slow).
OVERLAP = 1000


def log_key(server):
    return server.run("key", "log").stdout.strip()


def vkey_file(folder, name, key):
    file = folder / name
    file.write_text(key + "\n")
    return file


def restart(server):
    server.stop()
    assert server.process.returncode == 0
    server.start()
    server.admin("POST", "/v1/publish", {})  # what `candor key log` reads
    return server


def signers(server):
    checkpoint = (server.data / "ledger" / "checkpoint").read_text()
    return [line for line in checkpoint.splitlines() if line.startswith("\u2014 ")]


@pytest.fixture
def served(own, upstream):
    with own.configure(upstream.toml()) as server:
        yield server


def ask(server, folder, text="Say one."):
    body = json.dumps({"model": "canned", "messages": [{"role": "user", "content": text}]})
    reply = server.post("/v1/chat/completions", body.encode())
    assert reply.status == 200
    return Kept(server, folder, body, reply.body, key=folder.parent / "first.vkey")


def test_S7_the_key_changes_at_a_restart_and_verifier_and_pins_follow(served, tmp_path):
    first = log_key(served)
    vkey_file(tmp_path, "first.vkey", first)
    before = ask(served, tmp_path / "before")
    served.run("chat", "--model", "canned", "-m", "hello")  # this user's pin, under the first key
    [pin] = (served.home / ".local/state/candor/pins").glob("*.json")
    old_pin = tmp_path / "old-pin.json"
    old_pin.write_text(pin.read_text())
    served.run("key", "rotate", "--reason", "yearly", "--overlap", OVERLAP)
    assert log_key(served) == first  # not yet
    restart(served)
    second = log_key(served)
    assert second != first and second.split("+")[0] == first.split("+")[0]  # the same log
    change = [e for e in served.entries() if e["type"] == "key_change"]
    assert [(c["old_key"], c["new_key"]) for c in change] == [(first, second)]
    during = ask(served, tmp_path / "during")
    served.admin("POST", "/v1/publish", {})
    assert len(signers(served)) == 2
    # Receipts from before and during the overlap hold under the first key; the newer one holds too.
    for kept in (before, during):
        kept.assert_verifies()
    during.key = vkey_file(tmp_path, "second.vkey", second)
    during.assert_verifies()
    # The whole log follows, whichever key or pin is brought.
    for given in (["--log-key", first], ["--log-key", second], ["--pin", old_pin], ["--pin", pin]):
        code, words = served.verify("log", served.data, *given)
        assert code == 0 and "the log is of the key given" in words and "FAIL" not in words, words
    # The CLI's own pin goes on, and now holds the newer key.
    assert json.loads(pin.read_text())["log_key"] == first
    served.run("chat", "--model", "canned", "-m", "hello again")
    assert json.loads(pin.read_text())["log_key"] == second
    served.run("ledger", "verify")
    # A second change waits for the overlap's end.
    refused = served.run("key", "rotate", "--reason", "again", code=3)
    assert "both keys sign until" in refused.stderr
    # An export carries the head that both keys signed.
    served.run("ledger", "export", tmp_path / "log")
    assert [p.name for p in (tmp_path / "log/handover").iterdir()] == [str(served.entries().index(change[0]))]
    code, words = served.verify("log", tmp_path / "log", "--log-key", first)
    assert code == 0 and "handed over to the next one" in words, words


def test_S7_a_kill_in_the_middle_of_a_change_loses_nothing(served, tmp_path):
    first = log_key(served)
    vkey_file(tmp_path, "first.vkey", first)
    kept = ask(served, tmp_path / "kept")
    served.run("key", "rotate", "--reason", "yearly", "--overlap", OVERLAP)
    served.kill()  # after the act, before the restart that was to change it
    served.start()
    served.admin("POST", "/v1/publish", {})
    assert log_key(served) != first
    ask(served, tmp_path / "more").assert_verifies()
    served.kill()  # directly after the change
    served.start()
    assert len([e for e in served.entries() if e["type"] == "key_change"]) == 1
    kept.assert_verifies()
    code, words = served.verify("log", served.data, "--log-key", first)
    assert code == 0 and "the log is of the key given" in words, words


def test_S7_a_key_that_the_older_one_never_signed_for_is_not_followed(served, tmp_path):
    """Somebody with the folder, but not with the first key, forges a change by removing what would show it."""
    first = log_key(served)
    served.run("key", "rotate", "--reason", "yearly", "--overlap", OVERLAP)
    restart(served)
    served.run("ledger", "export", tmp_path / "log")
    [handover] = (tmp_path / "log/handover").iterdir()
    handover.unlink()
    # Within the overlap the head itself carries both signatures.
    code, words = served.verify("log", tmp_path / "log", "--log-key", first)
    assert code == 0 and "handed over" in words, words
    checkpoint = tmp_path / "log/checkpoint"
    text, line = checkpoint.read_text(), signers(served)[0]
    checkpoint.write_text(text.replace(line + "\n", ""))
    code, words = served.verify("log", tmp_path / "log", "--log-key", first)
    assert code == 1 and "lacks the older key's signature" in words, words


@pytest.mark.slow
def test_S7_after_the_overlap_the_older_key_is_destroyed_and_still_leads_to_the_newer_one(served, tmp_path):
    first = log_key(served)
    served.run("chat", "--model", "canned", "-m", "hello")
    [pin] = (served.home / ".local/state/candor/pins").glob("*.json")
    served.run("key", "rotate", "--reason", "yearly", "--overlap", OVERLAP)
    restart(served)
    for _ in range(OVERLAP // 2 + 10):
        assert served.complete("x", model="canned").status == 200
    restart(served)
    served.complete("x", model="canned")
    served.admin("POST", "/v1/publish", {})
    assert len(signers(served)) == 1
    assert (served.data / "signer/log.key").read_text().startswith("candor-log-key-v1\n")
    # A pin that was never moved during the overlap is followed by the head that was kept.
    assert json.loads(pin.read_text())["log_key"] == first
    served.run("chat", "--model", "canned", "-m", "hello again")
    assert json.loads(pin.read_text())["log_key"] == log_key(served)
    code, words = served.verify("log", served.data, "--log-key", first)
    assert code == 0 and "handed over to the next one" in words and "the log is of the key given" in words, words
    for handover in (served.data / "ledger/handover").iterdir():
        handover.unlink()
    code, words = served.verify("log", served.data, "--log-key", first)
    assert code == 0 and "the log's own word" in words and "the log is of the key given" not in words, words
    assert served.verify("--strict", "log", served.data, "--log-key", first)[0] == 3
    assert served.run("chat", "--model", "canned", "-m", "third").returncode == 0  # its pin has moved on


def test_S7_a_closed_log_stays_whole_and_the_next_one_names_its_last_head(served, tmp_path):
    served.run("key", "auditor")
    first = log_key(served)
    vkey_file(tmp_path, "first.vkey", first)
    kept = ask(served, tmp_path / "kept", "Amalthea Quickwater's words")
    exchange = json.loads(kept.response.read_bytes())["candor"]["exchange"]
    served.run("ledger", "close", "--reason", "retention")
    kept.assert_verifies()  # still running, still the same log
    restart(served)
    second = log_key(served)
    assert second.split("+")[0] != first.split("+")[0]
    [closed] = (served.data / "closed").iterdir()
    assert closed.name == first.split("+")[0].removeprefix("candor/")
    code, words = served.verify("log", closed, "--log-key", first)
    assert code == 0 and "FAIL" not in words, words
    origin, size, root = (closed / "ledger/checkpoint").read_text().split("\n")[:3]
    start = served.entries()[0]
    assert start["continues"] == {"origin": origin, "root": root, "size": size}
    code, words = served.verify("log", served.data, "--log-key", second)
    assert code == 0 and f"{origin} from size {size}" in words, words
    # Nothing of the ended log can be signed any more: its key is gone from the data folder.
    secret = (served.data / "signer/log.key").read_text()
    assert origin not in secret and base64.b64decode(secret.split("\n")[2])
    # A client's receipt holds on; content opens against the ended log, and can be erased.
    kept.assert_verifies()
    opened = served.run("ledger", "open", "--exchange", exchange, "--log", closed)
    assert "Amalthea Quickwater" in opened.stdout
    assert "none about" in served.run("ledger", "open", "--exchange", exchange, code=4).stderr
    served.run("erase", "--exchange", exchange, "--reason", "asked", "--yes")
    served.run("ledger", "open", "--exchange", exchange, "--log", closed, code=3)
    ask(served, tmp_path / "after")
    restart(served)
    assert log_key(served) == second
    assert served.verify_log()[0] == 0
