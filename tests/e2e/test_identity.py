"""Who asks, and by which door (A9, S14, S15): keys, users of this machine, administration."""
import json
import os
import pwd
import re
import signal
import stat
import subprocess

import pytest

from server import BIN, http, wait_until

NOBODY = pwd.getpwnam("nobody").pw_uid
BODY = {"model": "canned", "prompt": "hello", "max_tokens": 8}


@pytest.fixture
def served(own, upstream):
    with own.configure(upstream.toml()) as server:
        yield server


@pytest.fixture
def foreign():
    """Runs a Python script as another user of this machine: `say(code, ...)` gives back what it printed."""
    if os.geteuid() != 0:
        pytest.skip("acting as another user takes root")

    def say(code, *words, uid=65533, gid=65533):
        done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "/usr/bin/python3", "-I", "-c",
                               SPEAK + code, *map(str, words)], capture_output=True, text=True, cwd="/", timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return say


# A client that needs nothing of ours: python3 -I of the machine, as any user.
SPEAK = '''
import json, socket, sys
def connect(address):
    if ":" in address:
        host, port = address.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=20)
    made = socket.socket(socket.AF_UNIX); made.settimeout(20); made.connect(address); return made
def request(path, body, method="POST"):
    body = json.dumps(body).encode()
    return (f"{method} {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
            f"Content-Type: application/json\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n").encode() + body
def ask(address, path, body, method="POST"):
    with connect(address) as c:
        c.sendall(request(path, body, method)); data = b""
        while piece := c.recv(65536): data += piece
    head, _, rest = data.partition(b"\\r\\n\\r\\n")
    return int(head.split()[1]), head.decode().lower(), rest.decode()
address = sys.argv[1]
'''
ASK = 'status, head, rest = ask(address, "/v1/completions", {"model": "canned", "prompt": "hello", "max_tokens": 8})\n' \
      'print(json.dumps({"status": status, "head": head, "body": rest}))\n'


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def intents(server):
    return [e for e in server.entries() if e["type"] == "intent"]


# --- keys


def test_S14_a_key_is_shown_once_stored_hashed_and_named_by_a_pseudonym(served):
    made = served.json("key", "create", "alice")
    assert made["key"].startswith("cnd_") and len(made["key"]) >= 40
    reply = served.complete(model="canned", headers=bearer(made["key"]))
    assert reply.status == 200
    [entry] = intents(served)
    assert entry["caller_known_by"] == "api_key"
    listed = served.json("key", "list")["keys"]
    assert [k["name"] for k in listed] == ["alice"] and made["key"] not in json.dumps(listed)
    assert listed[0]["prefix"] and made["key"].startswith(listed[0]["prefix"]) and len(listed[0]["prefix"]) <= 12
    assert served.stop() == 0
    everything = b"".join(p.read_bytes() for p in served.data.rglob("*") if p.is_file())
    assert made["key"].encode() not in everything and made["key"][4:].encode() not in everything
    assert "alice" not in served.run("ledger", "tail", "-n", "50").stdout


def test_S14_a_key_counts_in_both_headers_and_for_each_dialect(served):
    key = served.json("key", "create", "alice")["key"]
    assert served.complete(model="canned", headers={"x-api-key": key}).status == 200
    reply = served.post("/v1/messages", {"model": "canned", "max_tokens": 8, "messages": [{"role": "user", "content": "x"}]},
                        {"x-api-key": key, "anthropic-version": "2023-06-01"})
    assert reply.status == 200
    assert [e["caller_known_by"] for e in intents(served)] == ["api_key"] * 2
    assert len({e["caller"] for e in intents(served)}) == 1


