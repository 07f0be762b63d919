"""Shims that are preloaded into the real program."""
import pathlib
import shutil
import subprocess

import pytest


def preloadable(tmp_path_factory, name):
    """The shared object of NAME.c beside this file."""
    compiler = next((c for c in ("cc", "gcc", "clang-19", "clang") if shutil.which(c)), None)
    if compiler is None:
        pytest.skip("no C compiler")
    built = tmp_path_factory.mktemp("shim") / f"{name}.so"
    source = pathlib.Path(__file__).parent / f"{name}.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built
