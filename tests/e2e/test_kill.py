"""SIGKILL of the real monitor under load (A18, P1): whatever a client holds a receipt for is in the log after the restart."""
import concurrent.futures
import json
import random
import shutil
import threading
import time

import pytest

from server import Candor, Kept, alive, http, wait_until

CLIENTS = 6


class Load:
    """Clients that ask without a pause until the server is gone, and keep what they were answered with a receipt."""

    def __init__(self, server, number):
        self.server, self.acknowledged, self.lock = server, [], threading.Lock()
        self.stop = False
        self.threads = [threading.Thread(target=self.ask, args=(number, i), daemon=True) for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def ask(self, number, client):
        turn = 0
        while not self.stop:
            turn += 1
            stream = (client + turn) % 2 == 0
            body = json.dumps({"model": self.server.name, "prompt": f"{number}/{client}/{turn}", "temperature": 0,
                               "max_tokens": 4, "stream": stream}).encode()
            try:
                reply = http(self.server.tcp, "POST", "/v1/completions", body, timeout=20)
            except (OSError, IndexError, ValueError):  # killed in the middle
                continue
            if reply.status == 200 and b'"receipt":' in reply.body and (not stream or reply.body.endswith(b"data: [DONE]\n\n")):
                with self.lock:
                    self.acknowledged.append((reply.headers["candor-exchange"], body, reply.body))

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join(60)
        return self.acknowledged


def receipt_of(body):
    """The receipt inside a saved JSON body or SSE stream."""
    text = body.decode()
    whole = json.loads(text) if text.startswith("{") else next(
        json.loads(line[6:]) for line in text.splitlines() if '"receipt":' in line)
    return whole["candor"]["receipt"]


def assert_whole(entries):
    """The pairing of S6, found here without Candor's own checker: one end for each intent, and no open one before a later start."""
    ends, intents, starts = {}, {}, []
    for index, entry in enumerate(entries):
        if entry["type"] == "start":
            starts.append(index)
        elif entry["type"] == "intent":
            assert entry["exchange"] not in intents, f"two intents of {entry['exchange']}"
            intents[entry["exchange"]] = index
        elif entry["type"] in ("outcome", "abort"):
            assert entry["exchange"] not in ends, f"two ends of {entry['exchange']}"
            assert int(entry["intent_index"]) == intents[entry["exchange"]]
            ends[entry["exchange"]] = (entry["type"], index)
    for exchange, index in intents.items():
        after = [s for s in starts if s > index]
        if after:
            assert exchange in ends, f"the intent at {index} of an earlier run has no end"
            if ends[exchange][1] > after[0]:  # what the crash left open
                assert entries[ends[exchange][1]]["reason"] == "crash"
    return intents, ends


def kill_rounds(server, rounds, seed, tmp_path):
    """Each round: load, SIGKILL at a moment of chance, restart, and everything acknowledged so far is looked for."""
    chance = random.Random(seed)
    key = tmp_path / "log.vkey"
    pins, acknowledged, aborted = [], {}, 0
    server.start()
    key.write_text(server.run("key", "log").stdout)
    for number in range(rounds):
        load = Load(server, number)
        wait_until(lambda: len(load.acknowledged) >= CLIENTS, "answers under load", 60)
        time.sleep(chance.uniform(0, 0.08))  # the moment of chance
        helpers = server.children("candor-")
        server.kill()
        new = load.end()
        wait_until(lambda: not any(alive(pid) for pid in helpers), "signer and engines end with their monitor")
        server.start()

        entries = server.entries()
        intents, ends = assert_whole(entries)
        aborted = sum(1 for kind, _ in ends.values() if kind == "abort")
        for exchange, request, response in new:
            assert ends.get(exchange, ("nothing",))[0] == "outcome", f"acknowledged, and lost: {exchange} in round {number}"
            acknowledged[exchange] = (request, response)
        code, words = server.verify("log", server.data, "--log-key", key)
        assert code == 0, words
        for pin in pins[-1:] + chance.sample(pins, min(2, len(pins))):  # heads that were held before
            code, words = server.verify("log", server.data, "--log-key", key, "--pin", pin)
            assert code == 0, words
        server.run("ledger", "verify")
        kept = next((server.home / ".local/state/candor/pins").glob("*.json"))
        pins.append(shutil.copy(kept, tmp_path / f"pin-{number}.json"))

        # The client's own receipts verify, and the head in each is one that today's log extends.
        server.admin("POST", "/v1/publish", {})

        def verify(item):
            exchange, request, response = item
            mine = Kept(server, tmp_path / exchange, request, response, receipt_of(response), key)
            mine.assert_verifies()
            code, words = server.verify("heads", mine.receipt, server.data / "ledger" / "checkpoint", "--log-key", key,
                                        "--log", server.data / "ledger")
            assert code == 0, words

        some = new if len(new) <= 12 else new[:4] + new[-8:]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(verify, some))
    # At the end every exchange of every round is there, and a receipt can be made for it anew.
    _, ends = assert_whole(server.entries())
    assert all(ends[exchange][0] == "outcome" for exchange in acknowledged)
    for exchange in chance.sample(sorted(acknowledged), min(20, len(acknowledged))):
        assert server.run("receipt", exchange).stdout.startswith("c2sp.org/tlog-proof@v1")
    assert server.stop() == 0
    return len(acknowledged), aborted


@pytest.fixture
def canned(tmp_path, upstream):
    server = Candor(tmp_path / "own", {}).configure(upstream.toml())
    server.name = "canned"
    yield server
    server.__exit__()


def test_A18_killing_the_monitor_under_load_loses_nothing_acknowledged(canned, tmp_path):
    answered, aborted = kill_rounds(canned, 6, seed=18, tmp_path=tmp_path)
    assert answered >= 6 * CLIENTS and aborted > 0  # some were caught in the middle


def test_A18_killing_the_monitor_with_a_real_engine_loses_nothing_acknowledged(own_tiny, tmp_path):
    own_tiny.name = "tiny"
    answered, _ = kill_rounds(own_tiny, 2, seed=19, tmp_path=tmp_path)
    assert answered >= 2 * CLIENTS


@pytest.mark.slow
def test_A18_a_hundred_kills_of_the_monitor_lose_nothing_acknowledged(canned, tmp_path):
    answered, aborted = kill_rounds(canned, 90, seed=1, tmp_path=tmp_path)
    assert answered >= 90 * CLIENTS and aborted > 0


@pytest.mark.slow
def test_A18_ten_kills_of_the_monitor_with_a_real_engine_lose_nothing_acknowledged(own_tiny, tmp_path):
    own_tiny.name = "tiny"
    answered, _ = kill_rounds(own_tiny, 10, seed=2, tmp_path=tmp_path)
    assert answered >= 10 * CLIENTS
