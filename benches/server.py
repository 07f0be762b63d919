"""candor serve for a benchmark: its configuration, its start, its journal, and the auditor's look afterwards."""

import json
import os
import pathlib
import subprocess

from lib import PROGRAMS, Process, answers, free_port, median, say

PAGE = 4096


class Candor:
    """A monitor with a data folder of its own, in front of an upstream or of a model."""

    def __init__(self, folder, upstream=None, model=None, slots=4, settings=""):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.data.mkdir(parents=True)
        self.data.chmod(0o700)
        port = free_port()
        self.address = f"tcp:127.0.0.1:{port}"
        self.url = f"http://127.0.0.1:{port}"
        # What bench_load needs to be a lawful client whose receipts are checked.
        self.client = {"model": "bench", "receipt": True}
        served = f'upstream = "{upstream}"\nupstream_model = "canned"' if upstream else (
            f'path = "{pathlib.Path(model).resolve()}"\nslots = {slots}')
        config = self.folder / "candor.toml"
        config.write_text(f'data_dir = "{self.data}"\n[listen]\naddress = "127.0.0.1:{port}"\nunix_socket = "none"\n'
                          f'[log]\nlevel = "warning"\n[[model]]\nname = "bench"\n{served}\n{settings}\n')
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        # Without an auditor nothing would be sealed.
        done = subprocess.run([PROGRAMS / "candor", "--config", config, "key", "auditor"], env=environment,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"bench: candor key auditor failed: {done.stdout}{done.stderr}")
        self.process = Process([PROGRAMS / "candor", "serve", "--config", config], self.folder / "candor.log",
                               environment=environment,
                               wait_for=answers(self.url + "/health"))

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.__exit__()

    def verify(self):
        """Ends the monitor; the log that the load left must pass the auditor's program."""
        self.stop()
        done = subprocess.run([PROGRAMS / "candor-verify", "log", self.data], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"bench: the log does not verify:\n{done.stdout[-2000:]}{done.stderr[-500:]}")
        say("  " + (done.stdout.strip().splitlines() or ["candor-verify: right"])[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def batches(data):
    """(entries, bytes) of each batch in the journal: docs/formats/journal.md."""
    for segment in sorted((pathlib.Path(data) / "journal").glob("*.journal")):
        with open(segment, "rb") as file:
            at = PAGE
            while True:
                file.seek(at)
                head = file.read(64)
                if len(head) < 64 or head[:8] != b"CANDBAT1":
                    break
                count, entries, tail, aux = (int.from_bytes(head[i:i + 4], "big") for i in (16, 20, 24, 28))
                texts, rest = [], file.read(entries)
                while rest:
                    size = int.from_bytes(rest[:2], "big")
                    texts.append(rest[2:2 + size])
                    rest = rest[2 + size:]
                total = 64 + entries + tail + aux
                yield texts, total
                at += (total + PAGE - 1) // PAGE * PAGE


def entry_sizes(data):
    """Bytes that one intent and one outcome put into the journal, each alone in its batch."""
    sizes = {"intent": [], "outcome": []}
    for texts, total in batches(data):
        if len(texts) == 1:
            kind = json.loads(texts[0])["type"]
            if kind in sizes:
                sizes[kind].append(total)
    if not all(sizes.values()):
        raise SystemExit("bench: no batch of one intent or one outcome was found in the journal")
    return [round(median(sizes["intent"])), round(median(sizes["outcome"]))]
