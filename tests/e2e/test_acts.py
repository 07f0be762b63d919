"""Each act of administration is on record with who did it and why (S15)."""
import json
import os
import signal

from conftest import add_auditor
from server import wait_until


def test_S15_every_act_carries_its_actor_and_its_reason_and_no_approver(own_tiny):
    with own_tiny as server:
        add_auditor(server)
        key = server.json("key", "create", "ci", "--reason", "reason of key.create")["id"]
        server.run("key", "revoke", key, "--reason", "reason of key.revoke")
        server.run("model", "load", "tiny", "--reason", "reason of model.load")
        exchange = server.complete("x").headers["candor-exchange"]
        server.run("model", "unload", "tiny", "--reason", "reason of model.unload")
        server.run("reload", "--reason", "reason of reload")
        server.run("erase", "--exchange", exchange, "--reason", "reason of erasure", "--yes")
        server.run("key", "rotate", "--reason", "reason of key.rotate")
        server.run("ledger", "close", "--reason", "reason of log.close")
        acts = [e for e in server.entries() if e["type"] in ("admin", "erasure")]
        assert [a.get("verb", "erasure") for a in acts] == [
            "key.auditor", "key.create", "key.revoke", "model.load", "model.unload", "reload", "erasure",
            "key.rotate", "log.close"]
        assert len({a["actor"] for a in acts}) == 1 and len(acts[0]["actor"]) == 32  # the same person
        assert "reason of" not in json.dumps(server.entries())
        for act in acts[1:]:  # what the entry commits to is what was said
            opened = server.run("ledger", "open", "--exchange", act["act"])
            assert f"reason: reason of {act.get('verb', 'erasure')}" in opened.stdout, opened.stdout
        assert not [a for a in acts if "approver" in a]
        (server.data / "keys" / "close-log.json").unlink()  # this test ends otherwise
        server.run("shutdown", "--reason", "reason of shutdown")
        assert server.process.wait(30) == 0
    with own_tiny as server:
        entries = server.entries()
        assert [e["verb"] for e in entries if e["type"] == "admin"][-1] == "shutdown"
        shutdown = [e for e in entries if e.get("verb") == "shutdown"][-1]
        assert "reason: reason of shutdown" in server.run("ledger", "open", "--exchange", shutdown["act"]).stdout
        assert shutdown["actor"] == acts[0]["actor"]
        assert server.verify_log()[0] == 0


def test_S15_an_approver_is_not_taken_for_recorded(own, upstream):
    with own.configure(upstream.toml()) as server:
        before = len(server.entries())
        for path in ("/v1/keys", "/v1/erase", "/v1/shutdown", "/v1/stops", "/v1/reload", "/v1/log/close"):
            reply = server.admin("POST", path, {"name": "a", "reason": "r", "approver": "bob"})
            assert reply.status == 400 and "approver" in reply.json()["error"]["message"], path
        assert server.process.poll() is None and len(server.entries()) == before


def test_S15_a_reload_by_signal_has_no_actor_and_is_on_record(own, upstream):
    with own.configure(upstream.toml()) as server:
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: any(e["type"] == "configuration" for e in server.entries()), "the reload's entry")
        acts = [e for e in server.entries() if e["type"] == "admin"]
        assert [(a["verb"], a["actor"]) for a in acts] == [("reload", "")]
