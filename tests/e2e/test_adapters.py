"""LoRA adapters: loaded, verified and named (A7)."""
import base64
import hashlib

import pytest

from conftest import need
from lora import write_adapter
from server import TINY, wait_until


def b64(path):
    return base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()


def with_adapters(server, *adapters):
    names = ", ".join(f'"{path}"' for path in adapters)
    return server.configure(f'[[model]]\nname = "tiny"\npath = "{TINY}"\nslots = 1\nadapters = [{names}]\n')


def words(server):
    reply = server.complete(model="tiny", max_tokens=40)
    assert reply.status == 200, reply.body
    return reply.json()["choices"][0]["text"], server.exchange(reply.headers["candor-exchange"])["intent"]["entry"]


@pytest.fixture
def adapters(tmp_path):
    need(TINY, "the tiny model")
    return [write_adapter(tmp_path / f"adapter-{seed}.gguf", seed) for seed in (1, 2)]


def test_A7_adapters_are_in_force_and_named_by_their_digests_in_load_and_intent(own, adapters):
    with with_adapters(own) as server:
        plain, intent = words(server)
        assert intent["provenance"]["adapters"] == []
    with with_adapters(own, adapters[0]) as server:
        one, intent = words(server)
        assert one != plain
        assert intent["provenance"]["adapters"] == [b64(adapters[0])] and intent["provenance"]["weights_basis"] == "measured"
        load = [e for e in server.entries() if e["type"] == "load"][-1]
        assert load["provenance"] == intent["provenance"] and load["confinement"]["confined"]
    with with_adapters(own, *adapters) as server:
        both, intent = words(server)
        assert both not in (plain, one) and intent["provenance"]["adapters"] == [b64(path) for path in adapters]
        assert words(server)[0] == both  # the same again
        assert server.verify_log()[0] == 0


def test_A7_an_adapter_that_is_opened_for_writing_ends_its_engine(own, adapters):
    with with_adapters(own, adapters[0]) as server:
        first, _ = words(server)
        [pid] = server.engine_pids()
        with adapters[0].open("r+b") as file:  # waits for the lease
            assert pid not in server.engine_pids()
            file.seek(-4, 2)
            file.write(b"\1\2\3\4")
        assert [e["reason"] for e in server.entries() if e["type"] == "unload"] == ["lease_broken"]
        wait_until(lambda: server.complete(model="tiny").status == 200, "the engine is up again")
        _, intent = words(server)
        assert intent["provenance"]["adapters"] == [b64(adapters[0])]  # of what is there now


def test_A7_a_file_that_is_no_adapter_is_refused_in_words(own, adapters, tmp_path):
    text = tmp_path / "text.gguf"
    text.write_text("not an adapter")
    with with_adapters(own, text) as server:
        assert server.complete(model="tiny").status == 503
        said = server.run("model", "load", "tiny", code=None).stderr
        assert "adapter" in said and "the gate refuses it: fatal file.unknown" in said
    with with_adapters(own, tmp_path / "absent.gguf") as server:
        said = server.run("model", "load", "tiny", code=None).stderr
        assert "adapter" in said and "absent.gguf" in said