def test_S14_wrong_revoked_and_expired_keys_get_401_and_what_to_do(served):
    good = served.json("key", "create", "alice")
    short = served.json("key", "create", "bob", "--expires", "2s")
    assert served.complete(model="canned", headers=bearer(good["key"])).status == 200
    served.run("key", "revoke", "alice", "--reason", "left")
    wait_until(lambda: served.complete(model="canned", headers=bearer(short["key"])).status == 401, "the key expires")
    wrong = good["key"][:-1] + ("A" if good["key"][-1] != "A" else "B")
    for key, word in ((good["key"], "revoked"), (short["key"], "expired"), (wrong, "not known"), ("cnd_", "not known")):
        before = len(intents(served))
        reply = served.complete(model="canned", headers=bearer(key))
        message = reply.json()["error"]["message"]
        assert reply.status == 401 and word in message and "candor key create" in message, message
        assert reply.headers["www-authenticate"] == "Bearer" and len(intents(served)) == before
        assert served.http("GET", "/v1/models", bearer(key)).status == 401
    states = {k["name"]: k["revoked"] for k in served.json("key", "list")["keys"]}
    assert states == {"alice": True, "bob": False}
    verbs = [e["verb"] for e in served.entries() if e["type"] == "admin"]
    assert verbs == ["key.create", "key.create", "key.revoke"]


def test_a_key_reaches_only_its_models(own, upstream):
    with own.configure(upstream.toml("one") + upstream.toml("two")) as server:
        key = server.json("key", "create", "alice", "--models", "two")["key"]
        assert [m["id"] for m in server.http("GET", "/v1/models", bearer(key)).json()["data"]] == ["two"]
        assert server.complete(model="two", headers=bearer(key)).status == 200
        refused = server.complete(model="one", headers=bearer(key))
        assert refused.status == 403 and refused.json()["error"]["code"] == "model_not_allowed"
        assert server.http("GET", "/v1/models/one", bearer(key)).status == 404
        assert [e["provenance"]["model"] for e in intents(server)] == ["two"]


def test_S14_a_foreign_bearer_counts_as_none_and_a_jwt_does_not(served):
    assert served.complete(model="canned", headers=bearer("sk-whatever-sdks-send")).status == 200
    assert intents(served)[0]["caller_known_by"] == "loopback"
    assert "candor_ignored_bearers_total 1" in served.http("GET", "/metrics").body.decode()
    assert served.complete(model="canned", headers=bearer("eyJhbGciOiJub25lIn0.e30.c2ln")).status == 401


def test_refusals_are_entries_with_a_count(own, upstream):
    with own.configure(upstream.toml()) as server:
        for _ in range(5):
            assert server.complete(model="canned", headers=bearer("cnd_wrong")).status == 401
    lines = own.run("--json", "ledger", "tail", "-n", "20").stdout.splitlines()
    entries = [json.loads(json.loads(line)["entry"]) for line in lines]
    refusals = [e for e in entries if e["type"] == "refusal"]
    assert [(e["cause"], e["status"], e["count"]) for e in refusals] == [("not_authenticated", 401, 5)]


# --- users of this machine


def test_S14_the_unix_sockets_user_is_the_kernels_word(own, upstream, foreign, tmp_path_factory):
    folder = tmp_path_factory.mktemp("everybody", numbered=True)
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(path.stat().st_mode | 0o011)
    own.arguments += ["--unix-socket", str(folder / "api.sock")]
    with own.configure(upstream.toml()) as server:
        assert http(folder / "api.sock", "POST", "/v1/completions", BODY).status == 200
        assert foreign(ASK, folder / "api.sock")["status"] == 200
        mine, theirs = intents(server)
        assert mine["caller_known_by"] == theirs["caller_known_by"] == "unix_socket"
        assert mine["caller"] != theirs["caller"]
        # The pseudonym is that user's and nobody else's: erasing the user reaches exactly their exchange.
        assert server.json("erase", "--caller", "uid:65533", "--reason", "test", "--yes")["exchanges"] == [theirs["exchange"]]


