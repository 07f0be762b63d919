"""A disk that is full, read-only or damaged (A15, S6): refused in words, nothing acknowledged lost."""
import contextlib
import json
import os
import shutil
import subprocess

import pytest

from server import Candor, wait_until

SMALL = '[ledger]\nsegment_bytes = "1MiB"\nreserve_bytes = "2MiB"\n'


def mount(*words):
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path, upstream):
    """A server whose data folder is a disk of 16 MiB of its own."""
    server = Candor(tmp_path / "own", {}).configure(SMALL + upstream.toml())
    server.data.mkdir(mode=0o700)
    mount("-t", "tmpfs", "-o", "size=16m,mode=0700", "candor-test", server.data)
    yield server
    server.__exit__()
    subprocess.run(["umount", "--lazy", server.data], check=True)


def free(server):
    status = os.statvfs(server.data)
    return status.f_bavail * status.f_frsize


def fill(server, leave=0):
    with (server.data / "filler").open("wb") as file, contextlib.suppress(OSError):
        while free(server) > leave:
            file.write(b"\1" * min(65536, max(1, free(server) - leave)))
            file.flush()


def ask_until_refused(server, most=4000):
    """Exchanges until one is refused: what was acknowledged, and the refusal."""
    acknowledged = []
    for _ in range(most):
        reply = server.complete("x" * 200, model="canned")
        if reply.status != 200:
            return acknowledged, reply
        assert reply.json()["candor"]["receipt"]
        acknowledged.append(reply.headers["candor-exchange"])
    raise AssertionError(f"{most} exchanges, and the disk of {free(server)} bytes never was full")


def assert_kept(server, acknowledged):
    code, words = server.verify_log()
    assert code == 0, words
    ends = {e["exchange"]: e["type"] for e in server.entries() if e["type"] in ("outcome", "abort")}
    assert all(ends.get(exchange) == "outcome" for exchange in acknowledged)
    for exchange in acknowledged[:2] + acknowledged[-2:]:
        assert server.run("receipt", exchange).stdout.startswith("c2sp.org/tlog-proof@v1")


def test_a_full_disk_refuses_with_503_and_loses_nothing_acknowledged(disk):
    with disk as server:
        wait_until(lambda: server.complete(model="canned").status == 200, "the first answer")
        fill(server)
        acknowledged, reply = ask_until_refused(server)
        message = reply.json()["error"]["message"]
        assert reply.status == 503 and "candor doctor" in message and reply.headers["retry-after"]
        assert server.http("GET", "/health").status == 503
        assert acknowledged  # the room set aside was used
        assert "full" in server.run("doctor", code=None).stdout or "disk" in server.run("doctor", code=None).stdout
        intents = [e["exchange"] for e in server.entries() if e["type"] == "intent"]
        assert set(acknowledged) <= set(intents)
        (server.data / "filler").unlink()
        # Room again: with or without a restart it goes on, and nothing acknowledged is lost.
        wait_until(lambda: server.complete(model="canned").status == 200, "answers again once there is room")
        assert_kept(server, acknowledged)
    with disk as server:
        assert_kept(server, acknowledged)
        assert server.complete(model="canned").status == 200


def test_S17_the_reserve_refuses_new_work_before_the_disk_is_full_and_still_ends_what_runs(tmp_path, slow_upstream):
    server = Candor(tmp_path / "own", {}).configure(SMALL + slow_upstream.toml("slow"))
    server.data.mkdir(mode=0o700)
    mount("-t", "tmpfs", "-o", "size=16m,mode=0700", "candor-test", server.data)
    try:
        with server:
            stream = server.stream("/v1/completions", {"model": "slow", "prompt": "x", "max_tokens": 9})
            stream.event()
            fill(server)
            acknowledged = 0
            for _ in range(4000):
                reply = server.complete("x" * 200, model="slow")
                if reply.status != 200:
                    break
                acknowledged += 1
            assert reply.status == 503
            slow_upstream.release()
            last = stream.rest()[-1]
            assert last["candor"]["receipt"]  # its outcome had its room
            assert [e["type"] for e in server.entries() if e.get("exchange") == stream.exchange] == ["intent", "outcome"]
        assert server.verify_log()[0] == 0
        (server.data / "filler").unlink()
        with server:
            assert server.wait_for_end(stream.exchange)["result"] == "complete"
            slow_upstream.release()
            assert server.complete(model="slow").status == 200
    finally:
        server.__exit__()
        subprocess.run(["umount", "--lazy", server.data], check=True)


def test_a_start_on_a_full_disk_is_refused_with_what_to_do(disk):
    fill(disk)
    code, words = disk.refused()
    assert code == 6 and "No space left" in words and "Make room" in words and str(disk.data) in words, (code, words)
    (disk.data / "filler").unlink()
    with disk as server:
        assert server.complete(model="canned").status == 200


