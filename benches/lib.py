"""What the benchmark scripts share: where programs lie, processes, statistics, tables, the one JSON object."""

import argparse
import ctypes
import json
import math
import os
import pathlib
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(os.environ.get("CANDOR_BIN_DIR", ROOT / "build/bin"))
TOOLS = pathlib.Path(os.environ.get("CANDOR_BENCH_DIR", ROOT / "build/release/bench"))


def say(text=""):
    """For the person who watches; stdout belongs to the JSON object when --json was given."""
    print(text, file=sys.stderr if "--json" in sys.argv else sys.stdout, flush=True)


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print exactly one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="a short run that only shows that it works")
    parser.add_argument("--pairs", type=int, help="pairs to run, where the benchmark compares in pairs")
    return parser


def finish(result, options):
    """Prints the one object; exit code 1 where an answer was wrong."""
    result["machine"] = machine()
    if options.json:
        print(json.dumps(result, indent=None, separators=(",", ":")))
    sys.exit(0 if result.get("answers_right", True) else 1)


def machine():
    model = "unknown"
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"cpu": model, "processors": os.cpu_count(), "kernel": platform.release(),
            "load_at_end": round(os.getloadavg()[0], 2)}


# ---- statistics ----

def median(values):
    return statistics.median(values) if values else float("nan")


def lower_bound(values, confidence=0.95):
    """Exact one-sided lower confidence bound of the median (sign test): the largest order statistic
    that lies at or below the true median with at least this probability, whatever the distribution."""
    ordered = sorted(values)
    best, tail = None, 0.0
    for k in range(len(ordered)):
        tail += math.comb(len(ordered), k) * 0.5 ** len(ordered)
        if tail > 1 - confidence:
            break
        best = ordered[k]
    return best if best is not None else float("nan")


def bootstrap_lower_bound(values, confidence=0.95, rounds=4000):
    """Percentile bootstrap of the median, with a fixed seed."""
    source = random.Random(20261124)
    medians = sorted(statistics.median(source.choices(values, k=len(values))) for _ in range(rounds))
    return medians[int((1 - confidence) * rounds)]


# ---- output ----

def table(headers, rows):
    rows = [[cell if isinstance(cell, str) else f"{cell:,.1f}" if isinstance(cell, float) else str(cell)
             for cell in row] for row in rows]
    widths = [max(len(str(line[i])) for line in [headers, *rows]) for i in range(len(headers))]
    say("  " + "  ".join(h.ljust(w) if i == 0 else h.rjust(w) for i, (h, w) in enumerate(zip(headers, widths))))
    for row in rows:
        say("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))))
    say()


# ---- processes ----

def ends_with_parent(preexec=None):
    """For the child, before it becomes the program: a benchmark that is killed leaves nobody who
    would take processors from the next one."""
    def apply():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if preexec:
            preexec()
    return apply


class Process:
    """A child that is ended, by its own id, when the block ends."""

    def __init__(self, command, log, environment=None, preexec=None, wait_for=None, stop_seconds=20):
        self.log = pathlib.Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.output = open(self.log, "wb")
        self.stop_seconds = stop_seconds
        self.child = subprocess.Popen([str(part) for part in command], stdout=self.output,
                                      stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                      env=environment, preexec_fn=ends_with_parent(preexec))
        if wait_for:
            self.wait_until(wait_for)

    @property
    def pid(self):
        return self.child.pid

    def wait_until(self, ready, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.child.poll() is not None:
                raise SystemExit(f"bench: {self.child.args[0]} ended with {self.child.returncode}:\n{self.tail()}")
            if ready(self):
                return
            time.sleep(0.05)
        raise SystemExit(f"bench: {self.child.args[0]} was not ready in {seconds} s:\n{self.tail()}")

    def tail(self, size=3000):
        return self.log.read_text(errors="replace")[-size:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.output.close()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(url):
    def ready(_):
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:
                return reply.status == 200
        except OSError:
            return False
    return ready


def accepts(port):
    def ready(_):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            return False
    return ready


def run_json(command, may_fail=False):
    """Runs a program that prints one JSON object; a wrong answer ends the benchmark."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0 and not may_fail:
        raise SystemExit(f"bench: {' '.join(str(part) for part in command[:6])} ... exit {done.returncode}\n"
                         f"{done.stderr[-2500:]}{done.stdout[-600:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


class Scratch:
    """A folder on the disk under build/ (or in memory), removed afterwards."""

    def __init__(self, base=None):
        base = pathlib.Path(base) if base else ROOT / "build/bench-data"
        base.mkdir(parents=True, exist_ok=True)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=base))

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def canned_upstream(folder, *more):
    """The upstream that answers at once. Returns the process and its port."""
    process = Process([TOOLS / "bench_canned_upstream", "--listen", "tcp:127.0.0.1:0", "--unix",
                       folder / "upstream.sock", *more], folder / "upstream.log",
                      wait_for=lambda p: p.log.read_text().startswith("port "))
    return process, int(process.log.read_text().split()[1])


def load(connect, **options):
    """One run of bench_load. True makes a switch; None leaves the option out."""
    command = [TOOLS / "bench_load", "--connect", connect]
    may_fail = options.pop("may_fail", False)
    for name, value in options.items():
        if value is None or value is False:
            continue
        command.append("--" + name.replace("_", "-"))
        if value is not True:
            command.append(str(value))
    return run_json(command, may_fail)


def need(*programs):
    for program in programs:
        if not pathlib.Path(program).exists():
            raise SystemExit(f"bench: {program} is missing; ./bench builds it (or set CANDOR_BIN_DIR)")