def test_S14_the_loopback_connections_user_is_found_and_recorded(served, foreign):
    assert foreign(ASK, f"127.0.0.1:{served.port}")["status"] == 200
    assert served.complete(model="canned").status == 200
    theirs, mine = intents(served)
    assert theirs["caller_known_by"] == mine["caller_known_by"] == "loopback" and theirs["caller"] != mine["caller"]
    assert served.json("erase", "--caller", "uid:65533", "--reason", "test", "--yes")["exchanges"] == [theirs["exchange"]]


def test_S14_send_and_close_never_becomes_root(served, foreign):
    """The kernel shows uid 0 for a socket whose client has closed. The monitor is held still meanwhile, so that it
    meets 20 such connections at its accept, and 20 more are closed at any moment."""
    code = ('for number in range(20):\n'
            '    c = connect(address)\n'
            '    c.sendall(request("/v1/completions", {"model": "canned", "prompt": "x", "max_tokens": 8}))\n'
            '    if number % 3 == 0: c.shutdown(socket.SHUT_WR)\n'
            '    c.close()\n'
            'print("true")\n')
    mine = served.complete(model="canned")
    root = served.exchange(mine.headers["candor-exchange"])["intent"]["entry"]["caller"]
    served.process.send_signal(signal.SIGSTOP)
    foreign(code, f"127.0.0.1:{served.port}")
    served.process.send_signal(signal.SIGCONT)
    foreign(code, f"127.0.0.1:{served.port}")

    def read_all():
        metrics = served.http("GET", "/metrics").body.decode()
        return int(re.search(r"candor_exchanges_total (\d+)", metrics)[1]) + int(re.search(r"candor_refused_total (\d+)", metrics)[1]) >= 41

    wait_until(read_all, "all have been dealt with, one way or the other")
    callers = [e["caller"] for e in intents(served)]
    assert callers.count(root) == 1, "a client that had closed was taken for root"
    assert len(set(callers)) <= 2
    assert served.stop() == 0
    lines = served.run("--json", "ledger", "tail", "-n", "100").stdout.splitlines()
    refusals = [e for e in (json.loads(json.loads(line)["entry"]) for line in lines) if e["type"] == "refusal"]
    assert sum(e["count"] for e in refusals if e["cause"] == "not_authenticated") >= 20


def test_S14_nobody_and_listed_forwarders_are_told_to_use_a_key(own, upstream, foreign):
    with own.configure("[identity]\nforwarder_uids = [65533]\n" + upstream.toml()) as server:
        for uid in (65533, NOBODY):
            got = foreign(ASK, f"127.0.0.1:{server.port}", uid=uid)
            assert got["status"] == 401 and "candor key create" in got["body"], uid
        assert not intents(server)


def test_S5_a_socket_whose_folder_would_open_the_signers_key_is_refused(own, upstream):
    own.configure(upstream.toml())
    own.arguments += ["--unix-socket", str(own.folder / "api.sock")]
    code, words = own.refused()
    assert code == 2 and "signer's key" in words


def test_users_who_are_not_listed_need_a_key(own, upstream, foreign):
    with own.configure(f'[identity]\nos_users = ["{os.geteuid()}"]\n' + upstream.toml()) as server:
        assert foreign(ASK, f"127.0.0.1:{server.port}")["status"] == 401
        assert server.complete(model="canned").status == 200
    with own.configure("[identity]\nrequire_key = true\n" + upstream.toml()) as server:
        assert server.complete(model="canned").status == 401
        key = server.json("key", "create", "alice")["key"]
        assert server.complete(model="canned", headers=bearer(key)).status == 200


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8421"])
def test_listening_beyond_loopback_without_tls_and_keys_is_refused(own, address):
    own.command = lambda: [str(BIN / "candor"), "serve", "--listen", address]
    code, words = own.refused()
    assert code == 2 and "without TLS and keys, which is refused" in words and "listen.tls_address" in words


# --- administration


