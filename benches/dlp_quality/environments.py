"""Python environments and programs that the quality run needs, pinned, each made once under .cache/dlp-quality."""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent.parent / ".cache/dlp-quality"
GENERATORS = ["faker==40.63.0", "python-stdnum==2.2", "schwifty==2026.10.1", "phonenumbers==9.0.43", "cryptography==50.0.2", "pyjwt==2.15.1",
              "email-validator==2.4.0"]
RIVALS = {"presidio": ["presidio-analyzer==2.2.366"], "detect-secrets": ["detect-secrets==1.5.0"], "litellm": ["litellm==1.110.2", "fastapi==0.165.0", "orjson==3.13.0"]}
GITLEAKS = "v8.30.1"


def environment(name, packages):
    """The environment's python; None, and why on standard error, where the packages are not to be had."""
    folder, stamp = HERE / name, HERE / name / "packages.txt"
    python = folder / "bin/python"
    if not stamp.exists() or stamp.read_text().split() != packages:
        print(f"  ... {', '.join(packages)} (once)", file=sys.stderr)
        for command in ([sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                print(f"quality: {' '.join(command[:4])}: {done.stderr[-500:]}", file=sys.stderr)
                return None
        stamp.write_text("\n".join(packages) + "\n")
    return str(python)


def generators():
    python = environment("generator", GENERATORS)
    if python is None:
        raise SystemExit("quality: without the generators' packages there is nothing to measure on")
    return python


def rival(name):
    return environment(name, RIVALS[name])


def gitleaks():
    """Built from the Go module proxy; None without Go or the proxy."""
    program = HERE / "gitleaks" / f"gitleaks-{GITLEAKS}"
    if not program.exists():
        if not shutil.which("go"):
            return None
        print(f"  ... gitleaks {GITLEAKS} (once)", file=sys.stderr)
        program.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["go", "install", "-trimpath", f"github.com/zricethezav/gitleaks/v8@{GITLEAKS}"], capture_output=True, text=True, check=False,
                              env=os.environ | {"GOBIN": str(program.parent)})
        if done.returncode != 0:
            print(f"quality: gitleaks was not built: {done.stderr[-500:]}", file=sys.stderr)
            return None
        (program.parent / "gitleaks").rename(program)
    return str(program)
