"""`candor serve` as a service manager and an administrator meet it (A10): signals, reload, readiness, settings, logs."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from server import BIN, Candor, http, wait_until

CANARY = "Zanzibar-Quickwater-7741"


def begun_stream(server, upstream):
    """A stream whose first word has arrived and whose others wait."""
    stream = server.stream("/v1/completions", {"model": "canned", "prompt": "go", "max_tokens": 64})
    assert stream.status == 200 and upstream.begun.acquire(timeout=20)
    assert stream.event()["choices"][0]["text"] == "One "
    return stream


# --- SIGTERM


def test_sigterm_lets_a_running_answer_finish_with_its_receipt(own, slow_upstream):
    with own.configure(slow_upstream.toml()) as server:
        stream = begun_stream(server, slow_upstream)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "monitor.draining" in "".join(server.log), "draining")
        with pytest.raises(OSError):  # nobody new is let in
            server.chat(model="canned")
        assert server.process.poll() is None
        slow_upstream.release()
        events = stream.rest()
        assert "".join(c["text"] for e in events for c in e["choices"]) == "two three four."
        assert events[-1]["candor"]["receipt"].startswith("c2sp.org/tlog-proof@v1")
        assert server.process.wait(20) == 0
    lines = own.run("ledger", "tail", "-n", "3").stdout.splitlines()
    assert "outcome" in lines[0] and "unload" in lines[1] and "stop" in lines[2]


def test_sigterm_aborts_what_is_left_after_the_stated_time(own, slow_upstream):
    with own.configure("[limits]\ndrain_timeout = \"1s\"\n" + slow_upstream.toml()) as server:
        stream = begun_stream(server, slow_upstream)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        last = stream.rest()[-1]
        assert "shutting down" in last["error"]["message"] and b"receipt" not in stream.body
        assert server.process.wait(20) == 0
        assert 0.9 <= time.monotonic() - began < 6
    shown = own.run("ledger", "show", stream.exchange).stdout
    assert "abort" in shown and "shutdown" in shown and "outcome" not in shown
    assert own.verify_log()[0] == 0


def test_a_second_signal_is_no_grace(own, slow_upstream):
    with own.configure(slow_upstream.toml()) as server:  # 30 s of grace
        stream = begun_stream(server, slow_upstream)
        began = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: "monitor.draining" in "".join(server.log), "draining")
        server.process.send_signal(signal.SIGINT)
        assert "error" in stream.rest()[-1]
        assert server.process.wait(20) == 0 and time.monotonic() - began < 10


def test_candor_shutdown_drains_too_and_is_an_act_on_record(own, upstream):
    with own.configure(upstream.toml()) as server:
        server.run("shutdown", "--reason", "upgrade")
        assert server.process.wait(20) == 0
    lines = own.run("ledger", "tail", "-n", "2").stdout.splitlines()
    assert "admin" in lines[0] and "stop" in lines[1]


# --- SIGHUP


def limits(server):
    return server.admin("GET", "/v1/status").json()["limits"]


def configurations(server):
    return [e for e in server.entries() if e["type"] == "configuration"]


def test_sighup_reloads_the_configuration_as_an_entry(own, upstream):
    with own.configure("[limits]\nmax_tokens = 100\n" + upstream.toml()) as server:
        assert limits(server)["max_tokens"] == 100
        server.configure("[limits]\nmax_tokens = 50\n" + upstream.toml() + upstream.toml("another"))
        server.process.send_signal(signal.SIGHUP)
        [entry] = wait_until(lambda: configurations(server), "the entry")
        assert {"limits.max_tokens", "model.another"} <= set(entry["changed"])
        assert limits(server)["max_tokens"] == 50
        assert server.complete(model="another").status == 200
        assert "max_tokens = 50" not in json.dumps(server.entries())  # names of settings, never values


def test_S3_a_configuration_entry_commits_to_the_settings_and_holds_no_bare_hash(own, upstream):
    with own.configure("[limits]\nmax_tokens = 100\n" + upstream.toml()) as server:
        for number, tokens in enumerate((50, 100, 50), 1):
            server.configure(f"[limits]\nmax_tokens = {tokens}\n" + upstream.toml())
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda n=number: len(configurations(server)) == n, "the entry")
        first, _, again = configurations(server)
        assert first["digest"] != again["digest"]  # the same text, under a root of its own each time


@pytest.mark.parametrize("broken", ["[limits]\nmax_tokenz = 7\n", "[limits\n", "[limits]\nmax_tokens = \"many\"\n",
                                    '[identity]\nos_users = ["nobody-of-this-name"]\n'],
                         ids=["unknown-key", "no-toml", "wrong-type", "no-such-user"])
def test_a_broken_file_changes_nothing_at_all(own, upstream, broken):
    with own.configure("[limits]\nmax_tokens = 100\nmax_messages = 9\n" + upstream.toml()) as server:
        before = limits(server), server.http("GET", "/v1/models").json(), server.json("doctor", code=None)["server"]["config"]
        # A good change before and after the mistake: neither may be in force.
        server.configure("[log]\nlevel = \"debug\"\n" + broken + upstream.toml("another"))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "the configuration stays as it was" in "".join(server.log), "the refusal in words")
        after = limits(server), server.http("GET", "/v1/models").json(), server.admin("GET", "/v1/status").json()["config"]
        assert before == after and not configurations(server)
        assert server.complete(model="canned").status == 200
        assert server.complete(model="another").status == 404


# --- settings


@pytest.mark.parametrize("text, nearest", [("[limits]\nmax_token = 5\n", "limits.max_tokens"),
                                           ("[listen]\nadress = \"127.0.0.1:0\"\n", "listen.address"),
                                           ("[[model]]\nname = \"a\"\npth = \"/x\"\n", "model.path"),
                                           ("max_tokens = 5\n", "limits.max_tokens")])
def test_an_unknown_key_is_an_error_that_suggests_the_nearest_name(own, text, nearest):
    code, words = own.configure(text).refused()
    assert code == 2 and f"did you mean '{nearest}'?" in words and "candor.toml:" in words
    own.arguments = ["--set", "limits.max_tokenz=5"]
    code, words = own.refused()
    assert code == 2 and "did you mean 'limits.max_tokens'?" in words


def test_file_gives_way_to_environment_and_environment_to_flags(own, upstream):
    own.configure("[limits]\nmax_tokens = 10\nmax_messages = 10\nmax_waiting = 10\n" + upstream.toml())
    own.more_environment = {"CANDOR_LIMITS_MAX_MESSAGES": "20", "CANDOR_LIMITS_MAX_WAITING": "20"}
    own.arguments += ["--set", "limits.max_waiting=30"]
    with own as server:
        found = {s["key"]: s for s in server.admin("GET", "/v1/status").json()["config"]}
        assert [found[f"limits.{name}"]["value"] for name in ("max_tokens", "max_messages", "max_waiting")] == ["10", "20", "30"]
        origins = [found[f"limits.{name}"]["origin"] for name in ("max_tokens", "max_messages", "max_waiting")]
        assert origins[0].endswith("candor.toml:2") and origins[1:] == ["CANDOR_LIMITS_MAX_MESSAGES", "command line"]
        # And they are in force: 64 tokens asked for, 10 forwarded.
        server.complete(model="canned", max_tokens=64)
        assert upstream.requests[-1]["max_tokens"] == 10


# --- systemd


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told_readiness_reloads_and_the_end(own, upstream, kind):
    name = str(own.folder / "notify.sock") if kind == "path" else f"@candor-test-{os.getpid()}-{id(own)}"
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(name.replace("@", "\0", 1) if kind == "abstract" else name)
    notified.settimeout(20)
    own.more_environment = {"NOTIFY_SOCKET": name}
    own.configure(upstream.toml())
    threading.Thread(target=own.start, daemon=True).start()
    assert notified.recv(4096) == b"READY=1"
    assert http(own.api_socket, "GET", "/health").status == 200  # ready means that it answers
    own.process.send_signal(signal.SIGHUP)
    assert [notified.recv(4096), notified.recv(4096)] == [b"RELOADING=1", b"READY=1"]
    own.process.send_signal(signal.SIGTERM)
    assert notified.recv(4096) == b"STOPPING=1"
    assert own.process.wait(20) == 0
    notified.close()


def test_a_start_that_fails_never_says_it_is_ready(own):
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(own.folder / "notify.sock"))
    notified.setblocking(False)
    own.more_environment = {"NOTIFY_SOCKET": str(own.folder / "notify.sock")}
    own.data.mkdir(mode=0o700)
    (own.data / "journal").write_text("in the way of a folder")
    code, words = own.refused()
    assert code != 0 and words.strip()
    with pytest.raises(BlockingIOError):
        notified.recv(4096)
    notified.close()


# --- one owner, exit codes, --json


def test_S6_a_second_server_for_one_folder_exits_and_names_the_firsts_pid(own, upstream):
    with own.configure(upstream.toml()) as server:
        code, words = server.refused()
        assert code == 3 and str(server.process.pid) in words
        assert server.complete(model="canned").status == 200


def test_a_taken_port_is_said_in_words(own, upstream, tmp_path):
    with own.configure(upstream.toml()) as server:
        other = Candor(tmp_path / "other", {}).configure(upstream.toml())
        other.command = lambda: [str(BIN / "candor"), "serve", "--listen", f"127.0.0.1:{server.port}"] + other.arguments
        code, words = other.refused()
        assert code not in (0, 1, 2) and str(server.port) in words


def test_json_outputs_parse_and_errors_are_json_too(tiny, tmp_path):
    exchange = tiny.complete().headers["candor-exchange"]
    for words in (["model", "list"], ["ledger", "show", "0"], ["ledger", "show", exchange], ["ledger", "tail", "-n", "2"],
                  ["ledger", "verify"], ["ledger", "export", str(tmp_path / "out")], ["key", "list"], ["key", "log"],
                  ["receipt", exchange], ["version"], ["doctor"], ["model", "load", "tiny"]):
        done = tiny.run("--json", *words, code=None)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        for text in done.stdout.splitlines() if words[1:2] == ["tail"] else [done.stdout]:
            json.loads(text)
    for words, code in ((["model", "load", "none"], 4), (["ledger", "show", "0" * 32], 4), (["receipt", "0" * 32], 4),
                        (["ledger", "show", "x"], 2), (["key", "revoke", "none"], 4),
                        (["erase", "--exchange", "0" * 32, "--reason", "x", "--yes"], 4)):
        done = tiny.run("--json", *words, code=code)
        assert json.loads(done.stdout)["error"]["message"], words
    code, words = tiny.verify("--json", "log", tiny.data)
    assert code == 0 and json.loads(words)["findings"]


# --- logs


def test_logs_are_structured_and_hold_no_prompt_answer_or_key(own_tiny):
    own_tiny.arguments += ["--log-level", "debug"]
    with own_tiny as server:
        server.run("key", "auditor")
        key = server.json("key", "create", CANARY)["key"]
        bearer = {"Authorization": f"Bearer {key}"}
        answers = [server.complete(CANARY + " once upon a time", headers=bearer, max_tokens=24).json()["choices"][0]["text"]]
        answers.append(server.complete("There was a dog", stop=[CANARY], max_tokens=24).json()["choices"][0]["text"])
        # What goes wrong is where logs begin to talk.
        server.complete(CANARY, model=CANARY)
        server.complete(CANARY, headers={"Authorization": f"Bearer cnd_{CANARY}"})
        server.complete(CANARY, temperature=99)
        server.post("/v1/completions", b'{"model": "tiny", "prompt": "' + CANARY.encode() + b'", ')
        server.complete(CANARY * 2000)
        server.post("/v1/completions", {"model": "tiny", "prompt": "x", CANARY: CANARY}, {"X-Request-Id": CANARY, CANARY: CANARY})
        server.http("GET", "/" + CANARY)
        server.run("erase", "--caller", CANARY, "--reason", CANARY, "--yes")
        server.run("key", "revoke", CANARY, "--reason", CANARY, code=None)
        server.run("model", "unload", "tiny", "--reason", CANARY)
        exchange = server.complete(CANARY).headers["candor-exchange"]
        before = len(server.log)
        os.kill(server.engine_pids()[0], signal.SIGKILL)
        wait_until(lambda: "engine.ended" in "".join(server.log[before:]), "the engine's end in the log")
    text = "".join(own_tiny.log)
    assert CANARY not in text and key not in text and key[4:] not in text
    for answer in answers:
        assert len(answer) > 20 and answer.strip()[:20] not in text
    assert exchange  # and the exchanges did happen
    sentences = 0
    for line in own_tiny.log:
        if line.startswith("candor: listening on "):  # the one line for a person
            sentences += 1
            continue
        entry = json.loads(line)
        assert entry["level"] in ("debug", "info", "warning", "error") and entry["event"]
        assert entry["time"].endswith("Z") and "T" in entry["time"]  # UTC
    assert sentences == 1
    assert not [p for p in own_tiny.folder.rglob("core*")]


def test_log_settings_are_in_force_from_the_start(own, upstream):
    with own.configure("[log]\nlevel = \"warning\"\n" + upstream.toml()) as server:
        assert server.complete(model="canned").status == 200
        assert not [line for line in server.log if '"level":"info"' in line]
    own.log.clear()
    own.arguments += ["--log-level", "info"]
    with own as server:
        assert [line for line in server.log if '"event":"store.opened"' in line]


def test_times_are_stored_in_utc_and_shown_in_local_time(own, upstream):
    with own.configure(upstream.toml()) as server:
        server.complete(model="canned")
        stamp = server.entries()[0]["at"]["time_us"]
        shown = {}
        for zone in ("UTC", "Asia/Kolkata"):
            server.more_environment = {"TZ": zone}
            shown[zone] = server.run("ledger", "tail", "-n", "50").stdout.splitlines()[0]
        server.more_environment = {}
    utc = time.strftime("%H:%M:%S", time.gmtime(stamp / 1e6))
    assert utc in shown["UTC"]
    if os.path.exists("/usr/share/zoneinfo/Asia/Kolkata"):
        assert time.strftime("%H:%M:%S", time.gmtime(stamp / 1e6 + 19_800)) in shown["Asia/Kolkata"]


def test_S5_the_monitor_cannot_reach_the_signers_key_wherever_models_and_configuration_lie(own_tiny, tmp_path):
    """A model and a candor.toml in a folder above the data folder must not open the signer's."""
    model = own_tiny.folder / "tiny.gguf"
    model.write_bytes(next(iter(own_tiny.models.values())).read_bytes())
    own_tiny.models = {"tiny": model}
    own_tiny.configure("[limits]\nmax_tokens = 64\n")
    with own_tiny as server:
        assert server.complete().status == 200
        server.configure("[limits]\nmax_tokens = 32\n")
        assert server.json("reload")["changed"] == ["limits.max_tokens"]
    assert "monitor.signer_folder_open" not in "".join(own_tiny.log)


def test_the_systemd_unit_is_lawful_and_has_readiness_and_a_user_of_its_own():
    unit = next((BIN.parent.parent / "packaging").glob("*.service"))
    text = unit.read_text()
    assert "Type=notify" in text and "User=candor" in text and "ExecReload=/bin/kill -HUP $MAINPID" in text
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False) \
        if os.path.exists("/usr/bin/systemd-analyze") else None
    assert done is None or "Unknown" not in done.stderr
