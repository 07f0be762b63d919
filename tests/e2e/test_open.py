"""`candor ledger open` holds what it opens against the log (A14, S2): not what was logged is not shown."""
import shutil

import pytest

from conftest import add_auditor
from server import Candor

SECRET = "The patient is called Amalthea Quickwater"


class Pack:
    """A pack's records, as docs/formats/sealed-packs.md and sealed.md have them, to change and write back."""

    def __init__(self, file):
        self.file, data = file, file.read_bytes()
        self.head, self.records, at = data[:32], [], 32
        while at + 24 <= len(data):
            length = int.from_bytes(data[at:at + 4], "big")
            self.records.append([data[at + 4:at + 24], data[at + 24:at + 24 + length]])
            at += 24 + length

    def of(self, exchange):
        return [record for record in self.records if record[0][4:].hex() == exchange]

    def write(self):
        self.file.write_bytes(self.head + b"".join(
            len(body).to_bytes(4, "big") + state_and_id + body for state_and_id, body in self.records))


def fields(record):
    """Positions of each transcript's count and of its fields: [(count_at, [(start, commitment_at, end)])]."""
    found, at = [], 28
    for _ in range(record[9]):
        at += 1 + record[at]
        count_at, count = at, int.from_bytes(record[at:at + 4], "big")
        at, listed = at + 4, []
        for _ in range(count):
            start = at
            at += 2 + int.from_bytes(record[at:at + 2], "big")
            commitment_at = at
            kind, at = record[at + 32], at + 33
            at += 4 + int.from_bytes(record[at:at + 4], "big") if kind == 1 else 5 if kind == 2 else 0
            listed.append((start, commitment_at, at))
        found.append((count_at, listed))
    return found


@pytest.fixture
def asked(own, upstream, tmp_path):
    """A running server with one exchange, and a copy of its sealed/ to tamper with."""
    with own.configure(upstream.toml()) as server:
        add_auditor(server)
        server.exchange_id = server.complete(SECRET, model="canned").headers["candor-exchange"]
        other = server.complete("Somebody else's words", model="canned").headers["candor-exchange"]
        server.other_id = other
        server.admin("POST", "/v1/publish", {})
        server.copy = tmp_path / "copy" / "sealed"
        shutil.copytree(server.data / "sealed", server.copy)
        yield server


def open_copy(server, *more, code):
    return server.run("ledger", "open", "--exchange", server.exchange_id, "--sealed", server.copy, *more, code=code)


def test_opened_content_is_held_against_the_log_and_says_so(asked):
    done = open_copy(asked, code=0)
    assert SECRET in done.stdout
    intent = asked.exchange(asked.exchange_id)["intent"]["index"]
    assert f"entry {intent} (intent), {intent + 1} (outcome)" in done.stderr and "signed head of size" in done.stderr
    logged = asked.json("ledger", "open", "--exchange", asked.exchange_id)["logged"]
    assert [e["type"] for e in logged["entries"]] == ["intent", "outcome"] and logged["size"] >= intent + 2
    # The first contact trusts the log's own key and says so; the pin that it left is then held to.
    assert logged["pinned"] is True and logged["key_is_logs_own"] is False


def test_without_a_server_from_an_export_with_the_key_from_elsewhere(asked, tmp_path):
    key = tmp_path / "log.vkey"
    key.write_text(asked.run("key", "log").stdout)
    asked.run("ledger", "export", tmp_path / "log")
    asked.stop()
    done = open_copy(asked, "--log", tmp_path / "log", "--log-key", key, code=0)
    assert SECRET in done.stdout and "came from the log itself" not in done.stderr
    # Nobody brought a key, and this user has no pin of the log: it is said.
    shutil.rmtree(asked.home / ".local", ignore_errors=True)
    assert "came from the log itself" in open_copy(asked, "--log", tmp_path / "log", code=0).stderr
    other = "candor/00000000000000000000000000000000+00000000+AAAA"
    assert open_copy(asked, "--log", tmp_path / "log", "--log-key", other, code=None).returncode == 2


@pytest.mark.parametrize("what", ["a field is left out", "a commitment is changed and its text not kept",
                                  "a text is changed", "a half of another exchange"])
def test_a_tampered_pack_is_refused_and_nothing_is_shown(asked, what):
    [file] = asked.copy.glob("packs/*.pack")
    pack = Pack(file)
    answer = next(r for r in pack.of(asked.exchange_id) if b"answer.released" in r[1])
    body = bytearray(answer[1])
    count_at, listed = fields(body)[1]  # answer.released
    start, commitment_at, end = listed[-1]
    if what == "a field is left out":  # needs no key, and all that is left opens well
        del body[start:end]
        body[count_at:count_at + 4] = (len(listed) - 1).to_bytes(4, "big")
    elif what == "a commitment is changed and its text not kept":
        body[commitment_at] ^= 1
        body[commitment_at + 32:end] = b"\0"
    elif what == "a text is changed":
        [first, *_] = fields(body)[0][1]
        body[first[2] - 1] ^= 1
    else:
        body = bytearray(next(r for r in pack.of(asked.other_id) if b"answer.released" in r[1])[1])
    answer[1] = bytes(body)
    pack.write()
    done = open_copy(asked, code=1)
    assert SECRET not in done.stdout and "One two" not in done.stdout, done.stdout
    if what in ("a field is left out", "a commitment is changed and its text not kept"):
        assert "NOT WHAT WAS LOGGED" in done.stderr and "answer.released" in done.stderr, done.stderr


def test_content_of_another_log_is_refused(asked, upstream, tmp_path):
    second = Candor(tmp_path / "second", {}).configure(upstream.toml())
    second.home.rmdir()
    second.home = asked.home  # the same auditor
    with second as server:
        server.run("key", "auditor")
        exchange = server.complete("forged at home", model="canned").headers["candor-exchange"]
        server.admin("POST", "/v1/publish", {})
        assert "forged at home" in server.run("ledger", "open", "--exchange", exchange).stdout
    done = asked.run("ledger", "open", "--exchange", exchange, "--sealed", second.data / "sealed", code=4)
    assert "forged at home" not in done.stdout and "has none about" in done.stderr


def test_a_changed_log_is_refused(asked, tmp_path):
    asked.run("ledger", "export", tmp_path / "log")
    [bundle] = [p for p in (tmp_path / "log").glob("tile/entries/**/*") if p.is_file()]
    data = bundle.read_bytes()
    at = data.index(b'"received":"') + 12
    bundle.write_bytes(data[:at] + (b"A" if data[at:at + 1] != b"A" else b"B") + data[at + 1:])
    assert "does not stand under the signed head" in open_copy(asked, "--log", tmp_path / "log", code=1).stderr


def test_a_log_shorter_than_the_pin_is_refused(asked, tmp_path):
    asked.run("ledger", "export", tmp_path / "log")
    asked.complete("more", model="canned")
    asked.admin("POST", "/v1/publish", {})
    open_copy(asked, code=0)  # moves this user's pin
    done = open_copy(asked, "--log", tmp_path / "log", code=1)
    assert "ROLLED BACK" in done.stderr and SECRET not in done.stdout


def test_an_acts_reason_opens_too(asked):
    asked.run("key", "create", "alice", "--reason", "Her first week")
    act = [e for e in asked.entries() if e.get("verb") == "key.create"][-1]["act"]
    done = asked.run("ledger", "open", "--exchange", act)
    assert "reason: Her first week" in done.stdout and "name: alice" in done.stdout and "(admin)" in done.stderr
