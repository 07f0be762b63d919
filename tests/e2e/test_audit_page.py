"""docs/audit.md does what it shows (A24): each marked block is run in order against a real server.

A marked block is `<!-- run [exit=N] [needs=fsck] -->`, a shell block, and a text block with the output it
showed. All blocks share one folder and one server. The exit code must be N (0 when not given), and every
shown line must stand in what the commands print, in that order. Numbers, times, digests and keys differ
from run to run, so they are compared as N and X; `…` stands for anything, whole lines too.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from conftest import need
from server import BIN, ROOT, SMOL, Candor

PAGE = ROOT / "docs" / "audit.md"
BLOCK = re.compile(r"<!-- run(?P<options>[^>]*) -->\n```sh\n(?P<commands>.*?)```\n```text\n(?P<shown>.*?)```\n", re.S)
FSCK_VERSION = "v1.0.4"


class Block:
    def __init__(self, number, match, text):
        options = dict(word.split("=", 1) for word in match["options"].split())
        section = re.findall(r"^## (.*)$", text[:match.start()], re.M)[-1]
        self.name = f"block {number}, '{section}', line {text.count(chr(10), 0, match.start()) + 1}"
        self.exit = int(options.pop("exit", 0))
        self.needs = options.pop("needs", "")
        assert not options, f"{self.name}: unknown options {options}"
        self.commands, self.shown = match["commands"], match["shown"]


def blocks():
    text = PAGE.read_text()
    found = [Block(number, match, text) for number, match in enumerate(BLOCK.finditer(text), 1)]
    assert len(found) == text.count("<!-- run"), "a marker without its shell and text blocks"
    return found


def plain(line):
    """What of a line must be equal in each run."""
    line = re.sub(r"[A-Za-z0-9+/_.:-]*[0-9a-f]{16,}[A-Za-z0-9+/=_.:-]*|[A-Za-z0-9+/]{40,}=*", "X", line)
    return " ".join(re.sub(r"\d+", "N", line).split())


def missing(shown, printed):
    """The first shown line that does not stand in the rest of what was printed, or None."""
    lines, at = [plain(line) for line in printed.splitlines()], 0
    for line in shown.splitlines():
        if line.strip() in ("", "…"):
            continue
        wanted = re.compile(".*".join(re.escape(piece.strip()) for piece in plain(line).split("…")))
        try:
            at = next(i for i in range(at, len(lines)) if wanted.fullmatch(lines[i])) + 1
        except StopIteration:
            return line
    return None


def find_fsck():
    """Tessera's fsck as tests/interop/fsck.sh finds or builds it, or None."""
    cache = os.environ.get("CANDOR_INTEROP_CACHE") or pathlib.Path(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "candor" / "interop"
    fsck = pathlib.Path(os.environ.get("FSCK") or pathlib.Path(cache) / "fsck")
    if not fsck.exists() and shutil.which("go"):
        subprocess.run(["go", "install", f"github.com/transparency-dev/tessera/cmd/fsck@{FSCK_VERSION}"], check=False,
                       env=os.environ | {"GOBIN": str(fsck.parent.resolve())}, capture_output=True, timeout=600)
    return fsck if fsck.exists() else None


def complaint(block, folder, environment):
    """What is wrong with a block, or "" when it does what the page shows."""
    process = subprocess.Popen(["bash", "-o", "pipefail", "-c", block.commands], cwd=folder, env=environment, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        printed, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        return f"not done after 120 s: {block.name}\n{block.commands}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what a failed block left in the background
    said = f"{block.name}\n{block.commands}--- printed\n{printed}"
    if process.returncode != block.exit:
        return f"exit {process.returncode}, the page says {block.exit}: {said}"
    line = missing(block.shown, printed)
    return "" if line is None else f"not printed: {line!r}: {said}"


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
        for block in blocks():
            if block.needs != "fsck" or fsck:
                found[block.name] = complaint(block, work, environment)
    return found


def test_every_block_of_the_page_does_what_it_shows(page):
    others = [block for block in blocks() if not block.needs]
    assert len(others) >= 25
    wrong = [page[block.name] for block in others if page[block.name]]
    assert not wrong, "\n\n".join(wrong)


def test_tesseras_fsck_agrees_as_the_page_shows(page):
    wanted = [block for block in blocks() if block.needs == "fsck"]
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
