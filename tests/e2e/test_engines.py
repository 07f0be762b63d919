"""Several models in one server (A6): on demand, evicted by least use within the budget, restarted, stopped clean."""
import os
import signal
import threading

from conftest import need
from gguf import with_text
from server import SMOL, TINY, alive, wait_until


def two_models(server, tmp_path, budget="1000MiB", each="1MiB", **more):
    """Two models of different bytes (one more text among the metadata), so of different digests."""
    need(TINY, "the tiny model")
    other = tmp_path / "other.gguf"
    with_text(TINY, other, "general.description", "the other one")
    settings = "".join(f"{key} = {value}\n" for key, value in more.items())
    return server.configure(f'[engine]\nmemory_budget = "{budget}"\n' + "".join(
        f'[[model]]\nname = "{name}"\npath = "{path}"\nmemory = "{each}"\n{settings}'
        for name, path in (("first", TINY), ("second", other))))


def events_of_models(server):
    """What the log says of loads and unloads, in order."""
    found, names = [], {}
    for entry in server.entries():
        if entry["type"] == "load":
            names[entry["load"]] = entry["provenance"]["model"]
            found.append(("load", names[entry["load"]]))
        elif entry["type"] == "unload":
            found.append((entry["reason"], names[entry["load"]]))
    return found


def assert_engine_lost(end, released):
    """Its connection broke (an outcome that says so) or its end was seen first (an abort): both are true records."""
    assert (end["type"], end.get("result") or end.get("reason")) in (("outcome", "engine_error"), ("abort", "engine_lost"))
    assert (int(end["released_bytes"]) > 0) == released


def test_several_models_are_loaded_when_first_asked_for(own, tmp_path):
    with two_models(own, tmp_path) as server:
        assert [m["state"] for m in server.json("model", "list")["models"]] == ["unloaded", "unloaded"]
        assert not server.engine_pids()
        assert [m["id"] for m in server.http("GET", "/v1/models").json()["data"]] == ["first", "second"]
        assert server.complete(model="second").status == 200
        states = {m["name"]: m["state"] for m in server.json("model", "list")["models"]}
        assert states == {"first": "unloaded", "second": "ready"} and len(server.engine_pids()) == 1
        assert server.complete(model="first").status == 200
        assert len(server.engine_pids()) == 2
        loads = [e["provenance"]["weights"] for e in server.entries() if e["type"] == "load"]
        assert len(set(loads)) == 2


def test_the_least_recently_used_model_is_evicted_within_the_budget(own, tmp_path):
    with two_models(own, tmp_path, budget="150MiB", each="100MiB") as server:
        for model in ("first", "second", "second", "first"):
            assert server.complete(model=model).status == 200
            assert len(server.engine_pids()) == 1  # both never fit
        assert events_of_models(server) == [("load", "first"), ("evicted", "first"), ("load", "second"),
                                            ("evicted", "second"), ("load", "first")]
        code, words = server.verify_log()
        assert code == 0, words


def test_a_model_beyond_the_whole_budget_is_refused_with_what_to_do(own, tmp_path):
    with two_models(own, tmp_path, budget="50MiB", each="100MiB") as server:
        reply = server.complete(model="first")
        assert reply.status == 503 and "memory" in reply.json()["error"]["message"]
        assert "memory_budget" in server.run("model", "load", "first", code=None).stderr
        assert not [e for e in server.entries() if e["type"] == "intent"]


def test_an_engine_killed_in_mid_stream_gives_an_error_event_an_end_on_record_and_a_restart(own):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")  # the tiny one is done too soon
    own.models = {"smollm2": SMOL}
    with own as server:
        stream = server.stream("/v1/completions", {"model": "smollm2", "prompt": "Once upon a time",
                                                   "max_tokens": 4000, "temperature": 1})
        assert stream.status == 200
        for _ in range(3):
            assert stream.event()["choices"][0]["text"] is not None
        [pid] = server.engine_pids()
        os.kill(pid, signal.SIGKILL)
        last = stream.rest()[-1]
        assert last["error"]["message"] and last["candor"]["exchange"] == stream.exchange
        assert b"[DONE]" not in stream.body and b'"receipt"' not in stream.body
        assert_engine_lost(server.wait_for_end(stream.exchange), released=True)
        # The next request waits for the restart; back-off is 500 ms after a first crash.
        again = wait_until(lambda: (reply := server.complete()).status == 200 and reply, "the engine is up again")
        assert again.json()["choices"][0]["text"]
        assert server.engine_pids() and pid not in server.engine_pids()
        assert events_of_models(server)[:3] == [("load", "smollm2"), ("crash", "smollm2"), ("load", "smollm2")]
        assert server.verify_log()[0] == 0


