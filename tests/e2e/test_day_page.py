"""docs/day.md does what it shows (C21): each marked block is run in order against a real server with docs/examples/candor.toml."""
import os
import shutil

from conftest import need
from pages import blocks, complaint
from server import BIN, ROOT, SMOL, Candor

PAGE = ROOT / "docs" / "day.md"


def test_C21_an_organisations_day(tmp_path):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    need("/usr/bin/jq", "jq")
    work = tmp_path / "work"
    work.mkdir()
    # Beside the data folder and not around it: what replaces a file of it may be read, too.
    house = shutil.copytree(ROOT / "docs/examples", tmp_path / "house")
    server = Candor(tmp_path, {"smollm2": SMOL}, ["--config", str(house / "candor.toml")])
    with server:
        environment = server.environment | {"PATH": f"{BIN}:{os.environ['PATH']}", "URL": server.url,
                                            "CONFIG": str(house / "candor.toml"), "HOUSE": str(house)}
        found = blocks(PAGE)
        assert len(found) >= 12
        wrong = [text for text in (complaint(block, work, environment) for block in found) if text]
    assert not wrong, "\n\n".join(wrong)
