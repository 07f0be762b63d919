#!/usr/bin/env python3
"""./bench lineage: seconds and bytes that a fingerprint of the 135 M model costs, its descent, and a look-up among 10,000; beside modeldna.

The 10,000 references are random fingerprints of the same shape (docs/formats/fingerprint.md) and the real one. modeldna (PyPI) makes its
fingerprint of the same file in the same run; it gets an environment of its own in .cache/modeldna. What 8 B parameters would take is
extrapolated from the bytes read: 64 rows of each block matrix of Llama 3.1 8B at Q4_K, at the seconds a byte that were measured.
"""
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CANDOR = ROOT / "build/bin/candor"
MODEL = ROOT / ".cache/models/SmolLM2-135M-Instruct.Q4_1.gguf"
RIVAL = ROOT / ".cache/modeldna"
ROWS, LAYERS_8B, COLUMNS_8B, BYTES_Q4_K = 64, 32, 6 * 4096 + 14336, 144 / 256
TAIL = 256 + 496 + 1024
SKETCH = 12 + 64


def stranger(real, seed):
    """The real fingerprint's shape with every step drawn anew."""
    rng = random.Random(seed)
    out = bytearray(real)
    at = len(real) - TAIL
    out[at:] = rng.randbytes(TAIL)
    layers = int.from_bytes(real[real_layers(real):real_layers(real) + 4], "big")
    start = real_layers(real) + 4
    for sketch in range(layers * 7):
        begin = start + sketch * SKETCH + 12
        out[begin:begin + 64] = rng.randbytes(64)
    return bytes(out)


def real_layers(real):
    at = len(b"candor-fp1\n")
    at += 1 + real[at]
    at += 1 + real[at]
    return at + 8


def run(*arguments):
    return json.loads(subprocess.run([CANDOR, "model", *arguments, "--json"], check=True, capture_output=True).stdout)


def modeldna():
    """Seconds and bytes of its fingerprint of the same file; None where it cannot be had."""
    program = RIVAL / "bin/modeldna"
    if not program.exists():
        made = subprocess.run([sys.executable, "-m", "venv", RIVAL], capture_output=True, check=False).returncode == 0
        if not made or subprocess.run([RIVAL / "bin/pip", "-q", "install", "modeldna==0.1.0"], capture_output=True, check=False).returncode != 0:
            print("modeldna could not be installed, so it is left out", file=sys.stderr)
            return None
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "model.gguf").symlink_to(MODEL)
        begin = time.perf_counter()
        done = subprocess.run([program, "fingerprint", folder, "-o", f"{folder}/out.json"], capture_output=True, text=True, check=True,
                              env=os.environ | {"HF_HUB_OFFLINE": "1"})
        said = done.stdout.split("(")[-1].split()  # "(50.6 MB read)"
        return {"seconds": round(time.perf_counter() - begin, 3), "bytes_read": int(float(said[0]) * 1e6),
                "fingerprint_bytes": os.path.getsize(f"{folder}/out.json")}


def main():
    quick = "--quick" in sys.argv
    count = 200 if quick else 10_000
    with tempfile.TemporaryDirectory() as folder:
        print_file = pathlib.Path(folder) / "real.fingerprint"
        times = [run("fingerprint", MODEL, "-o", print_file, "--name", "the one") for _ in range(3 if quick else 9)]
        real = print_file.read_bytes()
        for i in range(count - 1):
            (pathlib.Path(folder) / f"{i}.fingerprint").write_bytes(stranger(real, i))
        found = run("lineage", MODEL, "--index", folder)
    rival = modeldna()
    best = found["matches"][0]
    right = best["reference"] == "the one" and best["blocks"] == "descends" and all(
        match["blocks"] == "unrelated" for match in found["matches"][1:])
    result = {"seconds_135m": round(statistics.median(one["seconds"] for one in times), 4), "bytes_read": times[0]["bytes_read"],
              "file_bytes": times[0]["file_bytes"], "fingerprint_bytes": times[0]["fingerprint_bytes"],
              "bytes_8b": round(ROWS * LAYERS_8B * COLUMNS_8B * BYTES_Q4_K), "references": found["references"], "lookup_ms": round(found["lookup_seconds"] * 1000, 2), "right": right}
    result["seconds_8b_extrapolated"] = round(result["seconds_135m"] * result["bytes_8b"] / result["bytes_read"], 3)
    if rival:
        result |= {f"modeldna_{name}": value for name, value in rival.items()}
    if "--json" in sys.argv:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:26} {value}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
