"""The server of the soak, what befalls it, and what is measured of it meanwhile."""
import collections
import contextlib
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import threading
import time

from records import LOOK_S, WINDOW_S, Life
from server import TINY, Candor, alive, wait_until
from upstream import Upstream

PATIENCE_S = 900
TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
CONFIGURATION = """
[ledger]
segment_bytes = "1MiB"
reserve_bytes = "4MiB"
[engine]
scheduling = "other"
[[model]]
name = "tiny"
path = "{tiny}"
chat_template = "{template}"
flags = ["--embeddings", "--pooling", "mean"]
context = 512
"""


class Paced(Upstream):
    """An upstream whose words come one by one, so that much can befall an answer while it is under way."""

    def __init__(self, pace_s):
        super().__init__(words=[f"word {n} " for n in range(24)])
        self.pace_s = pace_s
        self.server.handle_error = lambda *_: None  # a monitor that was killed hangs up

    def said(self, asked):
        return self.words[:asked.get("max_tokens", len(self.words))]

    def stream(self, handler, asked):
        self.requests.clear()
        word = handler.event
        handler.event = lambda text: (time.sleep(self.pace_s), word(text))
        super().stream(handler, asked)


def memory_kib(pid):
    """Resident, and that without file pages, which the kernel lends and takes."""
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]), int(fields["RssAnon"].split()[0])


def descriptors(pid):
    return sum(open_files(pid).values())


def open_files(pid):
    """What the descriptors are: files by name without their numbers, sockets, and the rest."""
    found = collections.Counter()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            found[target.split(":")[0] if not target.startswith("/") else re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "N", pathlib.Path(target).name)] += 1
    return found


