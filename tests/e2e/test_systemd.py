"""The unit under a real systemd (A1, A10): a container of this machine's own file system is booted, ./quickstart --service installs
Candor in it, and the service is asked, reloaded, killed and stopped as an administrator would. Takes root."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from server import wait_until
from test_quickstart import Clone


class Machine:
    """A booted container: this machine's files below a layer in memory, no network but loopback."""

    def __init__(self, folder):
        self.layers, self.root, self.console = folder / "layers", folder / "root", folder / "console.log"
        for made in (self.layers, self.root):
            made.mkdir()
        self.process = None
        self.call("mount", "-t", "tmpfs", "tmpfs", self.layers)
        for made in ("upper", "work"):
            (self.layers / made).mkdir()
        self.call("mount", "-t", "overlay", "overlay", "-o",
                  f"lowerdir=/,upperdir={self.layers}/upper,workdir={self.layers}/work", self.root)

    @staticmethod
    def call(*words):
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{' '.join(map(str, words[:4]))}: {done.stderr.strip()}")

    def boot(self):
        for wanted in (self.root / "etc/systemd/system/multi-user.target.wants").glob("*"):
            wanted.unlink()  # none of this machine's own services
        for installed in ("var/lib/candor", "etc/candor", "usr/local/lib/candor"):  # nor what was installed here before
            shutil.rmtree(self.root / installed, ignore_errors=True)
        (self.root / "etc/systemd/system/candor.service").unlink(missing_ok=True)
        (self.root / "etc/machine-id").unlink(missing_ok=True)
        (self.root / "etc/machine-id").touch()
        command = ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--register=no", "--keep-unit", "--private-network",
                   # what systemd-nspawn of Debian 12 does not know, and a machine has
                   "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
                   "--boot", "--console=pipe", "systemd.unit=multi-user.target"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(self.console, "w"), stderr=subprocess.STDOUT)
        self.leader = wait_until(self.first_process, f"a systemd below {command[0]}: {self.console.read_text()}", 60)
        wait_until(lambda: self.run("systemctl", "is-system-running", code=None).stdout.strip() in ("running", "degraded"),
                   "the container is up", 120)
        return self

    def first_process(self):
        assert self.process.poll() is None, self.console.read_text()
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(self.process.pid):
                    return int(entry.name)
            except OSError:
                pass
        return None

    def run(self, *words, code=0, timeout=300):
        done = subprocess.run(["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                               "--root", "--wd=/", "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "HOME=/root", "NO_COLOR=1", *map(str, words)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
        assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def unit(self, *names):
        shown = self.run("systemctl", "show", "candor.service", "--property", ",".join(names)).stdout
        return dict(line.split("=", 1) for line in shown.splitlines())

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for mounted in (self.root, self.layers):
            subprocess.run(["umount", "-l", mounted], check=False)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("booting a container takes root")
    if not os.path.exists("/usr/bin/systemd-nspawn"):
        pytest.skip("no systemd-nspawn (Debian's systemd-container)")
    made = Machine(tmp_path_factory.mktemp("machine"))
    try:
        home = made.root / "opt" / "candor"  # the container has a /tmp of its own
        home.mkdir(parents=True)
        Clone(home, user="root")
        made.boot()
        installed = made.run("env", "PATH=/opt/candor/path:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                             "/opt/candor/candor/quickstart", "--service", code=None)
        assert installed.returncode == 0, installed.stdout + installed.stderr + made.run(
            "sh", "-c", "journalctl --unit=candor.service --output=cat --no-pager | tail -n 30; candor doctor", code=None).stdout
        made.said = installed.stdout
        yield made
    finally:
        made.close()


def candor(machine, *words):
    return json.loads(machine.run("/usr/local/bin/candor", "--json", *words).stdout)


def entries(machine):
    lines = machine.run("/usr/local/bin/candor", "--json", "ledger", "tail", "-n", "1000").stdout.splitlines()
    return [json.loads(json.loads(line)["entry"]) for line in lines]


def test_quickstart_installs_the_service_which_answers_and_verifies(machine):
    assert "systemd unit candor.service" in machine.said and "The capital of France is Paris." in machine.said
    assert "  Verified." in machine.said
    unit = machine.unit("ActiveState", "SubState", "User", "Type", "UnitFileState", "NRestarts", "MainPID")
    assert (unit["ActiveState"], unit["SubState"], unit["UnitFileState"], unit["Type"]) == ("active", "running", "enabled", "notify")
    assert unit["User"] == "candor" and unit["NRestarts"] == "0"
    [user] = machine.run("ps", "-o", "user=", "-p", unit["MainPID"]).stdout.split()
    assert user == "candor"
    report = candor(machine, "doctor")["server"]
    assert report["mode"] == "service" and str(report["pid"]) == unit["MainPID"]


def test_the_engine_is_confined_under_the_unit_too(machine):
    loads = [e for e in entries(machine) if e["type"] == "load"]
    assert loads and all(e["confinement"]["confined"] and e["confinement"]["seccomp"] for e in loads)


def test_reload_is_an_entry(machine):
    machine.run("sh", "-c", "printf '\\n[limits]\\nmax_tokens = 77\\n' >> /etc/candor/candor.toml")
    machine.run("systemctl", "reload", "candor.service")
    wait_until(lambda: any(e["type"] == "configuration" and "limits.max_tokens" in e["changed"] for e in entries(machine)), "the entry", 30)
    assert machine.unit("ActiveState")["ActiveState"] == "active"


def test_a_killed_monitor_is_started_again_and_its_history_goes_on(machine):
    before = entries(machine)
    machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "candor.service")
    wait_until(lambda: machine.unit("NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"}, "the restart", 60)
    after = entries(machine)
    assert after[:len(before)] == before and after[len(before)]["type"] == "start"
    assert machine.run("/usr/local/bin/candor", "ledger", "verify").returncode == 0


def test_stop_drains_and_is_recorded_and_start_is_refused_nothing(machine):
    machine.run("systemctl", "stop", "candor.service")
    unit = machine.unit("ActiveState", "Result", "ExecMainStatus")
    assert unit == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert entries(machine)[-1]["type"] == "stop"
    machine.run("systemctl", "start", "candor.service")  # returns when it is ready: Type=notify
    assert machine.run("curl", "--silent", "--fail", "http://127.0.0.1:8421/health").stdout == '{"status":"ok"}'


def test_S5_the_shipped_signer_unit_keeps_the_key_under_a_user_of_its_own(machine):
    """The commands at the head of candor-signer.service as they stand there; then an answer, a killed signer, and the log."""
    def user(service):
        main = machine.run("systemctl", "show", service, "--property=MainPID", "--value").stdout.strip()
        return main, machine.run("ps", "-o", "user:32=", "-p", main, code=None).stdout.strip()

    def ask():
        return machine.run("/usr/local/bin/candor", "chat", "-m", "What is the capital of France? Answer in one sentence.",
                           "--temperature", "0")

    units = "/opt/candor/candor/packaging/signer"
    head = machine.run("cat", f"{units}/candor-signer.service").stdout.partition("[Unit]")[0]
    steps = "\n".join(line.removeprefix("#   ") for line in head.splitlines() if line.startswith("#   ") and not line.startswith("#   # "))
    before = entries(machine)
    machine.run("sh", "-euc", f"cd {units}\n{steps}")
    wait_until(lambda: machine.unit("ActiveState")["ActiveState"] == "active", "the monitor", 60)
    (monitor, its_user), (signer, signers) = user("candor.service"), user("candor-signer.service")
    assert its_user == "candor" and signers == "candor-signer" and monitor != signer
    assert machine.run("setpriv", "--reuid=candor", "--regid=candor", "--clear-groups", "ls", "/var/lib/candor-signer", code=None).returncode != 0
    assert machine.run("stat", "--format=%U %a", "/var/lib/candor-signer/log.key").stdout.split() == ["candor-signer", "600"]
    machine.run("pgrep", "-u", "candor", "candor-signer", code=1)  # finds none: the monitor has no signer of its own
    assert "Paris" in ask().stdout

    machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "candor-signer.service")

    def both_again():
        (other, _), (again, _) = user("candor.service"), user("candor-signer.service")
        return monitor != other != "0" and signer != again != "0" and machine.unit("ActiveState")["ActiveState"] == "active"
    wait_until(both_again, "monitor and signer started again", 90)
    assert "Paris" in ask().stdout
    after = entries(machine)
    assert after[:len(before)] == before and len(after) > len(before)
    assert machine.run("/usr/local/bin/candor", "ledger", "verify").returncode == 0


def test_the_journal_has_structured_lines_and_no_prompt(machine):
    lines = machine.run("journalctl", "--unit=candor.service", "--output=cat", "--no-pager").stdout
    assert '"event":"monitor.ready"' in lines and "France" not in lines and "Paris" not in lines


def test_systemd_analyze_finds_little_exposed(machine):
    said = machine.run("systemd-analyze", "security", "--no-pager", "candor.service").stdout
    exposure = float(re.search(r"Overall exposure level for candor\.service: ([\d.]+)", said)[1])
    assert exposure <= 3.5, said
