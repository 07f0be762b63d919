"""What the kernel grants an engine, and what happens where it grants less (A5, S10, S11, S16)."""
import os
import pathlib
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

import pytest

from conftest import add_auditor, need
from server import BIN, ROOT, SMOL, TINY, Candor, wait_until

HERE = pathlib.Path(__file__).parent
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="without.py knows x86-64's numbers")


def without(server, what):
    """The same server on a kernel that has none of it."""
    plain = type(server).command
    server.command = lambda: [sys.executable, "-I", str(HERE / "without.py"), what, *plain(server)]
    return server


def doctor_without(server, what):
    done = subprocess.run([sys.executable, "-I", str(HERE / "without.py"), what, str(BIN / "candor"), "doctor"], env=server.environment,
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("missing, words", [("landlock", "Landlock file rules"), ("seccomp", "seccomp filter"),
                                            ("landlock,seccomp,namespaces", "seccomp filter")])
def test_A5_an_engine_that_cannot_be_confined_is_refused_with_its_fix(own_tiny, missing, words):
    with without(own_tiny, missing) as server:
        reply = server.complete()
        assert reply.status == 503 and "candor doctor" in reply.json()["error"]["message"]
        said = server.run("model", "load", "tiny", code=None).stderr
        assert "sandbox" in said and "NOT CONFINED" in said and words in said
        assert 'engine.unconfined = "allow"' in said  # the fix, in so many words
        assert not server.engine_pids()
        acts = [e for e in server.entries() if e["type"] == "admin" and e["verb"] == "model.load"]
        assert acts and {e["result"] for e in acts} == {"failed_precondition"}
        assert not [e for e in server.entries() if e["type"] in ("load", "intent")]
        code, shown = doctor_without(server, missing)
        assert "NOT CONFINED" in shown and 'engine.unconfined = "allow"' in shown
        if "landlock" in missing:
            assert code != 0 and "Landlock absent: engines cannot be confined and are refused" in shown


def test_A5_the_exception_of_the_configuration_runs_it_and_says_so(own):
    need(TINY, "the tiny model")
    own.configure(f'[engine]\nunconfined = "allow"\n[[model]]\nname = "tiny"\npath = "{TINY}"\n')
    with without(own, "landlock") as server:
        assert server.complete(model="tiny").status == 200
        [load] = [e for e in server.entries() if e["type"] == "load"]
        assert load["confinement"]["confined"] is False and load["confinement"]["landlock_abi"] == 0
        assert load["confinement"]["seccomp"] is True  # what can be had is still had
        [p6] = [p for p in server.json("doctor", code=None)["promises"] if p["id"] == "P6"]
        assert p6["state"] == "not held" and "without its sandbox" in p6["why"]
        assert "NOT CONFINED" in server.run("doctor", code=None).stdout
        assert server.verify_log()[0] == 0


def test_A5_without_namespaces_the_rest_holds_and_their_absence_is_shown(own_tiny):
    with without(own_tiny, "namespaces") as server:
        assert server.complete().status == 200
        [load] = [e for e in server.entries() if e["type"] == "load"]
        confinement = load["confinement"]
        assert confinement["confined"] and not (confinement["pid_namespace"] or confinement["network_namespace"])
        shown = server.run("doctor", code=None).stdout
        assert "confined: no new privileges" in shown
        grants = next(line for line in shown.splitlines() if "not granted:" in line)
        for name in ("network namespace", "PID namespace", "mount namespace"):
            assert name in grants.partition("not granted:")[2]


def test_A5_what_was_granted_is_in_the_load_entry_and_what_doctor_shows(own_tiny):
    with own_tiny as server:
        server.complete()
        [load] = [e for e in server.entries() if e["type"] == "load"]
        [pid] = server.engine_pids()
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2") and int(status["CapEff"], 16) == 0
        assert load["confinement"]["confined"] and load["confinement"]["memory_limit"]
        shown = server.run("doctor", code=None).stdout
        for name in ("no new privileges", "seccomp filter", "Landlock file rules", "no capabilities", "memory limit"):
            assert name in shown


def promises(server):
    return {p["id"]: p for p in server.json("doctor", code=None)["promises"]}


def test_S11_doctor_says_against_whom_where_it_runs_as_a_person(own_tiny):
    with own_tiny as server:
        server.complete()
        add_auditor(server)
        found = promises(server)
        for number in ("P2", "P3", "P5"):
            assert found[number]["state"] == "limited"
            assert found[number]["why"].startswith("against other users; this user's own account could")
        assert server.json("doctor", code=None)["server"]["mode"] == "own_user"
        [start] = [e for e in server.entries() if e["type"] == "start"]
        assert start["mode"] == "own_user"


@pytest.fixture
def open_folder():
    """A folder that every user may pass through."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="candor-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def service(open_folder):
    """A server that runs as a service account (uid 700), in a folder of that account."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    need(TINY, "the tiny model")
    server = Candor(open_folder, {"tiny": TINY})
    data = open_folder / "data"
    data.mkdir(mode=0o750)
    os.chown(data, 700, 700)
    plain = type(server).command
    server.command = lambda: ["setpriv", "--reuid=700", "--regid=700", "--clear-groups", "--", *plain(server)]
    yield server
    server.__exit__()


def test_S11_doctor_says_against_whom_where_it_runs_as_a_service_account(service):
    with service as server:
        assert server.complete().status == 200
        add_auditor(server)
        found = promises(server)
        for number in ("P2", "P3", "P5"):
            assert found[number]["state"] == "held"
            assert found[number]["why"] == "also against this user: Candor runs as a service account"
        assert server.json("doctor", code=None)["server"]["mode"] == "service"
        [load] = [e for e in server.entries() if e["type"] == "load"]
        assert load["confinement"]["confined"]
        [pid] = server.engine_pids()
        assert os.stat(f"/proc/{pid}").st_uid in (0, 700)  # 0: not dumpable, so its files are root's
        assert "\nUid:\t700" in pathlib.Path(f"/proc/{pid}/status").read_text()


def as_uid(uid, code, *arguments):
    done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", "/usr/bin/python3", "-I", "-c", code,
                           *map(str, arguments)], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
