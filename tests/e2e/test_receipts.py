"""What a receipt proves and what it does not let through (A13, S1, S4, S18), from outside."""
import json
import shutil

from server import Kept, sse_events


def kept_completion(server, folder, text="Once upon a time", **fields):
    body = json.dumps({"model": "tiny", "prompt": text, "temperature": 0, "max_tokens": 8} | fields)
    reply = server.post("/v1/completions", body.encode())
    assert reply.status == 200, reply.body
    return Kept(server, folder, body, reply.body), reply


def test_S1_one_changed_byte_of_request_or_response_fails(tiny, tmp_path):
    kept, _ = kept_completion(tiny, tmp_path)
    kept.assert_verifies()
    request = kept.request.read_text()
    kept.request.write_text(request.replace("Once upon", "Once upom"))
    assert "request.received" in kept.assert_fails()
    kept.request.write_text(request.replace('"temperature": 0', '"temperature": 1'))
    kept.assert_fails()
    kept.request.write_text(request)
    answer = json.loads(kept.response.read_text())
    text = answer["choices"][0]["text"]
    answer["choices"][0]["text"] = text[:-1] + chr(ord(text[-1]) ^ 1)
    kept.response.write_text(json.dumps(answer))
    assert "answer.released" in kept.assert_fails()


def test_S1_saved_sse_verifies_and_a_dropped_event_fails(tiny, tmp_path):
    kept, reply = kept_completion(tiny, tmp_path, stream=True)
    kept.assert_verifies()
    events = reply.body.decode().split("\n\n")
    spoken = [i for i, e in enumerate(events) if '"text":"' in e and '"text":""' not in e]
    del events[spoken[1]]
    kept.response.write_text("\n\n".join(events))
    kept.assert_fails()


def test_S1_another_exchanges_receipt_fails(tiny, tmp_path):
    first, _ = kept_completion(tiny, tmp_path / "a", "Once upon a time")
    second, _ = kept_completion(tiny, tmp_path / "b", "There was a dog")
    other = json.loads(second.response.read_text())
    mine = json.loads(first.response.read_text())
    mine["candor"] = other["candor"]
    first.response.write_text(json.dumps(mine))
    first.assert_fails()


def test_S1_header_names_the_exchange_and_the_body_carries_the_receipt(tiny):
    reply = tiny.complete(stream=True)
    events = sse_events(reply.body)
    assert reply.headers["candor-exchange"] == events[-1]["candor"]["exchange"]
    assert all("candor" not in event for event in events[:-1])
    assert reply.body.rstrip().endswith(b"data: [DONE]")


def test_S1_the_clients_nonce_is_bound(tiny, tmp_path):
    body = json.dumps({"model": "tiny", "prompt": "Hello", "max_tokens": 4})
    reply = tiny.post("/v1/completions", body.encode(), {"Candor-Nonce": "nonce-of-this-client"})
    kept = Kept(tiny, tmp_path, body, reply.body)
    code, words = kept.verify("--nonce", "nonce-of-this-client")
    assert code == 0, words
    code, words = kept.verify("--nonce", "another-nonce")
    assert code in (1, 2), words


def test_a_receipt_rebuilt_later_verifies_the_same_files(tiny, tmp_path):
    kept, reply = kept_completion(tiny, tmp_path)
    exchange = reply.headers["candor-exchange"]
    rebuilt = tmp_path / "later.tlog-proof"
    tiny.run("receipt", exchange, "--out", rebuilt)
    code, words = tiny.verify("receipt", rebuilt, "--request", kept.request, "--response", kept.response, "--log-key", kept.key)
    assert code == 0, words


def test_S18_a_receipt_says_measured(tiny, tmp_path):
    kept, _ = kept_completion(tiny, tmp_path)
    assert "(measured)" in kept.verify()[1]


def test_a_receipt_of_another_logs_key_fails(tiny, tmp_path):
    kept, _ = kept_completion(tiny, tmp_path)
    key = kept.key.read_text().strip()
    name, _, _ = key.split("+", 2)
    kept.key.write_text(key.replace(name, "candor/" + "0" * 32))
    code, words = kept.verify()
    assert code in (1, 2), words


def test_S4_rollback_is_not_excluded_without_an_anchor_and_found_with_a_pin(own_tiny, tmp_path):
    with own_tiny as server:
        server.complete()
    snapshot = tmp_path / "snapshot"
    shutil.copytree(own_tiny.data, snapshot, symlinks=True, ignore=lambda _, names: [n for n in names if n.endswith(".sock")])
    with own_tiny as server:
        server.complete("A later exchange")
        server.run("ledger", "verify")  # moves this user's pin forward
    pin = next((own_tiny.home / ".local/state/candor/pins").glob("*.json"))
    code, words = own_tiny.verify("log", snapshot)
    assert code == 0 and "rollback not excluded after size" in words.lower(), words
    code, words = own_tiny.verify("log", snapshot, "--pin", pin)
    assert code == 1, words
    shutil.rmtree(own_tiny.data)
    shutil.copytree(snapshot, own_tiny.data)
    done = own_tiny.run("ledger", "verify", code=1)
    assert "ROLLED BACK" in done.stderr
    with own_tiny as server:
        refused = server.run("chat", "-m", "Hello", "--model", "tiny", code=1)
        assert "Nothing was sent" in refused.stderr or "FORKED" in refused.stderr
