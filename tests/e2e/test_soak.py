"""The soak (tests/soak), short: what an hour of it shows, a minute would show too if it were badly broken (B10)."""
import pathlib
import sys

import pytest

from conftest import need
from server import TINY

for package in ("openai", "anthropic", "ollama"):
    pytest.importorskip(package)
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "soak"))
import soak  # noqa: E402


def test_B10_a_minute_of_mixed_clients_kills_and_full_disks_reconciles_to_the_last_exchange(tmp_path):
    need(TINY, "the tiny model")
    found = soak.run(tmp_path, 60, receipts=60, disk_mib=256)
    assert not found["problems"], soak.table(found)
    counts = found["counts"]
    assert counts["intents"] == counts["ends"] > 100 and counts["by clients: whole"] > 50 and counts["refusals in entries"] > 10
    assert found["runs"] >= 3 and found["killed"] >= 1 and found["befell"]["engine"]["times"] >= 2
    assert found["receipts"]["verified"] == min(60, found["receipts"]["offered"])
