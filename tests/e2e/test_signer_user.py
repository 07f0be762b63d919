"""The signer under a user of its own (S5): the shipped units, and two real users without systemd."""
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from server import BIN, ROOT, Candor, wait_until

UNITS = ROOT / "packaging" / "signer"
MONITOR, SIGNER, GROUP = 61_301, 61_302, 61_301  # numbers that no user has


def setpriv(uid, *command):
    return ["setpriv", f"--reuid={uid}", f"--regid={GROUP}", "--clear-groups", *map(str, command)]


class OtherUser(Candor):
    def command(self):
        return setpriv(MONITOR, *super().command())

    def as_monitor(self, *command):
        return subprocess.run(setpriv(MONITOR, *command), env=self.environment, capture_output=True, text=True,
                              timeout=60, check=False)


@pytest.fixture
def place():
    """A folder that both users can pass through."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("acting as two other users needs root and setpriv")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="candor-two-users-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def programs(place):
    """The programs where other users can read them, as an installation has them."""
    target = place / "bin"
    target.mkdir()
    for name in ("candor", "candor-signer", "candor-engine", "candor-inspect", "candor-verify"):
        if (BIN / name).exists():
            shutil.copy2(BIN / name, target / name)
    subprocess.run(["chmod", "-R", "a+rX", target], check=True)
    return target


@pytest.fixture
def signer(place, programs):
    state, run = place / "signer-state", place / "run"
    for folder, mode in ((state, 0o700), (run, 0o750)):
        folder.mkdir(mode=mode)
        os.chown(folder, SIGNER, GROUP)
    process = subprocess.Popen(setpriv(SIGNER, programs / "candor-signer", "--listen", run / "signer.sock",
                                       "--client", MONITOR, state), stderr=subprocess.PIPE, text=True, env={})
    wait_until(lambda: (run / "signer.sock").exists() or process.poll() is not None, "the signer's socket")
    assert process.poll() is None, process.stderr.read()
    process.state, process.socket = state, run / "signer.sock"
    yield process
    process.terminate()
    process.wait(10)


@pytest.fixture
def server(place, programs, signer, upstream, monkeypatch):
    import server as module
    monkeypatch.setattr(module, "BIN", programs)
    made = OtherUser(place / "monitor", {}).configure(upstream.toml())
    made.data.mkdir(mode=0o700)
    subprocess.run(["chown", "-R", f"{MONITOR}:{GROUP}", made.folder], check=True)
    made.more_environment = {"CANDOR_SIGNER_SOCKET": str(signer.socket)}
    yield made
    made.__exit__()


def test_S5_monitor_and_signer_run_as_two_users_and_the_log_verifies(server, signer):
    with server:
        reply = server.complete(model="canned")
        assert reply.status == 200 and reply.json()["candor"]["receipt"]
        assert not server.children("candor-signer")  # nobody of the monitor's own
        assert not (server.data / "signer").exists()
        key = signer.state / "log.key"
        assert key.stat().st_uid == SIGNER and key.stat().st_mode & 0o077 == 0
        assert server.as_monitor("cat", key).returncode != 0  # the monitor's account, without any sandbox
        assert server.as_monitor("ls", signer.state).returncode != 0
        # One monitor at a time: a second connection of the same user waits and is served nothing.
        probe = ("import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\ns.settimeout(0.5)\n"
                 "s.connect(sys.argv[1]); s.send(b'O')\n"
                 "try: print(s.recv(9))\nexcept TimeoutError: print('waits')\n")
        assert server.as_monitor(shutil.which("python3", path="/usr/bin") or "python3", "-c", probe, signer.socket).stdout.strip() == "waits"
    first = server.verify_log()
    assert first[0] == 0, first[1]
    with server:  # and another run over the same signer's state
        assert server.complete(model="canned").status == 200
    code, words = server.verify_log()
    assert code == 0 and "mode" in words, words
    assert signer.poll() is None


def test_S5_a_client_of_another_user_is_turned_away(server, signer):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(10)
    connection.connect(str(signer.socket))  # root, which is not the monitor's user
    try:
        connection.send(b"O")
        assert connection.recv(64) == b""
    except (BrokenPipeError, ConnectionResetError):
        pass
    with server:
        assert server.complete(model="canned").status == 200


def test_S5_a_second_signer_over_the_same_key_is_refused(place, programs, signer):
    done = subprocess.run(setpriv(SIGNER, programs / "candor-signer", "--listen", place / "run" / "other.sock",
                                  "--client", MONITOR, signer.state), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and str(signer.pid) in done.stderr, done.stderr


def test_S5_a_dead_signer_ends_the_monitor_and_a_restart_of_both_goes_on(server, signer, programs):
    with server:
        assert server.complete(model="canned").status == 200
        signer.kill()
        assert server.process.wait(30) != 0
    signer.socket.unlink()  # what the dead one left, so that waiting means the new one
    again = subprocess.Popen(setpriv(SIGNER, programs / "candor-signer", "--listen", signer.socket, "--client", MONITOR,
                                     signer.state), env={})
    try:
        wait_until(signer.socket.exists, "the signer's socket")
        with server:
            assert server.complete(model="canned").status == 200
        assert server.verify_log()[0] == 0
    finally:
        again.terminate()
        again.wait(10)


def test_S5_the_shipped_units_give_the_signer_a_user_of_its_own():
    unit, drop_in = UNITS / "candor-signer.service", UNITS / "candor.service.d" / "signer.conf"
    text, monitor = unit.read_text(), (UNITS.parent / "candor.service").read_text()
    assert "User=candor-signer" in text and "User=candor\n" in monitor
    path = "/run/candor-signer/signer.sock"
    assert f"--listen {path} --client candor " in text and f"CANDOR_SIGNER_SOCKET={path}" in drop_in.read_text()
    assert "StateDirectoryMode=0700" in text
    if shutil.which("systemd-analyze") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copy(unit, folder)
        shutil.copy(UNITS.parent / "candor.service", folder)
        shutil.copytree(UNITS / "candor.service.d", folder / "candor.service.d")
        environment = os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:"}
        done = subprocess.run(["systemd-analyze", "verify", folder / "candor-signer.service", folder / "candor.service"],
                              env=environment, capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if str(folder) in line or "candor" in line]
        # The programs are not installed here; nothing else may be said.
        assert not [line for line in complaints if "is not executable" not in line], done.stderr
