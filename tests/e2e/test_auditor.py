"""What an auditor can do without Candor, and what candor-verify says of a real log (A13, A14, A17, S4)."""
import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import add_auditor
from server import BIN, ROOT, Kept, wait_until

VKEY = re.compile(r"(candor/([0-9a-f]{32}))\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)")


def asked(server, count, prefix="question"):
    return [server.complete(f"{prefix} {number}", model="canned").headers["candor-exchange"] for number in range(count)]


@pytest.fixture
def canned(own, upstream):
    return own.configure(upstream.toml())


def key_file(server):
    file = server.folder / "log.vkey"
    file.write_text(server.run("key", "log").stdout)
    return file


# --- A17


def test_A17_key_log_prints_a_c2sp_verifier_key(canned):
    with canned as server:
        line = server.run("key", "log").stdout
        found = VKEY.fullmatch(line.strip())
        assert found and line.count("\n") == 1
        name, origin, key_id, encoded = found.groups()
        key = base64.b64decode(encoded)
        assert len(key) == 33 and key[0] == 1  # Ed25519
        # signed-note: the first four bytes of SHA-256 over name, newline, algorithm and key.
        assert key_id == hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8]
        assert origin == hashlib.sha256(key[1:]).hexdigest()[:32]  # S7
        assert server.json("key", "log")["verifier_key"] == line.strip()
    assert canned.run("key", "log").stdout == line  # without a server, too


def test_A17_tesseras_fsck_accepts_a_real_published_folder_and_refuses_one_changed_byte(canned):
    if not shutil.which("go"):
        pytest.skip("no go to build Tessera's fsck with")
    with canned as server:
        asked(server, 300)  # a full bundle, a partial one, and two levels of tiles
        server.run("key", "create", "somebody")
        server.admin("POST", "/v1/publish", {})
        done = subprocess.run([ROOT / "tests" / "interop" / "fsck.sh", server.data / "ledger", key_file(server)],
                              capture_output=True, text=True, timeout=570, check=False)
    if done.returncode == 77:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = int(re.search(r"ok: (\d+) checks", done.stdout)[1])
    assert checks >= 5  # as it lies, the checkpoint, a bundle, tiles of two levels, put back


# --- A13


def test_A13_candor_verify_is_one_static_file_that_runs_alone(canned, tmp_path):
    with canned as server:
        asked(server, 2)
        server.admin("POST", "/v1/publish", {})
        key = key_file(server)
    words = subprocess.run(["ldd", BIN / "candor-verify"], capture_output=True, text=True, check=False)
    assert "not a dynamic executable" in words.stdout + words.stderr or "statically linked" in words.stdout
    alone = tmp_path / "alone"  # nothing of the machine beside it but the kernel
    alone.mkdir()
    shutil.copy(BIN / "candor-verify", alone)
    shutil.copytree(canned.data / "ledger", alone / "log")
    shutil.copy(key, alone / "log.vkey")
    done = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "chroot", alone, "/candor-verify", "log", "/log",
                           "--log-key", "/log.vkey"], capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "chroot" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0 and "Verified." in done.stdout, done.stdout + done.stderr


def test_A13_candor_verify_links_only_base_crypto_json_ledger_and_dialect():
    build = ROOT / "build" / "release"
    assert (build / "build.ninja").exists(), "configure the release preset"
    done = subprocess.run(["ninja", "-C", build, "-t", "query", BIN / "candor-verify"], capture_output=True, text=True, check=True)
    linked = set(re.findall(r"src/(\w+)/libcandor_\w+\.a", done.stdout))
    assert linked == {"base", "crypto", "json", "ledger", "dialect"}
    names = subprocess.run(["nm", "-C", BIN / "candor-verify"], capture_output=True, text=True, check=False).stdout
    text = names or subprocess.run(["strings", BIN / "candor-verify"], capture_output=True, text=True, check=True).stdout
    for module in ("store", "engine", "gateway", "http", "config", "sqlite"):
        assert f"candor::{module}::" not in text, module


