"""candor model fingerprint, lineage and compare on the two models that tests have; no server."""
import json
import subprocess

import pytest

from server import BIN

ROOT = BIN.parent.parent
SMOL = ROOT / ".cache/models/SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA = ROOT / ".cache/models/gemma-3-270m-q4_k_m.gguf"
pytestmark = pytest.mark.skipif(not SMOL.exists() or not GEMMA.exists(), reason="the models are not in .cache/models")


def model(*arguments):
    return subprocess.run([BIN / "candor", "model", *map(str, arguments)], capture_output=True, text=True, check=False)


def test_D10_a_copy_under_another_name_is_found_by_its_weights(tmp_path):
    copy = tmp_path / "anything.gguf"
    copy.symlink_to(SMOL)
    done = json.loads(model("lineage", copy, "--json").stdout)
    best = done["matches"][0]
    assert (best["reference"], best["blocks"], best["embedding"]) == ("SmolLM2-135M-Instruct", "descends", "descends")
    assert best["z"] > 10


def test_D12_the_fingerprints_that_ship_are_what_the_models_give(tmp_path):
    for file, name, shipped in ((SMOL, "SmolLM2-135M-Instruct", "smollm2-135m-instruct"), (GEMMA, "Gemma 3 270M", "gemma-3-270m")):
        out = tmp_path / "one.fingerprint"
        done = model("fingerprint", file, "-o", out, "--name", name, "--json")
        assert done.returncode == 0, done.stderr
        assert out.read_bytes() == (ROOT / "packs/fingerprints" / f"{shipped}.fingerprint").read_bytes()
        assert json.loads(done.stdout)["bytes_read"] < file.stat().st_size / 10


def test_D11_strangers_are_unrelated_and_a_file_is_itself():
    assert json.loads(model("compare", SMOL, SMOL, "--json").stdout)["change"] == "identical weights"
    assert json.loads(model("compare", SMOL, GEMMA, "--json").stdout)["change"] == "unrelated"


def test_D10_what_is_no_model_is_refused(tmp_path):
    wrong = tmp_path / "wrong.gguf"
    wrong.write_text("not a model")
    done = model("lineage", wrong)
    assert done.returncode == 2 and "GGUF" in done.stderr
