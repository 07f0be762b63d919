"""What one caller asked tells another nothing (S9), and nothing of the engine's own API is reachable here (S8)."""
import re
import socket
import statistics
import subprocess
import time

import pytest

from conftest import need
from server import ROOT, SMOL, Candor, http, wait_until

SERVER = ROOT / "third_party" / "llama.cpp" / "tools" / "server"
# The paths that are Candor's own too; what they take is the dialects' business.
SERVED = {"/health", "/metrics", "/v1/models", "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/messages",
          "/v1/messages/count_tokens", "/v1/responses", "/api/show"}


def engine_routes():
    routes = set()
    for file in SERVER.glob("*.cpp"):
        routes |= set(re.findall(r'ctx_http\.(get|post|del)\s*\(\s*"([^"]+)"', file.read_text()))
    return sorted(routes)


def test_S8_no_route_in_the_engines_source_is_a_route_here(smol):
    need(SERVER, "the engine's source (engine/fetch.sh)")
    routes = engine_routes()
    assert len(routes) > 40 and ("post", "/slots/:id_slot") in routes
    for method, path in routes:
        path = path.replace(":id_slot", "0")
        if path in SERVED:
            continue
        reply = smol.post(path, {"model": "smollm2"}) if method == "post" else smol.http(method.upper().replace("DEL", "DELETE"), path)
        assert reply.status == 404, (method, path, reply.status)
        assert "there is no such path here" in reply.body.decode().lower(), (path, reply.body)


@pytest.fixture
def one_slot(tmp_path):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    server = Candor(tmp_path / "isolation", {})
    server.configure(f'[[model]]\nname = "smollm2"\npath = "{SMOL}"\ncontext = 2048\nslots = 1\n')
    with server:
        server.run("key", "auditor")
        yield server


def long_prompt(seed):
    """About a thousand tokens that no other seed begins with."""
    return f"Case {seed}. " + " ".join(f"The witness {(seed * 7919 + i * 104729) % 9973} said that item {i} was {(seed + i) % 97}." for i in range(62))


def test_S9_a_repeated_secret_is_as_slow_as_a_fresh_one_and_counts_as_none_cached(one_slot):
    keys = [one_slot.json("key", "create", name)["key"] for name in ("a", "b")]

    def ask(key, text):
        begin = time.monotonic()
        reply = one_slot.chat(text, model="smollm2", headers={"authorization": f"Bearer {keys[key]}"}, max_tokens=1, temperature=0)
        took = time.monotonic() - begin
        assert reply.status == 200, reply.body
        usage = reply.json()["usage"]
        assert 900 <= usage["prompt_tokens"] <= 1900
        assert usage.get("prompt_tokens_details", {}).get("cached_tokens", 0) == 0
        return took

    ask(0, long_prompt(1))  # loads the model
    fresh, repeated = [], []
    for seed in range(10, 13):
        secret = long_prompt(seed)
        ask(0, secret)
        repeated.append(ask(1, secret))
        fresh.append(ask(1, long_prompt(seed + 100)))
    # From a cache a thousand tokens take a twentieth of the time.
    assert statistics.median(repeated) > 0.5 * statistics.median(fresh)
    outcomes = [e for e in one_slot.entries() if e["type"] == "outcome"]
    assert len(outcomes) == 10 and all(int(e["cached_tokens"]) == 0 for e in outcomes)


def test_S9_the_same_bench_would_see_a_cache(one_slot):
    """The measure above can fail: the engine's own cache, on its own slot, is seen by it."""
    binary = ROOT / "build" / "engine" / "bin" / "llama-server"
    need(binary, "the bare server (engine/build.sh --rival)")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    bare = subprocess.Popen([binary, "-m", SMOL, "--host", "127.0.0.1", "--port", str(port), "-c", "2048", "-np", "1", "--no-ui", "--offline"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = ("127.0.0.1", port)

        def up():
            try:
                return http(address, "GET", "/health").status == 200
            except OSError:
                return False
        wait_until(up, "the bare server", 60)

        def ask(text):
            begin = time.monotonic()
            reply = http(address, "POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": text}], "max_tokens": 1})
            assert reply.status == 200
            return time.monotonic() - begin
        ask(long_prompt(1))
        first, second = ask(long_prompt(2)), ask(long_prompt(2))
        assert second < 0.5 * first
    finally:
        bare.kill()
        bare.wait()
