"""candor serve for a benchmark: its configuration, its start and what stands in its journal."""

import json
import os
import pathlib
import struct
import subprocess

from lib import PROGRAMS, Process, answers, free_port, median


class Candor:
    """A monitor with a data folder of its own, in front of an upstream or a model."""

    def __init__(self, folder, upstream=None, model=None, slots=4):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.data.mkdir(parents=True)
        self.data.chmod(0o700)
        port = free_port()
        self.address = f"tcp:127.0.0.1:{port}"
        self.url = f"http://127.0.0.1:{port}"
        self.name = "canned" if upstream else "model"
        # What bench_load needs to be a lawful client whose receipts are checked.
        self.client = {"model": self.name, "receipt": True}
        config = self.folder / "candor.toml"
        config.write_text(self.configuration(port, upstream, model, slots))
        self.environment = {"CANDOR_DATA_DIR": str(self.data), "PATH": os.environ["PATH"], "HOME": str(self.folder)}
        self.process = Process([PROGRAMS / "candor", "serve", "--config", config], self.folder / "candor.log",
                               environment=self.environment, wait_for=answers(self.url + "/health"))

    @property
    def pid(self):
        return self.process.pid

    def configuration(self, port, upstream, model, slots):
        raise NotImplementedError

    def verify(self):
        """The log that the load left must pass the auditor's program."""
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.__exit__()


def entry_sizes(data):
    """Bytes that one intent and one outcome put into the journal, each alone in its batch."""
    raise NotImplementedError
