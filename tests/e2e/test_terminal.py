"""What a person sees on a real terminal (A10): a spinner or bar where something takes long, colours there and nowhere else; and
completions in the real shells."""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

from conftest import need
from server import BIN, QUESTION, SMOL, Candor

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
ERASED = "\r\x1b[K"


STARTED = []


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    for terminal in STARTED:
        terminal.kill()
    STARTED.clear()


class Terminal:
    """A program on a pseudo-terminal of 100 columns, and all that it wrote there."""

    def __init__(self, command, environment):
        self.seen = ""
        self.ended = False
        self.pid, self.fd = pty.fork()
        STARTED.append(self)
        if self.pid == 0:
            os.execvpe(str(command[0]), [str(word) for word in command], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

    def read(self, until=None, seconds=60):
        """To the end, or until a pattern has come since the last call."""
        begin, deadline = len(self.seen), time.monotonic() + seconds
        while until is None or not re.search(until, self.seen[begin:]):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"after {seconds} s only: {self.seen[begin:]!r}"
            try:
                piece = os.read(self.fd, 65536)
            except OSError:  # the other side is closed
                piece = b""
            if not piece:
                assert until is None, f"ended without {until}: {self.seen[begin:]!r}"
                break
            self.seen += piece.decode(errors="replace")
        return self.seen[begin:]

    def write(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        self.read()
        os.close(self.fd)
        self.ended = True
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self):
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            os.close(self.fd)
            os.waitpid(self.pid, 0)


def on_terminal(server, *words, **more):
    environment = {k: v for k, v in server.environment.items() if k != "NO_COLOR"} | {"TERM": "xterm-256color"} | more
    return Terminal([BIN / "candor", *words], environment)


def assert_spun(text, label, bar=False):
    """The label was drawn with a moving sign, and the line was taken away again."""
    drawn = list(re.finditer(rf"\r([{FRAMES}]) {label}(.*?)\x1b\[K", text))
    assert drawn, text
    assert all(re.search(r"\d+\.\d s", line[2]) for line in drawn)
    assert not bar or all(re.search(r"\[[█░]+\] +\d+ %", line[2]) for line in drawn)
    assert text[drawn[-1].end():].startswith(ERASED)
    return {line[1] for line in drawn}


@pytest.fixture(scope="session")
def long_log(tmp_path_factory):
    """A log of 200,000 entries, as a data folder without a server."""
    need(BIN / "candor-make-log", "the maker of logs (cmake --build --preset release --target candor-make-log)")
    server = Candor(tmp_path_factory.mktemp("long"), {})
    subprocess.run([BIN / "candor-make-log", server.data, "200000"], check=True, capture_output=True)
    return server


def test_loading_a_model_spins(own):
    need(SMOL, "the default model")
    own.models = {"smollm2": SMOL}
    with own as server:
        terminal = on_terminal(server, "model", "load", "smollm2")
        assert terminal.end() == 0
        assert len(assert_spun(terminal.seen, "verifying and loading smollm2")) > 1  # it moves
        assert "loaded smollm2, entry" in terminal.seen.rpartition(ERASED)[2]


def test_waiting_for_an_answer_spins_until_its_first_word(own, slow_upstream):
    """An engine that takes its time, as one does that is loaded first."""
    slow_upstream.words = ["Par", "is."]
    slow_upstream.hold_start = True
    with own.configure(slow_upstream.toml()) as server:
        terminal = on_terminal(server, "chat", "-m", QUESTION)
        terminal.read(until="waiting for canned")
        slow_upstream.release()
        assert terminal.end() == 0
        assert_spun(terminal.seen.partition("Par")[0], "waiting for canned")
        assert "Paris." in terminal.seen and "receipt verified" in terminal.seen


def test_verifying_a_long_log_counts_its_entries(long_log):
    terminal = on_terminal(long_log, "ledger", "verify")
    terminal.end()
    counted = [int(n.replace(",", "")) for n in re.findall(r"\r([\d,]+) of 200,000 entries", terminal.seen)]
    assert len(counted) > 3 and counted == sorted(counted) and ERASED in terminal.seen


def test_exporting_a_long_log_shows_a_bar(long_log, tmp_path):
    terminal = on_terminal(long_log, "ledger", "export", tmp_path / "out")
    assert terminal.end() == 0
    assert_spun(terminal.seen, "copying", bar=True)
    assert "exported 200000 entries" in terminal.seen


def test_erasing_spins(own, upstream):
    with own.configure(upstream.toml()) as server:
        exchange = server.complete(model="canned").headers["candor-exchange"]
        terminal = on_terminal(server, "erase", "--exchange", exchange, "--reason", "a test", "--yes")
        assert terminal.end() == 0
        assert_spun(terminal.seen, "erasing")


def test_a_server_on_a_terminal_says_in_words_what_it_does(own_tiny):
    terminal = Terminal(own_tiny.command()[:4], own_tiny.environment | {"CANDOR_MODEL": f"tiny={own_tiny.models['tiny']}"})
    own_tiny.port = int(re.search(r"listening on http://127\.0\.0\.1:(\d+)", terminal.read(until=r"listening on .*\n"))[1])
    assert_spun(terminal.seen, "opening the ledger")
    assert own_tiny.complete().status == 200  # loads the model
    lines = terminal.read(until="model.loaded")
    assert "{" not in lines  # text, since it is a terminal
    terminal.write("\x03")  # Ctrl-C
    assert terminal.end() == 0


def test_colours_and_spinners_only_on_a_terminal_that_wants_them(own, upstream, tmp_path):
    with own.configure(upstream.toml()) as server:
        words = ["chat", "-m", QUESTION]
        coloured = on_terminal(server, *words)
        assert coloured.end() == 0 and re.search(r"\x1b\[[0-9;]+m", coloured.seen)
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            plain = on_terminal(server, *words, **environment)
            assert plain.end() == 0 and not re.search(r"\x1b\[[0-9;]+m", plain.seen), environment
        machine = on_terminal(server, "--json", *words)
        assert machine.end() == 0 and not re.search(r"\x1b\[[0-9;]+m", machine.seen)
        for verb in (words, ["doctor"], ["model", "list"], ["ledger", "export", tmp_path / "out"], ["ledger", "verify"]):
            done = server.run(*verb, code=None)
            assert "\x1b" not in done.stdout + done.stderr and "\r" not in done.stdout + done.stderr, verb


# --- completion, in the shells themselves


@pytest.fixture
def shells(tmp_path):
    """A folder with `candor` on the path and the three scripts where the documentation says they go."""
    server = Candor(tmp_path / "nobody", {})
    folder = tmp_path / "shells"
    folder.mkdir()
    (folder / "candor").symlink_to(BIN / "candor")
    for shell, name in (("bash", "candor.bash"), ("zsh", "_candor"), ("fish", "candor.fish")):
        (folder / name).write_text(server.run("completion", shell).stdout)
    (folder / "notes.txt").write_text("")
    return folder, server.environment | {"PATH": f"{folder}:{os.environ['PATH']}", "TERM": "xterm", "ZDOTDIR": str(folder)}


def have(shell):
    """./check installs the shells (tools/packages.sh); by hand without them there is nothing to see."""
    need(shutil.which(shell) or f"/usr/bin/{shell}", f"the shell {shell}")
    return shell


@pytest.mark.parametrize("shell, name", [("bash", "candor.bash"), ("zsh", "_candor"), ("fish", "candor.fish")])
def test_completion_scripts_are_lawful_to_their_shells(shells, shell, name):
    folder, environment = shells
    done = subprocess.run([have(shell), "-n", folder / name], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


# What is typed, what must be offered for it, and what must not.
LINES = [
    ("candor ", {"serve", "ledger", "--json"}, {"show"}),
    ("candor led", {"ledger"}, {"serve", "--json"}),
    ("candor ledger ", {"show", "tail", "verify", "export", "open"}, {"serve"}),
    ("candor ledger show ", {"--json"}, {"tail", "verify"}),
    ("candor chat --temp", {"--temperature"}, {"--max-tokens"}),
    ("candor chat --model smollm2 --max", {"--max-tokens"}, {"serve"}),  # a value is no verb
    ("candor --json key cre", {"create"}, {"list"}),
    ("candor completion ", {"bash", "zsh", "fish"}, {"serve"}),
    ("candor --config not", {"notes.txt"}, {"serve"}),  # a file is wanted
]
TYPED = pytest.mark.parametrize("line, offered, not_offered", LINES, ids=[line.strip() for line, _, _ in LINES])


@TYPED
def test_bash_completes(shells, line, offered, not_offered):
    folder, environment = shells
    asked = (f"cd {folder}; source candor.bash; COMP_LINE='{line}'; read -ra COMP_WORDS <<<\"$COMP_LINE\"; "
             "[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _candor; "
             "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert not done.stderr and offered <= set(done.stdout.split()) and not not_offered & set(done.stdout.split())


@TYPED
def test_fish_completes(shells, line, offered, not_offered):
    folder, environment = shells
    done = subprocess.run([have("fish"), "--no-config", "-c", f"cd {folder}; source candor.fish; complete -C '{line}'"],
                          env=environment, capture_output=True, text=True, check=True)
    found = {row.split("\t")[0] for row in done.stdout.splitlines()}
    if line.endswith(" "):  # fish lists options once there is a dash
        offered = {word for word in offered if not word.startswith("-")}
    assert not done.stderr and offered <= found and not not_offered & found


@pytest.mark.parametrize("way", ["a folder of $fpath", "sourced"])
@TYPED
def test_zsh_completes(shells, line, offered, not_offered, way):
    """On a real terminal with the real completion system: what the Tab key lists."""
    folder, environment = shells
    rc = "PS1='ready> '; unsetopt beep; zstyle ':completion:*' list-prompt ''; LISTMAX=1000\n"
    rc += f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D\n" if way.startswith("a folder") else \
        f"autoload -Uz compinit; compinit -u -D; source {folder}/_candor\n"
    (folder / ".zshrc").write_text(rc + f"cd {folder}; bindkey '^I' expand-or-complete; bindkey '^G' list-choices\n")
    terminal = Terminal([have("zsh"), "-d", "-i"], environment)
    terminal.read(until="ready> ")
    terminal.write(line)
    terminal.read(until=re.escape(line.strip()))
    terminal.write("\t\t")
    seen = ""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not all(word in re.split(r"[\s\x00-\x1f]+", strip(line, seen)) for word in offered):
        ready, _, _ = select.select([terminal.fd], [], [], 0.3)
        if ready:
            seen += os.read(terminal.fd, 65536).decode(errors="replace")
    words = set(re.split(r"[\s\x00-\x1f]+", strip(line, seen)))
    terminal.write("\x15exit\r")
    terminal.end()
    assert offered <= words and not not_offered & words, seen


def strip(line, seen):
    """The text without control sequences; what was completed on the line itself counts as one word."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x08", "", seen)
    typed = line.split(" ")[-1]
    return typed + text if typed else text