def test_an_engine_killed_before_it_answers_gives_the_dialects_error(own_tiny):
    with own_tiny as server:
        server.complete()
        [pid] = server.engine_pids()
        os.kill(pid, signal.SIGSTOP)  # it takes the request and says nothing
        replies = []
        asking = threading.Thread(target=lambda: replies.append(server.complete()))
        asking.start()
        wait_until(lambda: [e for e in server.entries() if e["type"] == "intent"][1:], "the second intent")
        os.kill(pid, signal.SIGKILL)
        asking.join(30)
        assert replies[0].status == 503 and replies[0].json()["error"]["message"]
        assert_engine_lost(server.wait_for_end(replies[0].headers["candor-exchange"]), released=False)


def test_a_clean_stop_leaves_no_process_and_says_so_in_the_log(own, tmp_path):
    with two_models(own, tmp_path) as server:
        server.complete(model="first")
        server.complete(model="second")
        helpers = server.children("candor-")
        assert len(helpers) == 3  # the signer and two engines
        assert server.stop() == 0
        assert not [pid for pid in helpers if alive(pid)]
    lines = own.run("ledger", "tail", "-n", "3").stdout
    assert "stop" in lines.splitlines()[-1]
    code, words = own.verify_log()
    assert code == 0, words


def test_a_killed_monitor_leaves_no_process(own_tiny):
    server = own_tiny.start()
    server.complete()
    helpers = server.children("candor-")
    assert len(helpers) == 2
    server.kill()
    wait_until(lambda: not [pid for pid in helpers if alive(pid)], "signer and engine end with the monitor")


def test_a_model_that_is_unloaded_by_hand_is_loaded_again_on_demand(own_tiny):
    with own_tiny as server:
        server.complete()
        server.run("model", "unload", "tiny", "--reason", "room")
        assert not server.engine_pids()
        assert server.complete().status == 200
        assert events_of_models(server) == [("load", "tiny"), ("stop", "tiny"), ("load", "tiny")]


def test_a_model_that_nobody_uses_is_unloaded_after_its_time(own_tiny):
    own_tiny.arguments += ["--set", "engine.idle_unload=1s"]
    with own_tiny as server:
        server.complete()
        wait_until(lambda: not server.engine_pids(), "the idle model is unloaded")
        wait_until(lambda: events_of_models(server) == [("load", "tiny"), ("idle", "tiny")], "its entry")
        assert server.complete().status == 200


def test_S12_a_model_whose_digest_is_not_the_configured_one_is_refused(own):
    need(TINY, "the tiny model")
    with own.configure(f'[[model]]\nname = "tiny"\npath = "{TINY}"\nsha256 = "{"0" * 64}"\n') as server:
        reply = server.complete(model="tiny")
        assert reply.status == 503 and "candor doctor" in reply.json()["error"]["message"]
        assert "sha256" in server.run("model", "load", "tiny", code=None).stderr
        assert not server.engine_pids()
        assert not [e for e in server.entries() if e["type"] in ("load", "intent")]


def test_B8_a_model_file_that_is_missing_or_no_model_is_said_to_be_that_and_nothing_else(own, tmp_path):
    need(TINY, "the tiny model")
    for name in ("missing", "text", "short"):
        (tmp_path / name).write_bytes(b"no model at all\n" * 1000 if name == "text" else TINY.read_bytes()[:100_000])
    own.configure("".join(f'[[model]]\nname = "{name}"\npath = "{tmp_path / name}"\n' for name in ("missing", "text", "short")))
    with own as server:
        (tmp_path / "missing").unlink()
        for name, operator in (("missing", "missing"), ("text", "GGUF"), ("short", "")):
            reply = server.complete(model=name)
            assert reply.status == 503 and reply.json()["error"]["param"] is None, reply.body
            assert "may not be served as it is" in reply.json()["error"]["message"] and "candor doctor" in reply.json()["error"]["message"]
            assert operator in server.run("model", "load", name, code=None).stderr
        server.stop()
        server.start()
        assert {e["cause"] for e in server.entries() if e["type"] == "refusal"} == {"engine"}


def test_the_engine_runs_in_the_scheduling_class_that_was_chosen(own_tiny):
    with own_tiny as server:
        server.complete()
        [pid] = server.engine_pids()
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    own_tiny.arguments += ["--set", "engine.scheduling=batch"]
    with own_tiny as server:
        server.complete()
        [pid] = server.engine_pids()
        assert os.sched_getscheduler(pid) == os.SCHED_BATCH


def test_the_kernel_probe_and_the_model_probe_stand_in_the_load_entry(own_tiny):
    with own_tiny as server:
        server.complete()
        first = next(e for e in server.entries() if e["type"] == "load")
        assert first["kernel_probe"] == "passed" and first["model_probe_result"] == "first" and first["model_probe"]
        server.run("model", "unload", "tiny", "--reason", "again")
        server.complete()
        second = [e for e in server.entries() if e["type"] == "load"][1]
        assert second["model_probe_result"] == "same" and second["model_probe"] == first["model_probe"]
    with own_tiny as server:  # remembered over a restart
        server.complete()
        assert [e for e in server.entries() if e["type"] == "load"][2]["model_probe_result"] == "same"
