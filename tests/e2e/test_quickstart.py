"""./quickstart from a clone of its own (A1). What takes minutes (compiling) is replaced by programs that are built already; that the
whole of it works on a fresh machine is seen by hand. The ordinary user is played by an `id` that says so."""
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from conftest import need
from server import BIN, ROOT, SMOL

MISSING = 'echo "dpkg-query: no packages found matching $name" >&2; exit 1'


def program(file, text):
    file.write_text("#!/bin/bash\n" + text + "\n")
    file.chmod(0o755)


class Clone:
    def __init__(self, folder, user="ordinary"):
        need(SMOL, "the default model (tools/default_model.sh .cache/models)")
        self.root, self.home, self.path = folder / "candor", folder / "home", folder / "path"
        subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, self.root], check=True)
        for name in ("quickstart", "tools", "packaging"):  # as they are here, committed or not
            subprocess.run(["cp", "-r", ROOT / name, self.root], check=True)
        self.home.mkdir()
        self.path.mkdir()
        (self.root / "build" / "bin").mkdir(parents=True)
        for file in BIN.iterdir():
            if file.name.startswith("candor"):
                os.link(file, self.root / "build" / "bin" / file.name) if os.stat(file).st_dev == os.stat(folder).st_dev \
                    else shutil.copy2(file, self.root / "build" / "bin")
        (self.root / ".cache" / "models").mkdir(parents=True)
        shutil.copyfile(SMOL, self.root / ".cache" / "models" / SMOL.name)
        for script in ("fetch.sh", "build.sh"):
            program(self.root / "engine" / script, "exit 0")
        program(self.path / "cmake", "exit 0")
        if user == "ordinary":
            program(self.path / "id", "echo 1000")
            program(self.path / "sudo", "exit 1")
        program(self.path / "apt-get", f"touch {folder}/apt-get-was-run; exit 1")
        self.installed()

    def installed(self, but=""):
        program(self.path / "dpkg-query", f'name=${{!#}}; [[ $name == "{but}" ]] && {{ {MISSING}; }}; echo installed')

    def run(self, *words, timeout=300):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CANDOR_", "XDG_"))}
        environment |= {"HOME": str(self.home), "PATH": f"{self.path}:{environment['PATH']}", "NO_COLOR": "1"}
        begin = time.monotonic()
        done = subprocess.run([self.root / "quickstart", *map(str, words)], env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, check=False, cwd=self.home)
        self.seconds = time.monotonic() - begin
        return done.returncode, done.stdout + done.stderr

    def running(self):
        """Pids of programs that run from this clone."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "exe").startswith(str(self.root)):
                    found.append(int(entry.name))
            except OSError:
                pass
        return found


@pytest.fixture
def clone(tmp_path):
    made = Clone(tmp_path)
    yield made
    made.run("--stop")
    assert not made.running()


def test_a_missing_package_is_answered_with_the_command_to_run(clone, tmp_path):
    clone.installed(but="libsodium-dev")
    code, words = clone.run()
    assert code == 3
    assert "Run as root:\n  apt-get update && apt-get install -y --no-install-recommends libsodium-dev\n" in words
    assert not (tmp_path / "apt-get-was-run").exists() and not clone.running()


def test_the_second_run_finds_everything_and_the_server_stays_until_stop(clone):
    code, words = clone.run()
    assert code == 0 and "The capital of France is Paris." in words and "  Verified." in words
    assert words.index("Answer") < words.index("Receipt") < words.index("Verified by candor-verify")
    for next_step in ("curl http://127.0.0.1:", "OpenAI(base_url=", "candor chat", "./quickstart --stop"):
        assert next_step in words
    assert (clone.home / ".local/share/candor/ledger/checkpoint").exists()
    first = clone.running()
    code, words = clone.run()
    assert code == 0 and "candor serve (runs already)" in words and "  Verified." in words
    assert clone.running() == first and clone.seconds < 60
    code, words = clone.run("--stop")
    assert code == 0 and words.strip() == "stopped" and not clone.running()
    assert "no server is running" in clone.run("--stop")[1]


def test_another_model_is_served_under_its_files_name(clone, tmp_path):
    other = tmp_path / "Another Model.Q4.gguf"
    other.symlink_to(SMOL)
    code, words = clone.run("--model", other, "--once")
    assert code == 0 and "Another-Model.Q4" in words and "verified, server stopped" in words and not clone.running()
    code, words = clone.run("--model", tmp_path / "absent.gguf", "--once")
    assert code == 4 and "cannot read" in words


def test_once_fails_when_the_receipt_does_not_verify(clone):
    """The answer is changed between the server and candor-verify, as somebody in between would."""
    real = clone.root / "build" / "bin" / "candor-verify"
    real.rename(real.with_name("candor-verify.real"))
    program(real, 'here=$(dirname "$0"); sed -i "s/Paris/Lyon/; s/ Par/ Lyo/" build/quickstart/response.sse; exec "$here/candor-verify.real" "$@"')
    code, words = clone.run("--once")
    assert code == 1 and "THE RECEIPT DID NOT VERIFY" in words and "FAIL" in words and not clone.running()
    assert "verified, server stopped" not in words


def test_what_it_cannot_do_it_says(clone):
    assert clone.run("--nonsense")[0] == 2
    code, words = clone.run("--service")
    assert code == 5 and "takes root" in words
