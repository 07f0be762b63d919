"""What happens to the whole machine (B8): its clock is set, it sleeps, its memory ends. docs/configuration.md
states the behaviour."""
import http.client
import os
import pathlib
import resource
import signal
import time

import pytest

from preload import preloadable

HOUR, DAY = 3_600, 86_400


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return preloadable(tmp_path_factory, "stepped_clock")


@pytest.fixture
def step(own, shim):
    """Sets the wall clock of the test's own server to so many seconds beside the true one."""
    clock = own.folder.parent / "clock"
    clock.touch()
    own.more_environment |= {"LD_PRELOAD": str(shim), "STEPPED_CLOCK": str(clock)}

    def to(seconds):
        os.utime(clock, (0, 1_000_000_000 + seconds))
    to(0)
    return to


def ask(server, headers=None):
    return server.complete(model="canned", headers=headers).status


def test_a_clock_set_back_is_an_entry_and_nothing_else(own, upstream, step):
    with own.configure(upstream.toml()) as server:
        assert ask(server) == 200
        step(-HOUR)
        assert [ask(server) for _ in range(3)] == [200] * 3
        [entry] = [e for e in server.entries() if e["type"] == "clock_step"]
        assert abs(int(entry["back_us"]) / 1e6 - HOUR) < 10
        intents = [e["at"] for e in server.entries() if e["type"] == "intent"]
        assert intents[1]["time_us"] < intents[0]["time_us"] and intents[1]["mono_us"] > intents[0]["mono_us"]
        assert server.verify_log()[0] == 0
    step(-2 * HOUR)
    with own as server:  # a start an hour before the last entry
        assert ask(server) == 200 and server.verify_log()[0] == 0


def test_a_clock_set_forward_lets_keys_expire(own, upstream, step):
    with own.configure(upstream.toml()) as server:
        short = {"Authorization": "Bearer " + server.json("key", "create", "a", "--expires", "30d")["key"]}
        long = {"Authorization": "Bearer " + server.json("key", "create", "b")["key"]}
        assert (ask(server, short), ask(server, long)) == (200, 200)
        step(40 * DAY)
        assert (ask(server, short), ask(server, long)) == (401, 200)
        step(0)
        assert ask(server, short) == 200
        assert server.verify_log()[0] == 0


def test_a_stream_outlives_a_sleep_of_the_machine(own, slow_upstream, step):
    with own.configure(slow_upstream.toml()) as server:
        stream = server.stream("/v1/completions", {"model": "canned", "prompt": "x", "max_tokens": 16})
        stream.event()
        processes = [server.process.pid, *server.children("candor-signer")]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        step(8 * HOUR)  # what a sleeping machine's wall clock does
        time.sleep(3)
        for pid in reversed(processes):
            os.kill(pid, signal.SIGCONT)
        slow_upstream.release()
        last = stream.rest()[-1]
        assert "error" not in last and last["candor"]["receipt"]
        assert server.wait_for_end(stream.exchange)["result"] == "complete"
        assert ask(server) == 200 and server.verify_log()[0] == 0


def test_memory_that_ends_ends_the_monitor_and_loses_nothing_acknowledged(own, upstream):
    with own.configure(upstream.toml()) as server:
        acknowledged = [server.complete(model="canned").headers["candor-exchange"] for _ in range(5)]
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        data = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmData")))
        resource.prlimit(server.process.pid, resource.RLIMIT_DATA, (data * 1024, data * 1024))
        for _ in range(50):
            try:
                reply = server.complete("x" * 4_000_000, model="canned")
            except (OSError, http.client.HTTPException):
                break
            assert reply.status == 200, reply.body[:200]
            acknowledged.append(reply.headers["candor-exchange"])
        else:
            pytest.fail("there was memory for all of it")
        assert server.process.wait(20) != 0
    with own as server:
        for exchange in acknowledged:
            assert server.wait_for_end(exchange)["type"] == "outcome"
            server.run("receipt", exchange)
        assert server.complete(model="canned").status == 200 and server.verify_log()[0] == 0
