"""Pages that are run. A marked block is `<!-- run [exit=N] [needs=NAME] -->`, a shell block, and a text block with the output
it showed. The exit code must be N (0 when not given), and every shown line must stand in what the commands print, in that
order. Numbers, times, digests and keys differ from run to run, so they are compared as N and X; `…` stands for anything,
whole lines too."""
import contextlib
import os
import re
import signal
import subprocess

BLOCK = re.compile(r"<!-- run(?P<options>[^>]*) -->\n```sh\n(?P<commands>.*?)```\n```text\n(?P<shown>.*?)```\n", re.S)


class Block:
    def __init__(self, number, match, text):
        options = dict(word.split("=", 1) for word in match["options"].split())
        section = re.findall(r"^## (.*)$", text[:match.start()], re.M)[-1]
        self.name = f"block {number}, '{section}', line {text.count(chr(10), 0, match.start()) + 1}"
        self.exit = int(options.pop("exit", 0))
        self.needs = options.pop("needs", "")
        assert not options, f"{self.name}: unknown options {options}"
        self.commands, self.shown = match["commands"], match["shown"]


def blocks(page):
    text = page.read_text()
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
