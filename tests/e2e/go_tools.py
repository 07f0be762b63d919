"""Programs of other people that Go's module proxy has, built once into a cache that outlives the checkout."""
import os
import pathlib
import shutil
import subprocess

CACHE = pathlib.Path(os.environ.get("CANDOR_INTEROP_CACHE") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "candor" / "interop")


def go_tool(package, version, override=""):
    """The program of `package`, built if it is not there; None without Go. `override`: a variable that names another build."""
    program = pathlib.Path(os.environ.get(override) or CACHE / package.rsplit("/", 1)[-1])
    if not program.exists() and shutil.which("go"):
        subprocess.run(["go", "install", f"{package}@{version}"], check=False, capture_output=True, timeout=900,
                       env=os.environ | {"GOBIN": str(program.parent.resolve())})
    return program if program.exists() else None
