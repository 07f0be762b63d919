"""The command line as a person meets it (A10, A13, A14), against a running server and without one."""
import json
import os
import pathlib
import pty
import re
import stat
import subprocess

import pytest

from server import BIN, QUESTION, Candor

VERBS = ["serve", "chat", "model", "model list", "model load", "model unload", "model sign", "model verify-signature", "passport", "passport make", "passport step", "passport show", "passport verify", "passport sign", "passport export", "ledger", "ledger show", "ledger tail",
         "ledger verify", "ledger export", "ledger open", "receipt", "erase", "key", "key create", "key list",
         "key revoke", "key log", "key auditor", "doctor", "reload", "stop", "resume", "budget", "budget reconcile", "shutdown", "policy check", "policy test", "scan", "version", "completion"]


@pytest.fixture
def nobody(tmp_path):
    """A data folder without a server."""
    return Candor(tmp_path / "nobody", {})


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.replace(" ", "-"))
def test_every_verb_has_help_with_examples(nobody, verb):
    text = nobody.run(*verb.split(), "--help").stdout
    assert "Examples:" in text and "candor " + verb.split()[0] in text


def test_exit_codes_say_what_went_wrong(nobody):
    nobody.run("nonsense", code=2)
    nobody.run("ledger", "show", "not-an-id", code=2)
    assert "candor serve" in nobody.run("key", "list", code=7).stderr
    nobody.run("ledger", "tail", code=4)
    assert json.loads(nobody.run("--json", "key", "list", code=7).stdout)["error"]["code"] == "unavailable"
    done = nobody.run("serve", "--set", "limits.max_token=5", code=2)
    assert "limits.max_tokens" in done.stderr  # the nearest name


def test_chat_streams_verifies_and_saves_what_candor_verify_takes(smol, tmp_path):
    folder = tmp_path / "kept"
    done = smol.run("chat", "-m", QUESTION, "--temperature", "0", "--save", folder)
    assert "Paris" in done.stdout
    assert "receipt verified" in done.stderr and re.search(r"exchange [0-9a-f]{32}", done.stderr)
    assert "\x1b" not in done.stdout + done.stderr  # no colours off a terminal
    key = tmp_path / "log.vkey"
    key.write_text(smol.run("key", "log").stdout)
    code, words = smol.verify("receipt", folder / "receipt.tlog-proof", "--request", folder / "request.json",
                              "--response", folder / "response.sse", "--log-key", key)
    assert code == 0, words


def test_chat_json_is_one_document_with_findings(smol):
    got = smol.json("chat", "-m", QUESTION, "--temperature", "0", "--max-tokens", "30", "--seed", "7")
    assert got["verified"] is True and "Paris" in got["answer"] and got["receipt"].startswith("c2sp.org/tlog-proof@v1")
    assert all(f["standing"] != "fails" for f in got["findings"])


def test_chat_converses_line_by_line(smol):
    done = smol.run("chat", "--max-tokens", "8", "--temperature", "0", stdin="Say one.\nSay two.\n")
    assert done.stderr.count("receipt verified") == 2


def test_the_pin_is_kept_outside_the_data_folder_and_moves_forward(smol):
    smol.run("chat", "-m", "Hello", "--max-tokens", "4")
    pin = next((smol.home / ".local/state/candor/pins").glob("*.json"))
    before = int(json.loads(pin.read_text())["size"])
    smol.run("chat", "-m", "Hello", "--max-tokens", "4")
    after = json.loads(pin.read_text())
    assert int(after["size"]) > before and set(after) == {"origin", "size", "root", "log_key"}
    assert stat.S_IMODE(pin.stat().st_mode) == 0o600
    assert after["origin"] == "candor/" + pin.stem


def test_colours_and_controls_only_where_they_belong(smol):
    environment = smol.environment | {"TERM": "xterm"}
    del environment["NO_COLOR"]
    main, side = pty.openpty()
    process = subprocess.Popen([BIN / "candor", "doctor"], env=environment, stdin=subprocess.DEVNULL, stdout=side, stderr=side)
    os.close(side)
    seen = b""
    try:
        while piece := os.read(main, 65536):
            seen += piece
    except OSError:
        pass
    process.wait(30)
    assert b"\x1b[" in seen
    assert "\x1b[" not in smol.run("doctor", code=None).stdout


def test_model_list_load_unload(own_tiny):
    with own_tiny as server:
        loaded = server.json("model", "load", "tiny")
        assert int(loaded["index"]) > 0
        models = server.json("model", "list")["models"]
        assert models[0]["state"] == "ready" and re.fullmatch("[0-9a-f]{64}", models[0]["weights"])
        assert "tiny" in server.run("model", "list").stdout
        server.run("model", "unload", "tiny", "--reason", "a test")
        assert server.json("model", "list")["models"][0]["state"] == "unloaded"
        server.run("model", "load", "nobody", code=4)
        assert {"load", "unload", "admin"} <= {entry["type"] for entry in server.entries()}


def test_ledger_show_and_tail(tiny):
    reply = tiny.complete()
    exchange = reply.headers["candor-exchange"]
    shown = tiny.run("ledger", "show", exchange).stdout
    assert "intent" in shown and "outcome" in shown
    assert json.loads(tiny.run("--json", "ledger", "show", "0").stdout)["type"] == "start"
    lines = tiny.run("ledger", "tail", "-n", "5").stdout.splitlines()
    assert len(lines) == 5 and exchange in lines[-1]
    tiny.run("ledger", "show", "0" * 32, code=4)
    tiny.run("ledger", "show", "99999999", code=4)


