"""Signed revocations (D9): weights that are revoked stop answering at once, whatever they are called, and across restarts;
lists are signed, and an older one replaces no newer one."""
import concurrent.futures
import hashlib
import json
import shutil
import subprocess
import time

import anthropic
import openai
import pytest

from conftest import need
from server import SMOL, TINY, Candor

REASON = "hidden instructions in its template"
LONG = {"model": "smollm2", "prompt": "Once upon a time", "max_tokens": 900, "stream": True}


def keys(folder, name="issuer"):
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private], check=True)
    private.chmod(0o600)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


def digest(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def acts(server):
    return [(e["verb"], e["object"], e["result"]) for e in server.entries() if e["type"] == "admin" and e["verb"] != "key.auditor"]


def test_D9_running_streams_end_within_a_second_and_a_renamed_copy_is_refused(tmp_path):
    need(SMOL, "the default model")
    copy = tmp_path / "some-other-model.gguf"
    shutil.copy(SMOL, copy)
    with Candor(tmp_path / "own", {"smollm2": SMOL, "other": copy, "tiny": TINY}) as server:
        streams = [server.stream("/v1/completions", LONG) for _ in range(2)]
        for stream in streams:
            stream.event()
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor() as beside:  # the verb also waits for the engine's end
            said = beside.submit(server.run, "model", "revoke", "smollm2", "--reason", REASON)
            ends = [stream.rest() for stream in streams]
            assert time.monotonic() - began < 1
            said = said.result().stdout
        assert "2 running answers ended" in said and digest(SMOL) in said
        for stream, events in zip(streams, ends, strict=True):
            error = events[-1]["error"]
            assert error["code"] == "model_revoked" and REASON in error["message"]
            assert server.wait_for_end(stream.exchange)["result"] == "stopped"
        for name in ("smollm2", "other"):
            reply = server.complete(model=name)
            assert (reply.status, reply.json()["error"]["code"]) == (403, "model_revoked"), reply.json()
            assert REASON in reply.json()["error"]["message"]
        assert server.complete(model="tiny").status == 200
        refused = server.run("model", "load", "other", "--reason", "try", code=None)
        assert refused.returncode != 0 and "revoked" in refused.stderr and REASON in refused.stderr
        assert ("model.revoke", "sha256:" + digest(SMOL), "done") in acts(server)
        assert ("model.load", "other", "permission_denied") in acts(server)
        assert REASON not in json.dumps(server.entries())  # sealed beside the entry
        assert server.verify_log()[0] == 0
        # In the shape of each dialect.
        ask = [{"role": "user", "content": "hello"}]
        with pytest.raises(openai.PermissionDeniedError, match=REASON):
            openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0).chat.completions.create(model="smollm2", messages=ask)
        with pytest.raises(anthropic.PermissionDeniedError, match=REASON):
            anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0).messages.create(model="other", messages=ask, max_tokens=8)
        reply = server.post("/api/chat", {"model": "smollm2", "messages": ask})
        assert reply.status == 403 and REASON in reply.json()["error"]


def test_D9_it_survives_a_kill_and_is_taken_back_by_the_operator(own_tiny):
    with own_tiny as server:
        assert server.complete().status == 200
        server.run("model", "revoke", str(TINY), "--reason", REASON)  # by the file
        assert server.complete().status == 403
        server.kill()
    with own_tiny as server:
        assert server.complete().status == 403
        listed = server.json("model", "revocations", "list")["revocations"]
        assert [(one["sha256"], one["reason"], one["issuer"], one["models"]) for one in listed] == [(digest(TINY), REASON, "", ["tiny"])]
        server.run("model", "reinstate", "sha256:" + digest(TINY), "--reason", "a false alarm")
        assert server.complete().status == 200
        assert "no weights are revoked" in server.run("model", "revocations", "list").stdout
        assert [act[0] for act in acts(server) if "revoke" in act[0] or "reinstate" in act[0]] == ["model.revoke", "model.reinstate"]
        assert server.verify_log()[0] == 0


def test_D9_a_signed_list_is_made_here_and_imported_there_and_no_older_one_after_it(tmp_path, own_tiny):
    private, public = keys(tmp_path)
    other_private, other_public = keys(tmp_path, "other")
    first, second = tmp_path / "1.revocations", tmp_path / "2.revocations"
    with own_tiny as here:
        lacks = here.run("model", "revoke", "sha256:" + "0" * 64, "--reason", "x", "--key", private, code=2)
        assert "--issuer" in lacks.stderr
        said = here.run("model", "revoke", "sha256:" + "0" * 64, "--reason", "stolen", "--key", private, "--issuer", "Acme security")
        assert "list 1 of Acme security" in said.stdout
        here.run("model", "revocations", "export", "-o", first)
        assert here.complete().status == 200
        here.run("model", "revoke", "tiny", "--reason", REASON, "--key", private)
        assert here.complete().status == 403
        here.run("model", "revocations", "export", "-o", second)
        assert here.run("model", "reinstate", "tiny", "--reason", "x", code=4).stderr  # an issuer's, not the operator's
    with Candor(tmp_path / "there", {"tiny": TINY}) as there:
        assert there.complete().status == 200
        taken = lambda path, key=public, code=0: there.run("model", "revocations", "import", path, "--key", key, code=code)
        assert "signed with another key" in taken(second, other_public, 5).stderr
        assert "2 revoked" in taken(second).stdout
        refused = there.complete()
        assert refused.status == 403 and REASON in refused.json()["error"]["message"]
        assert "in force already" in taken(second).stdout
        old = taken(first, code=3)
        assert "older list" in old.stderr
        assert there.complete().status == 403
        bent = tmp_path / "bent"
        envelope = json.loads(second.read_text())
        envelope["dsseEnvelope"]["payload"] = json.loads(first.read_text())["dsseEnvelope"]["payload"]
        bent.write_text(json.dumps(envelope))
        assert taken(bent, code=1).stderr
        imports = [act for act in acts(there) if act[0] == "revocations.import"]
        assert len(imports) == 1 and imports[0][1].startswith("sha256:")
        there.kill()
    with Candor(tmp_path / "there", {"tiny": TINY}) as there:
        assert there.complete().status == 403
        assert "list 2 of Acme security" in there.run("model", "revocations", "list").stdout
        assert there.run("model", "revocations", "import", first, "--key", public, code=3)
        assert there.verify_log()[0] == 0
