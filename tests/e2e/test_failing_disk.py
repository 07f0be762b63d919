"""A disk that fails, or turns read-only, under the real running server (A15, S6): 503 in words, nothing
acknowledged lost. `failing_disk.c` is preloaded and fails the server's own calls below its data folder; where the
kernel grants a loop device, a real ext4 that remounts itself read-only does it too."""
import errno
import pathlib
import subprocess
import threading

import pytest

from preload import preloadable
from server import Candor, wait_until
from test_disk import SMALL, assert_kept


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return preloadable(tmp_path_factory, "failing_disk")


class FailingDisk:
    def __init__(self, server, shim, below="data"):
        self.server, self.when = server, server.folder / "failing"
        server.more_environment |= {"LD_PRELOAD": str(shim), "FAILING_DISK_WHEN": str(self.when),
                                    "FAILING_DISK_BELOW": str(server.folder / below)}

    def fail(self, error):
        self.when.write_bytes(b"x" * error)

    def heal(self):
        self.when.unlink()


def ask(server, count):
    """Exchanges that are acknowledged: each with its receipt."""
    acknowledged = []
    for number in range(count):
        reply = server.complete(f"exchange {number}", model="canned")
        assert reply.status == 200 and reply.json()["candor"]["receipt"]
        acknowledged.append(reply.headers["candor-exchange"])
    return acknowledged


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS], ids=["EIO", "turns-read-only"])
def test_a_failing_disk_refuses_with_503_and_loses_nothing_acknowledged(own, upstream, shim, error):
    disk = FailingDisk(own.configure(SMALL + upstream.toml()), shim)
    with own as server:
        acknowledged = ask(server, 8)
        server.admin("POST", "/v1/publish", {})
        disk.fail(error)
        reply = server.complete("refused", model="canned")
        assert reply.status == 503, (reply.status, reply.body)
        message = reply.json()["error"]["message"]
        assert "restart" in message or "candor doctor" in message, message
        assert "receipt" not in reply.body.decode() and "One two" not in reply.body.decode()
        assert server.http("GET", "/health").status == 503
        # What can be read is still answered: the record is not gone.
        assert server.run("receipt", acknowledged[0]).stdout.startswith("c2sp.org/tlog-proof@v1")
        disk.heal()
        # A retried flush may lie: it refuses until a restart has verified the folder (S6).
        assert server.complete("still refused", model="canned").status == 503
        server.stop()
    with own as server:
        assert_kept(server, acknowledged)
        acknowledged += ask(server, 2)
        assert_kept(server, acknowledged)


def test_a_disk_that_fails_under_load_loses_nothing_acknowledged(own, upstream, shim):
    disk = FailingDisk(own.configure(SMALL + upstream.toml()), shim)
    with own as server:
        acknowledged, refused, odd = [], [], []

        def work(number):
            for turn in range(400):
                reply = server.complete(f"{number} {turn}", model="canned")
                if reply.status != 200:
                    (refused if reply.status == 503 else odd).append(reply)
                    return
                acknowledged.append(reply.headers["candor-exchange"])

        workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for worker in workers:
            worker.start()
        wait_until(lambda: len(acknowledged) > 40, "forty answers")
        disk.fail(errno.EIO)
        for worker in workers:
            worker.join(60)
        assert len(refused) == 8 and not odd, (refused, [r.body for r in odd])
        disk.heal()
        server.kill()
    with own as server:
        code, words = server.verify_log()
        assert code == 0, words
        ends = {e["exchange"] for e in server.entries() if e["type"] == "outcome"}
        assert set(acknowledged) <= ends
        assert server.complete(model="canned").status == 200


def test_a_stream_under_way_when_the_disk_fails_does_not_end_well(own, slow_upstream, shim):
    disk = FailingDisk(own.configure(SMALL + slow_upstream.toml("slow")), shim)
    with own as server:
        stream = server.stream("/v1/completions", {"model": "slow", "prompt": "x", "max_tokens": 9})
        assert stream.event()
        disk.fail(errno.EIO)
        slow_upstream.release()
        with pytest.raises(Exception):  # noqa: B017 - cut off, in whatever way the client's library says it
            events = stream.rest()
            assert not any("error" in event for event in events), events
        assert b'"receipt"' not in stream.body
        disk.heal()
        server.kill()
    with own as server:
        assert server.wait_for_end(stream.exchange)["type"] == "abort"
        assert server.verify_log()[0] == 0


def test_sealed_or_tiles_that_cannot_be_written_stop_admission_and_heal_without_a_restart(own, upstream, shim):
    disk = FailingDisk(own.configure(SMALL + upstream.toml()), shim, below="data/ledger")
    with own as server:
        acknowledged = ask(server, 3)
        disk.fail(errno.EIO)
        server.admin("POST", "/v1/publish", {})
        reply = wait_until(lambda: (r := server.complete("x", model="canned")).status == 503 and r, "a refusal")
        assert "published" in reply.json()["error"]["message"] or "candor doctor" in reply.json()["error"]["message"]
        disk.heal()
        wait_until(lambda: server.complete("again", model="canned").status == 200, "answers again")
        assert_kept(server, acknowledged)


@pytest.fixture
def ext4(tmp_path, upstream):
    """A server whose data folder is an ext4 that remounts itself read-only on an error."""
    server = Candor(tmp_path / "own", {}).configure(SMALL + upstream.toml())
    server.data.mkdir(mode=0o700)
    image = tmp_path / "disk"
    image.write_bytes(b"")
    with image.open("r+b") as file:
        file.truncate(96 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", "-e", "remount-ro", image], capture_output=True, text=True, check=False)
    done = made.returncode == 0 and subprocess.run(["mount", "-o", "loop", image, server.data],
                                                   capture_output=True, text=True, check=False)
    if not done or done.returncode != 0:
        pytest.skip(f"no ext4 on a loop device here: {made.stderr if not done else done.stderr}")
    yield server
    server.__exit__()
    subprocess.run(["umount", "--lazy", server.data], check=True)


def test_a_file_system_that_remounts_itself_read_only_refuses_with_503_and_loses_nothing(ext4):
    device = subprocess.run(["findmnt", "-no", "SOURCE", ext4.data], capture_output=True, text=True, check=True).stdout.strip()
    trigger = pathlib.Path("/sys/fs/ext4") / pathlib.Path(device).name / "trigger_fs_error"
    if not trigger.exists():
        pytest.skip("the kernel lets no test trigger an ext4 error")
    with ext4 as server:
        acknowledged = ask(server, 5)
        trigger.write_text("a test")
        reply = server.complete("refused", model="canned")
        assert reply.status == 503, reply.body
        server.kill()
        code, words = server.refused()
        assert code in (5, 6, 7) and str(server.data) in words, (code, words)
        subprocess.run(["umount", server.data], check=True)
        subprocess.run(["mount", "-o", "loop", server.folder.parent / "disk", server.data], check=True)
    with ext4 as server:
        assert_kept(server, acknowledged)
        ask(server, 1)
