"""docs/audit.md does what it shows (A24): each marked block is run in order against a real server (pages.py). All blocks share
one folder and one server."""
import os

import pytest

from conftest import need
from go_tools import go_tool
from pages import blocks, complaint, missing
from server import BIN, ROOT, SMOL, Candor

PAGE = ROOT / "docs" / "audit.md"
def find_fsck():
    """As tests/interop/fsck.sh finds or builds it."""
    return go_tool("github.com/transparency-dev/tessera/cmd/fsck", "v1.0.4", "FSCK")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What is wrong with each block, after all that can be run were run in order."""
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    need("/usr/bin/jq", "jq")
    folder = tmp_path_factory.mktemp("audit")
    work = folder / "work"
    work.mkdir()
    fsck = find_fsck()
    found = {}
    with Candor(folder, {"smollm2": SMOL}) as server:
        environment = server.environment | {"PATH": f"{BIN}:{os.environ['PATH']}", "URL": server.url, "MODEL": str(SMOL),
                                            "FSCK": str(fsck)}
        for block in blocks(PAGE):
            if block.needs != "fsck" or fsck:
                found[block.name] = complaint(block, work, environment)
    return found


def test_every_block_of_the_page_does_what_it_shows(page):
    others = [block for block in blocks(PAGE) if not block.needs]
    assert len(others) >= 25
    wrong = [page[block.name] for block in others if page[block.name]]
    assert not wrong, "\n\n".join(wrong)


def test_tesseras_fsck_agrees_as_the_page_shows(page):
    wanted = [block for block in blocks(PAGE) if block.needs == "fsck"]
    assert len(wanted) == 2
    if not find_fsck():
        pytest.skip("Tessera's fsck is not there and cannot be built")
    wrong = [page[block.name] for block in wanted if page[block.name]]
    assert not wrong, "\n\n".join(wrong)


def test_a_line_that_was_not_printed_is_noticed():
    printed = "size 7\n  ok   P2  the log extends the pinned head  [log 9, pin 9]\nVerified.\n"
    assert missing("  ok   P2  the log extends the pinned head  [log 4, pin 3]\n…\nVerified.\n", printed) is None
    assert missing("NOT VERIFIED: P2 fails at …\n", printed) == "NOT VERIFIED: P2 fails at …"
    assert missing("Verified.\nsize 7\n", printed) == "size 7"  # the order counts
    assert missing("  ok   P2  the log extends\n", printed)  # a part of a line is not the line
