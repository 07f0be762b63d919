"""Which build answers: wrong kernels, other binaries, foreign servers (A4, A6)."""
import base64
import hashlib
import json
import shutil

from conftest import need
from server import BIN, TINY

WRONG = BIN / "candor-engine-wrong"


def b64(hexadecimal):
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def loads(server):
    return [e for e in server.entries() if e["type"] == "load"]


def engine(server, binary, **more):
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    return server.configure(f'[engine]\nbinary = "{binary}"\n{settings}[[model]]\nname = "tiny"\npath = "{TINY}"\n')


def test_A6_a_build_whose_kernels_are_wrong_is_noticed_and_refused_at_its_first_load(own):
    need(TINY, "the tiny model")
    need(WRONG, "an engine that computes wrongly (engine/build.sh --wrong)")
    with engine(own, WRONG) as server:
        reply = server.complete(model="tiny")
        assert reply.status == 503 and "candor doctor" in reply.json()["error"]["message"]
        said = server.run("model", "load", "tiny", code=None).stderr
        assert "computes wrong results on this processor for f32" in said and "engine/build.sh" in said
        assert "computes wrong results" in server.run("doctor", code=None).stdout
        assert not server.engine_pids() and not loads(server)
        assert [e["result"] for e in server.entries() if e["type"] == "admin" and e["verb"] == "model.load"]
    # It would have answered: that is what the probe is for.
    with engine(own, WRONG, kernel_probe=False) as server:
        assert server.complete(model="tiny").status == 200
        assert loads(server)[-1]["kernel_probe"] == "skipped"
    with engine(own, BIN / "candor-engine") as server:  # and the right build of the same sources passes
        assert server.complete(model="tiny").status == 200
        assert loads(server)[-1]["kernel_probe"] == "passed"


def test_A6_the_model_probe_is_kept_apart_for_another_engine(own, tmp_path):
    need(TINY, "the tiny model")
    other = tmp_path / "candor-engine"
    shutil.copy(BIN / "candor-engine", other)
    with other.open("ab") as file:
        file.write(b"\0")  # another binary that computes the same
    results = []
    for binary in (BIN / "candor-engine", other, BIN / "candor-engine", other):
        with engine(own, binary) as server:
            assert server.complete(model="tiny").status == 200
            results.append(loads(server)[-1])
    assert [r["model_probe_result"] for r in results] == ["first", "first", "same", "same"]
    assert len({r["model_probe"] for r in results}) == 1  # the same tokens, kept under two digests
    assert results[0]["provenance"]["engine"] == results[2]["provenance"]["engine"] != results[1]["provenance"]["engine"]
    # What was kept is what the load entry is the digest of, under weights and engine.
    kept = json.loads((own.data / "state" / "probes.json").read_text())
    assert len(kept) == 2 and len({name.split("/")[0] for name in kept}) == 1 and len(set(map(str, kept.values()))) == 1


def test_A6_a_model_that_computes_otherwise_than_before_is_told_apart(own):
    need(TINY, "the tiny model")
    with engine(own, BIN / "candor-engine") as server:
        assert server.complete(model="tiny").status == 200
    file = own.data / "state" / "probes.json"
    [(name, tokens)] = json.loads(file.read_text()).items()
    file.write_text(json.dumps({name: [tokens[0] + 1, *tokens[1:]]}))  # as if this machine had computed that
    with own as server:
        assert server.complete(model="tiny").status == 200
        assert loads(server)[-1]["model_probe_result"] == "changed"
        assert [m["model_probe"] for m in server.admin("GET", "/v1/status").json()["models"]] == ["changed"]


def test_A4_a_foreign_llama_server_serves_under_its_own_digest(own):
    need(TINY, "the tiny model")
    need(BIN / "llama-server", "a foreign llama-server (engine/build.sh --rival)")
    with engine(own, BIN / "candor-engine") as server:
        ours = server.complete(model="tiny", max_tokens=24).json()["choices"][0]["text"]
    with engine(own, BIN / "llama-server", foreign=True) as server:
        theirs = server.complete(model="tiny", max_tokens=24).json()["choices"][0]["text"]
        assert theirs == ours  # the same llama.cpp, built otherwise
        status = server.admin("GET", "/v1/status").json()["engine"]
        assert status["binary"] == hashlib.sha256((BIN / "llama-server").read_bytes()).hexdigest()
        first, second = [e["provenance"] for e in loads(server)]
        assert second["engine"] == b64(status["digest"]) != first["engine"]
        assert (first["engine_basis"], second["engine_basis"]) == ("measured", "declared")
        assert second["weights"] == first["weights"]
        [p7] = [p for p in server.json("doctor", code=None)["promises"] if p["id"] == "P7"]
        assert p7["state"] == "limited" and "did not build" in p7["why"]
        code, words = server.verify_log()
        assert code == 0 and "declared, not measured" in words