class World:
    def __init__(self, folder, disk_mib):
        self.upstream = Paced(0.015)
        self.server = Candor(pathlib.Path(folder) / "soak", {"tiny": TINY})
        template = self.server.folder / "template.jinja"
        template.write_text(TEMPLATE)
        self.server.models = {}
        self.server.configure(CONFIGURATION.format(tiny=TINY, template=template) + self.upstream.toml("paced"))
        self.models = {"text": ["tiny", "tiny", "paced"], "embeddings": "tiny"}
        self.server.data.mkdir(mode=0o700)
        self.own_disk = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk_mib}m,mode=0700", "candor-soak", self.server.data],
                                       capture_output=True, check=False).returncode == 0
        self.lives, self.quiet, self.samples, self.befell, self.full = [], [], [], [], []
        self.callers, self.gate, self.problems = [], None, []
        self.over = threading.Event()

    def close(self):
        self.over.set()
        self.server.__exit__()
        self.upstream.close()
        if self.own_disk:
            subprocess.run(["umount", "--lazy", self.server.data], check=True)

    # --- runs of the monitor
    def start(self):
        self.server.start(PATIENCE_S)
        self.lives.append(Life(time.monotonic()))  # nobody can ask it before: it has another port
        if self.gate:
            self.gate.open.set()

    def end(self, how):
        """SIGKILL under load, or SIGTERM, which drains."""
        helpers = self.server.children("candor-")
        if how == "kill":
            life = self.lives[-1]
            life.killed, life.ended = True, time.monotonic()
            full = [began for began, ended in self.full if ended > life.ended - LOOK_S]
            life.uncounted_since = min([life.ended, *full]) - WINDOW_S
            self.server.kill()
            self.gate.open.clear()
        else:
            self.lives[-1].draining_since = time.monotonic()
            assert self.server.stop(PATIENCE_S) == 0, "".join(self.server.log[-20:])
            self.gate.open.clear()
            self.lives[-1].ended = time.monotonic()
        wait_until(lambda: not any(alive(pid) for pid in helpers), "signer and engines end with their monitor", PATIENCE_S)

    # --- what befalls it
    def befall(self, what):
        begin = time.monotonic()
        done = {"engine": self.kill_engine, "disk": self.fill_disk, "monitor": lambda: self.restart("kill"),
                "stop": lambda: self.restart("stop"), "quiet": self.measure}[what]()
        self.befell.append((what if done is not False else f"{what}: there was none", round(time.monotonic() - begin, 2)))

    def restart(self, how):
        self.end(how)
        self.start()

    def kill_engine(self):
        pids = self.server.engine_pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        if not pids:  # between two loads: back-off runs
            return False
        begin = time.monotonic()
        while time.monotonic() < begin + PATIENCE_S / 3 and not set(self.server.engine_pids()) - set(pids):
            self.failed()
            time.sleep(0.02)
        if not set(self.server.engine_pids()) - set(pids):
            self.problems.append("an engine that was killed was not started again: "
                                 + self.server.admin("GET", "/v1/models").body.decode(errors="replace"))
        return True

    def until(self, true, what):
        """wait_until, with what the server said if it never comes."""
        try:
            wait_until(lambda: self.failed() or true(), what, PATIENCE_S)
        except AssertionError as late:
            raise AssertionError(f"{late}\n" + "".join(self.server.log[-40:])) from late

    def failed(self):
        """Raises what a client stumbled over: a fault of the soak, or an answer that may not be."""
        for caller in self.callers:
            if caller.failure:
                raise caller.failure

    def refused_with(self, status, since):
        return any(r.status == status and r.began > since for c in self.callers for r in c.seen[-20:])

    def answered(self, since):
        return any(r.end == "whole" and r.began > since for c in self.callers for r in c.seen[-20:])

    def fill_disk(self):
        """Until clients were refused for it; then there is room again, and without a restart they are answered."""
        if not self.own_disk:
            return False
        filler = self.server.data / "filler"
        begin = time.monotonic()
        with filler.open("wb") as file:
            at = 0
            for step in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        free = os.statvfs(self.server.data)
                        size = max(step, free.f_bavail * free.f_frsize // 2 // step * step)
                        os.posix_fallocate(file.fileno(), at, size)
                        at += size
        self.until(lambda: self.refused_with(503, begin), "a full disk is a refusal")
        time.sleep(1)
        filler.unlink()
        room = time.monotonic()
        self.full.append((begin, room))
        self.until(lambda: self.answered(room), "answers again once there is room")
        self.befell.append(("room again, until an answer was whole", round(time.monotonic() - room, 2)))
        return True

    # --- what is measured
    def measure(self):
        """A moment without requests and connections: what is held then is held for good."""
        self.gate.open.clear()
        self.until(lambda: not any(c.busy for c in self.callers), "every client is done")
        time.sleep(1.5)  # publication, and the last connections' ends
        pid = self.server.process.pid
        resident, anonymous = memory_kib(pid)
        self.quiet.append({"run": len(self.lives) - 1, "after_s": round(time.monotonic() - self.lives[-1].began, 1),
                           "exchanges": sum(len(c.seen) for c in self.callers), "rss_kib": resident, "anon_kib": anonymous,
                           "descriptors": descriptors(pid), "open": open_files(pid), "signer_kib": self.helper("candor-signer"),
                           "engine_kib": self.helper("candor-engine")})
        self.gate.open.set()

    def helper(self, name):
        pids = self.server.children(name[:15])
        return memory_kib(pids[0])[0] if pids else None

    def watch(self):
        """Every two seconds while it runs; the greatest of it is printed."""
        while not self.over.wait(2):
            with contextlib.suppress(OSError, KeyError, AttributeError):
                pid = self.server.process.pid
                self.samples.append((len(self.lives) - 1, memory_kib(pid)[0], descriptors(pid)))


def schedule(seconds, seed):
    """(moment, event): the monitor ends often in the first and last quarter; between them one run lasts, to show what grows."""
    step = min(30.0, seconds / 14)
    chance = random.Random(seed)
    found, number = [], 0
    for turn in range(1, int(seconds / step)):
        moment = turn * step
        calm = seconds / 4 <= moment <= seconds * 3 / 4
        what = ("disk", "engine", "monitor")[(turn - 1) % 3]
        if what == "monitor":
            number += 1
            what = "quiet" if calm else "stop" if number % 3 == 0 else "monitor"
        found.append((moment + chance.uniform(0, step / 4), what))
    return found


def flatness(quiet):
    """Of the run that was measured most often: from its first quiet moment (warm) to its last."""
    runs = {}
    for point in quiet:
        runs.setdefault(point["run"], []).append(point)
    points = max(runs.values(), key=len, default=[])
    if len(points) < 2:
        return None
    first, last = points[0], points[-1]
    return {"run": first["run"], "seconds": round(last["after_s"] - first["after_s"], 1), "measured": len(points),
            "exchanges": last["exchanges"] - first["exchanges"],
            "anon_kib": [p["anon_kib"] for p in points], "rss_kib": [p["rss_kib"] for p in points],
            "sockets": [p["open"].get("socket", 0) for p in points],
            "files": [p["descriptors"] - p["open"].get("socket", 0) for p in points], "signer_kib": [p["signer_kib"] for p in points],
            "growth_kib": last["anon_kib"] - first["anon_kib"],
            "late_growth_kib": last["anon_kib"] - round(statistics.median(p["anon_kib"] for p in points[len(points) // 2:]))}