except OSError as error:
    print(type(error).__name__)
    sys.exit()
s.sendall(b"POST /completion HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n" + sys.argv[2].encode() + b"\\r\\n{}")
print(s.recv(100).split()[1].decode())
"""


def foreign(server, **more):
    need(BIN / "llama-server", "a foreign llama-server (engine/build.sh --rival)")
    need(TINY, "the tiny model")
    settings = "".join(f"{key} = {value}\n" for key, value in more.items())
    return server.configure(f'[engine]\nbinary = "{BIN / "llama-server"}"\nforeign = true\n{settings}'
                            f'[[model]]\nname = "tiny"\npath = "{TINY}"\n')


def test_S11_an_engine_that_accepts_for_itself_lets_only_the_monitors_user_with_this_starts_token_in(open_folder):
    with foreign(Candor(open_folder, {})) as server:
        assert server.complete(model="tiny").status == 200
        folder = server.data / "run" / "engines"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and folder.stat().st_uid == os.geteuid()
        [door] = list(folder.glob("*.sock"))
        done = subprocess.run([sys.executable, "-I", "-c", ASK, str(door), ""], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "401"  # of the same user, without the token
        wrong = f"Authorization: Bearer {'0' * 64}\r\n"
        done = subprocess.run([sys.executable, "-I", "-c", ASK, str(door), wrong], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "401"
        for pid in server.children("llama-server") or server.children(""):
            assert b"--api-key\0" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()  # the token is in no command line
        if os.geteuid() == 0 and shutil.which("setpriv"):
            for parent in (server.data, server.data / "run"):
                parent.chmod(0o711)  # so that it is the engines' folder that keeps others out
            assert as_uid(65534, ASK, server.data / "run" / "none.sock", "") == "FileNotFoundError"
            assert as_uid(65534, ASK, door, "") == "PermissionError"


def test_S10_a_foreign_engine_is_confined_too(own):
    with foreign(own) as server:
        assert server.complete(model="tiny").status == 200
        [load] = [e for e in server.entries() if e["type"] == "load"]
        assert load["confinement"]["confined"] and load["provenance"]["engine_basis"] == "declared"
        assert load["engine_build"] == "foreign-build"


CANARY = "zyzzyva-canary-4711"


def files_with(folder, words):
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and words in path.read_bytes()]


def test_S16_a_crash_leaves_the_prompt_in_no_log_and_no_core(own):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    own.models = {"smollm2": SMOL}
    own.arguments += ["--set", "engine.scheduling=other"]  # idle would wait for whatever else runs here
    before = {path for folder in (pathlib.Path.cwd(), ROOT, pathlib.Path("/")) for path in folder.glob("core*") if path.is_file()}
    # As the first of a PID namespace it would not hear the signal that stands in for a fault.
    with without(own, "namespaces") as server:
        stream = server.stream("/v1/completions", {"model": "smollm2", "prompt": f"{CANARY}\n\nOnce upon a time there was a dog", "max_tokens": 4000, "temperature": 0})
        assert stream.event()
        [pid] = server.engine_pids()
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert [line for line in limits.splitlines() if line.startswith("Max core file size")][0].split()[4:6] == ["0", "0"]
        os.kill(pid, signal.SIGSEGV)  # a crash that would leave its memory in a core file
        assert stream.rest()[-1]["error"]["message"]
        wait_until(lambda: [e for e in server.entries() if e["type"] == "unload"], "the engine's end is on record")
        assert CANARY not in "".join(server.log)
        assert [line for line in server.log if "engine.ended" in line and "stderr_bytes" in line]
        assert not files_with(server.folder, CANARY.encode())
    after = {path for folder in (pathlib.Path.cwd(), ROOT, pathlib.Path("/")) for path in folder.glob("core*") if path.is_file()}
    assert after == before
    assert not files_with(own.folder, CANARY.encode())
