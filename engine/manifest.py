#!/usr/bin/env python3
"""Writes candor-engine.json: what went into the engine's build (A4). Canonical JSON (RFC 8785 for
the strings and lists used here), so that its SHA-256, which is part of the engine's digest, does not
depend on who wrote it. No path of the building machine is in it."""
import argparse
import hashlib
import json
import pathlib
import subprocess

FLAG_PREFIXES = ("CMAKE_BUILD_TYPE:", "CMAKE_CXX_FLAGS:", "CMAKE_CXX_FLAGS_RELEASE:",
                 "CMAKE_C_FLAGS:", "CMAKE_C_FLAGS_RELEASE:", "GGML_", "LLAMA_")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tree_digest(folder: pathlib.Path) -> str:
    """SHA-256 over "digest  path" lines of every source file, sorted by path."""
    lines = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts):
        relative = path.relative_to(folder).as_posix()
        if relative != ".candor-source":
            lines.append(f"{sha256(path.read_bytes())}  {relative}\n")
    return sha256("".join(lines).encode())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    here = pathlib.Path(__file__).resolve().parent
    root = here.parent
    flags = sorted(line for line in (arguments.build / "CMakeCache.txt").read_text().splitlines()
                   if line.startswith(FLAG_PREFIXES) and "/" not in line.split("=", 1)[1])
    compiler = subprocess.run(["clang++-19", "--version"], capture_output=True, text=True,
                              check=True).stdout.splitlines()[0]
    own = ["apps/candor-engine/main.cc", "engine/kernel_probe.cc", "engine/template_watch.cc",
           "engine/llama/CMakeLists.txt"]
    manifest = {
        "compiler": compiler,
        "flags": flags,
        "own_sources": [{"file": name, "sha256": sha256((root / name).read_bytes())} for name in own],
        "patches": [{"file": path.name, "sha256": sha256(path.read_bytes())}
                    for path in sorted((here / "patches").glob("*.patch"))],
        "source_tree_sha256": tree_digest(arguments.source),
        "type": "candor.engine-build/1",
        "upstream": "llama.cpp v0.5.0",
    }
    print(json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False), end="")


if __name__ == "__main__":
    main()
