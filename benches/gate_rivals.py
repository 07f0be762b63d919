#!/usr/bin/env python3
"""Who refuses which hostile model file: Candor's gate beside picklescan, modelscan and ModelAudit on the same files.

usage: benches/gate_rivals.py FOLDER [RIVALS]
FOLDER: files written by CANDOR_HOSTILE_FOLDER=FOLDER model_test --gtest_filter='*WritesThem*', each named
NUMBER-KIND-FINDING. RIVALS: the bin folder of a Python environment with the three (default .cache/gate-rivals/bin).
A rival refuses a file if it reports an issue of any severity above information, or fails on it by its exit code.
Prints one Markdown row for each kind and, with --files, one for each file."""
import collections
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(*words):
    try:
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, errors="replace", timeout=60, check=False,
                              env={**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"})
    except subprocess.TimeoutExpired:
        return None


def candor(_, file):
    done = run(ROOT / "build" / "bin" / "candor", "model", "inspect", file, "--json")
    wanted = "-".join(file.name.rsplit(".", 1)[0].split("-")[2:])
    found = [one["id"] for one in json.loads(done.stdout)["findings"]] if done.returncode == 10 else []
    return done.returncode == 10 and wanted in found


def picklescan(folder, file):  # exit 1: dangerous, 2: it failed
    done = run(folder / "picklescan", "-p", file)
    return done is None or done.returncode != 0


def modelscan(folder, file):  # exit 0: clean, 1: issues, 2: errors, 3: nothing it could scan
    done = run(folder / "modelscan", "-p", file)
    return done is None or done.returncode in (1, 2)


def modelaudit(folder, file):
    done = run(folder / "modelaudit", "scan", file, "--format", "json")
    if done is None or done.returncode not in (0, 1):
        return True
    try:
        issues = json.loads(done.stdout[done.stdout.index("{"):]).get("issues", [])
    except ValueError:
        return done.returncode != 0
    return any(str(one.get("severity", "")).lower() in ("warning", "critical", "error", "high", "medium") for one in issues)


def main():
    arguments = [word for word in sys.argv[1:] if not word.startswith("--")]
    folder = pathlib.Path(arguments[0])
    rivals = pathlib.Path(arguments[1]) if len(arguments) > 1 else ROOT / ".cache" / "gate-rivals" / "bin"
    tools = {"candor": candor}
    for name, tool in (("picklescan", picklescan), ("modelscan", modelscan), ("modelaudit", modelaudit)):
        if (rivals / name).exists():
            tools[name] = tool
    caught = collections.defaultdict(collections.Counter)
    for file in sorted(folder.iterdir()):
        kind = file.name.split("-")[1]
        caught[kind]["files"] += 1
        marks = []
        for name, tool in tools.items():
            hit = tool(rivals, file)
            caught[kind][name] += hit
            marks.append("x" if hit else " ")
        if "--files" in sys.argv:
            print("|", file.name, "|", " | ".join(marks), "|", flush=True)
    print("| kind | files |", " | ".join(tools), "|")
    print("| --- " * (2 + len(tools)) + "|")
    for kind, counts in caught.items():
        print("|", kind, "|", counts["files"], "|", " | ".join(str(counts[name]) for name in tools), "|")


if __name__ == "__main__":
    main()