def test_ledger_export_verifies_alone_and_holds_no_key(tiny, tmp_path):
    tiny.complete()
    target = tmp_path / "export"
    tiny.run("ledger", "export", target)
    key = tmp_path / "log.vkey"
    key.write_text(tiny.run("key", "log").stdout)
    code, words = tiny.verify("log", target, "--log-key", key)
    assert code == 0, words
    names = {p.relative_to(target).parts[0] for p in target.rglob("*") if p.is_file()}
    assert names == {"checkpoint", "tile"}
    tiny.complete()
    tiny.run("ledger", "export", target)  # brought up to date
    assert tiny.verify("log", target, "--log-key", key)[0] == 0
    # The widest bundle is the one that counts; the first export's lies beside it.
    victim = max((p for p in (target / "tile" / "entries").rglob("*") if p.is_file()), key=lambda p: int(p.name))
    changed = bytearray(victim.read_bytes())
    changed[len(changed) // 2] ^= 1
    victim.write_bytes(changed)
    assert tiny.verify("log", target, "--log-key", key)[0] == 1


def test_ledger_verify_checks_all_and_names_the_entries(tiny):
    tiny.complete()
    done = tiny.run("ledger", "verify")
    assert re.search(r"\d+", done.stdout)
    assert json.loads(tiny.run("--json", "ledger", "verify").stdout)["verified"] is True


def test_offline_verbs_need_no_server(own_tiny, tmp_path):
    with own_tiny as server:
        exchange = server.complete().headers["candor-exchange"]
    assert own_tiny.run("key", "log").stdout.startswith("candor/")
    assert "stop" in own_tiny.run("ledger", "tail").stdout
    assert "outcome" in own_tiny.run("ledger", "show", exchange).stdout
    own_tiny.run("ledger", "export", tmp_path / "out")
    own_tiny.run("ledger", "verify")
    assert own_tiny.json("doctor", code=None)["running"] is False


def test_auditor_opens_sealed_content_and_nobody_else(own_tiny, tmp_path):
    with own_tiny as server:
        first = server.complete("Before any auditor").headers["candor-exchange"]
        made = server.json("key", "auditor")
        file = pathlib.Path(made["file"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and not file.is_relative_to(server.data)
        exchange = server.complete("A sentence to be sealed").headers["candor-exchange"]
        opened = server.run("ledger", "open", "--exchange", exchange, "--auditor-key", file).stdout
        assert "A sentence to be sealed" in opened and "answer.released" in opened
        server.run("ledger", "open", "--exchange", first, "--auditor-key", file, code=None)
        another = tmp_path / "another.key"
        Candor(tmp_path / "other", {}).run("key", "auditor", "--out", another)
        assert server.run("ledger", "open", "--exchange", exchange, "--auditor-key", another, code=None).returncode != 0
        server.run("key", "auditor", "--out", server.data / "keys" / "a.key", code=2)
        assert "none" in server.exchange(first)["intent"]["entry"]["content"]


def test_auditor_key_made_without_a_server_is_in_force_at_the_start(own_tiny):
    own_tiny.run("key", "auditor")
    with own_tiny as server:
        exchange = server.complete("Sealed from the first").headers["candor-exchange"]
        assert "Sealed from the first" in server.run("ledger", "open", "--exchange", exchange).stdout


def test_doctor_shows_promises_settings_and_grants(tiny):
    report = tiny.json("doctor", code=None)
    assert report["running"] and [p["id"] for p in report["promises"]] == [f"P{n}" for n in range(1, 11)]
    assert all(p["state"] and p["why"] for p in report["promises"])
    origins = {s["key"]: s["origin"] for s in report["config"]}
    assert "listen.address" in origins and origins["data_dir"] != "default"
    tiny.complete()
    words = tiny.run("doctor", code=None).stdout
    assert "confined" in words and "mode" in words and "Landlock" in words


def test_reload_is_atomic_and_an_entry(own_tiny, tmp_path):
    file = tmp_path / "candor.toml"
    file.write_text("[limits]\nmax_tokens = 100\n")
    own_tiny.arguments += ["--config", str(file)]
    with own_tiny as server:
        file.write_text("[limits]\nmax_tokens = 50\n")
        assert "limits.max_tokens" in json.dumps(server.json("reload"))
        assert [e for e in server.entries() if e["type"] == "configuration" or "config" in e["type"]]
        file.write_text("[limits]\nmax_tokenz = 50\n")
        assert server.run("reload", code=None).returncode != 0
        assert server.complete().status == 200


def test_completion_scripts_parse_and_know_the_verbs(nobody, tmp_path):
    for shell in ("bash", "zsh", "fish"):
        text = nobody.run("completion", shell).stdout
        assert "ledger" in text and "--temperature" in text or "-l temperature" in text
    script = tmp_path / "c.bash"
    script.write_text(nobody.run("completion", "bash").stdout)
    asked = ("source " + str(script) + "; COMP_WORDS=(candor ledger ''); COMP_CWORD=2; _candor; "
             "echo \"${COMPREPLY[@]}\"")
    words = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert {"show", "tail", "verify", "export", "open"} <= set(words)


def test_version_is_the_same_everywhere(nobody):
    version = nobody.json("version")["version"]
    assert nobody.run("--version").stdout.strip() == f"candor {version}"