def test_a_restart_on_a_full_disk_is_refused_and_loses_nothing(disk):
    with disk as server:
        acknowledged = [server.complete(model="canned").headers["candor-exchange"] for _ in range(3)]
        server.kill()
        fill(server)
        code, words = server.refused()
        assert code == 6 and "Make room" in words, (code, words)
        (server.data / "filler").unlink()
    with disk as server:
        assert_kept(server, acknowledged)


def test_a_read_only_data_folder_is_refused_in_words_and_nothing_is_lost(tmp_path, upstream):
    server = Candor(tmp_path / "own", {}).configure(SMALL + upstream.toml())
    with server:
        acknowledged = [server.complete(model="canned").headers["candor-exchange"] for _ in range(3)]
    before = {p: p.read_bytes() for p in server.data.rglob("*") if p.is_file()}
    mount("--bind", server.data, server.data)
    try:
        mount("-o", "remount,bind,ro", server.data)
        code, words = server.refused()
        assert code == 5 and "Read-only" in words and str(server.data) in words, (code, words)
        assert "nothing was changed" in words.lower()
        assert before == {p: p.read_bytes() for p in server.data.rglob("*") if p.is_file()}
    finally:
        subprocess.run(["umount", "--lazy", server.data], check=True)
    with server:
        assert_kept(server, acknowledged)


def damaged(server, where, change):
    """A stopped server's data folder with one file changed."""
    [*_, file] = sorted(p for p in server.data.glob(where) if p.is_file() and "spare" not in p.name)
    data = bytearray(file.read_bytes())
    change(data)
    file.write_bytes(data)


@pytest.fixture
def stopped(own, upstream):
    with own.configure(SMALL + upstream.toml()) as server:
        for number in range(20):
            assert server.complete(f"exchange {number}", model="canned").status == 200
        server.admin("POST", "/v1/publish", {})
    own.kept = own.folder / "copy"
    shutil.copytree(own.data, own.kept)
    return own


def flip(at):
    def change(data):
        data[at(data)] ^= 1

    return change


def in_an_entry(data):
    return data.index(b'"type":"intent"') + 3


DAMAGE = {"a byte of an entry in the journal": ("journal/*", flip(in_an_entry)),
          "a byte of the journal's header": ("journal/*", flip(lambda data: 9)),
          "a byte of the checkpoint": ("ledger/checkpoint", flip(lambda data: len(data) // 2)),
          "a tile at the edge": ("ledger/tile/0/**/*", flip(lambda data: len(data) - 1)),
          "an entry in the last bundle": ("ledger/tile/entries/**/*", flip(in_an_entry))}


@pytest.mark.parametrize("what", DAMAGE, ids=lambda w: w.replace(" ", "-"))
def test_damage_is_refused_at_the_start_with_the_place_and_instructions(stopped, what):
    where, change = DAMAGE[what]
    damaged(stopped, where, change)
    before = {p.relative_to(stopped.data): p.read_bytes() for p in stopped.data.glob("journal/*") if "spare" not in p.name}
    code, words = stopped.refused()
    assert code == 1, (code, words)  # evidence, and systemd does not try again
    assert "nothing was changed" in words and "candor-verify log" in words and "restore" in words
    assert before == {p.relative_to(stopped.data): p.read_bytes() for p in stopped.data.glob("journal/*") if "spare" not in p.name}
    # The auditor's tool agrees that this is evidence.
    assert stopped.verify_log()[0] in (1, 2)
    # And the intact copy goes on, as the instructions say.
    shutil.rmtree(stopped.data)
    shutil.copytree(stopped.kept, stopped.data)
    with stopped as server:
        assert server.complete(model="canned").status == 200


def test_a_removed_journal_is_noticed(stopped):
    for file in stopped.data.glob("journal/*"):
        file.unlink()
    shutil.rmtree(stopped.data / "ledger")
    code, words = stopped.refused()
    assert code == 1 and "entries" in words


def test_a_torn_tail_is_repaired_and_said(own, upstream):
    with own.configure(SMALL + upstream.toml()) as server:
        kept = [server.complete(f"exchange {number}", model="canned").headers["candor-exchange"] for number in range(4)]
        server.kill()
    [segment] = [p for p in own.data.glob("journal/*") if "spare" not in p.name]
    data = bytearray(segment.read_bytes())
    end = len(data.rstrip(b"\0"))
    start = (end + 4095) // 4096 * 4096
    data[start:start + 700] = os.urandom(700)  # a batch that never got whole
    segment.write_bytes(data)
    with own as server:
        opened = next(json.loads(line) for line in server.log[::-1] if "store.opened" in line)
        assert opened["torn_bytes"] > 0
        assert_kept(server, kept)