def test_A13_two_tree_heads_are_the_same_consistent_or_a_rollback(canned, tmp_path):
    with canned as server:
        key = key_file(server)
        heads = []
        for number in range(2):
            asked(server, 5)
            server.admin("POST", "/v1/publish", {})
            heads.append(shutil.copy(server.data / "ledger" / "checkpoint", tmp_path / f"{number}.checkpoint"))
    older, newer = heads
    more = ["--log-key", key, "--log", canned.data / "ledger"]
    for first, second, code, verdict in ((older, newer, 0, "consistent"), (older, older, 0, "same"), (newer, older, 1, "rollback")):
        got, words = canned.verify("heads", first, second, *more)
        assert (got, verdict in words) == (code, True), words
    # Without tiles between them nothing is decided, and that is said.
    got, words = canned.verify("heads", older, newer, "--log-key", key)
    assert got == 3 and "undecided" in words


def test_A13_an_export_alone_with_a_newer_pin_is_a_rollback_or_not_yet_published(canned, tmp_path):
    with canned as server:
        asked(server, 3)
        server.run("ledger", "export", tmp_path / "export")
        asked(server, 3)
        server.run("ledger", "verify")  # the pin goes to the newest head
        pin = next((server.home / ".local/state/candor/pins").glob("*.json"))
        code, words = server.verify("log", tmp_path / "export", "--pin", pin)
        assert code == 1 and "rollback or not yet published" in words, words
        code, words = server.verify("log", server.data, "--pin", pin)  # with its journal it reaches the pin
        assert code == 0 and "rollback not excluded" not in words, words
        server.run("ledger", "export", tmp_path / "export")
        assert server.verify("log", tmp_path / "export", "--pin", pin)[0] == 0


def test_A13_a_witness_that_has_not_signed_is_missed(canned):
    with canned as server:
        asked(server, 1)
        server.admin("POST", "/v1/publish", {})
        key = bytes([4]) + bytes(32)
        name = "witness.example"
        key_id = hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8]
        trust = ["--log-key", key_file(server), "--witness-key", f"{name}+{key_id}+{base64.b64encode(key).decode()}"]
        code, words = server.verify("log", server.data, *trust)
        assert code == 0 and f"{name} has not cosigned" in words and "rollback not excluded" in words, words
        assert server.verify("log", server.data, "--strict", *trust)[0] == 3  # no tampering, and not excluded


# --- A14


def test_A14_erasing_lists_what_it_cannot_reach_and_stays_done_after_a_restart(canned, tmp_path):
    with canned as server:
        add_auditor(server)
        body = json.dumps({"model": "canned", "prompt": "The password is swordfish", "max_tokens": 4})
        reply = server.post("/v1/completions", body.encode())
        mine = Kept(server, tmp_path / "mine", body, reply.body)
        exchange = reply.headers["candor-exchange"]
        other = asked(server, 1)[0]
        shown = server.run("erase", "--exchange", exchange, "--reason", "asked for", "--yes").stdout
        assert "What erasing cannot reach:" in shown
        for word in ("backup", "client", "auditor"):  # copies of the key table, of the answer, and opened ones
            assert word in shown.lower(), shown
        entry = next(e for e in server.entries() if e["type"] == "erasure")
        assert entry["exchanges"] == [exchange] and entry["scope"] == "exchange" and "asked" not in json.dumps(entry)
    for _ in range(2):  # a clean restart, and one after a kill
        with canned as server:
            assert server.run("ledger", "open", "--exchange", exchange, code=None).returncode != 0
            assert server.run("receipt", exchange, code=3).stderr
            assert server.exchange(exchange)["erased"] is True
            server.run("ledger", "open", "--exchange", other)
            mine.assert_verifies()  # the receipt that the client kept
            code, words = server.verify_log()
            assert code == 0 and re.search(r"erasures\s+1\b", words), words
            server.kill()
    assert b"swordfish" not in b"".join(p.read_bytes() for p in canned.data.rglob("*") if p.is_file())


# --- the crash matrix's neighbour: a signer that is killed


def test_S5_a_dead_signer_ends_the_monitor_and_nothing_acknowledged_is_lost(canned):

    server = canned.start()
    done = asked(server, 3)
    [signer] = server.children("candor-signer")
    os.kill(signer, signal.SIGKILL)
    assert server.process.wait(20) == 7
    wait_until(lambda: "the signer has ended" in "".join(server.log), "why, in words")
    with canned as server:
        ends = {e["exchange"] for e in server.entries() if e["type"] == "outcome"}
        assert set(done) <= ends and server.verify_log()[0] == 0
        assert asked(server, 1)