ADMIN_ROUTES = [("GET", "/v1/status"), ("POST", "/v1/models/load"), ("POST", "/v1/models/unload"), ("GET", "/v1/keys"),
                ("POST", "/v1/keys"), ("POST", "/v1/keys/revoke"), ("POST", "/v1/auditors"), ("GET", "/v1/receipt"),
                ("GET", "/v1/entries"), ("GET", "/v1/exchange"), ("POST", "/v1/erase"), ("POST", "/v1/publish"),
                ("POST", "/v1/reload"), ("POST", "/v1/shutdown"), ("POST", "/v1/stops"), ("POST", "/v1/stops/resume"), ("GET", "/v1/metrics")]


@pytest.mark.parametrize("method, path", ADMIN_ROUTES, ids=lambda v: v.strip("/").replace("/", "-"))
def test_S15_no_administrative_verb_is_on_the_inference_listeners(tiny, method, path):
    size = tiny.admin("GET", "/v1/entries?from=-1&count=1").json()["size"]
    for address in (tiny.tcp, tiny.api_socket):
        reply = http(address, method, path, {} if method == "POST" else None)
        assert reply.status in (404, 405), (path, reply.status, reply.body)
    assert tiny.admin("GET", "/v1/status").json()["draining"] is False
    assert not [e for e in tiny.entries()[size:] if e["type"] in ("admin", "erasure", "configuration")]


def test_S15_labelled_metrics_are_the_administrators(tiny):
    tiny.complete()
    assert 'model="tiny"' in tiny.admin("GET", "/v1/metrics").body.decode()
    assert "{model=" not in tiny.http("GET", "/metrics").body.decode()


def test_S15_admin_sock_is_closed_to_other_users_by_mode_and_by_credentials(served, foreign):
    mode = served.admin_socket.stat()
    assert stat.S_IMODE(mode.st_mode) == 0o660 and mode.st_uid == os.geteuid()
    assert stat.S_IMODE(served.data.stat().st_mode) & 0o007 == 0
    reach = 'try:\n    connect(address); print(json.dumps("in"))\nexcept OSError as e: print(json.dumps(type(e).__name__))\n'
    assert foreign(reach, served.admin_socket) == "PermissionError"
    # Even where the path lets everybody through, the kernel's credentials do not.
    path = served.admin_socket
    served.admin_socket.chmod(0o666)
    while path != path.parent and path.owner():
        path = path.parent
        if path.stat().st_uid == os.geteuid() and path != path.parent and str(path) != "/tmp":
            path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o011)
    admin = ('out = {}\n'
             'for method, path in json.loads(sys.argv[2]):\n'
             '    out[method + path] = ask(address, path, {}, method)[0]\n'
             'print(json.dumps(out))\n')
    got = foreign(admin, served.admin_socket, json.dumps(ADMIN_ROUTES))
    assert set(got.values()) == {403} and len(got) == len(ADMIN_ROUTES)
    assert not [e for e in served.entries() if e["type"] == "admin"]
    # The owner's group is let in.
    got = foreign('print(json.dumps(ask(address, "/v1/status", {}, "GET")[0]))', served.admin_socket, gid=os.getegid())
    assert got == 200


def test_S15_each_act_is_an_entry_with_actor_and_a_commitment_to_its_reason(own, upstream):
    with own.configure(upstream.toml()) as server:
        server.run("key", "create", "alice")
        server.run("key", "revoke", "alice", "--reason", "She left in May")
        server.run("key", "auditor")
        server.complete(model="canned")
        server.run("erase", "--caller", "uid:" + str(os.geteuid()), "--reason", "Asked by letter", "--yes", code=None)
        acts = [e for e in server.entries() if e["type"] in ("admin", "erasure")]
        assert [a.get("verb", "erasure") for a in acts][:3] == ["key.create", "key.revoke", "key.auditor"]
        assert acts[-1]["type"] == "erasure"
        assert all(len(a["actor"]) == 32 and len(a["reason"]) == 44 for a in acts)
        assert "letter" not in json.dumps(acts) and "May" not in json.dumps(acts)
