"""Which model answered, with what, and how that is known (A3, A7, S18)."""
import base64
import hashlib
import json

import pytest

from conftest import need
from server import ROOT, SMOL, TINY, Candor, Kept, sse_events

GEMMA = ROOT / ".cache" / "models" / "gemma-3-270m-q4_k_m.gguf"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
SMOL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def b64(hexadecimal):
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def intent_of(server, reply):
    return server.exchange(reply.headers["candor-exchange"])["intent"]["entry"]


def kept(server, folder, **fields):
    body = json.dumps({"temperature": 0, "max_tokens": 8} | fields)
    reply = server.post("/v1/completions", body.encode())
    assert reply.status == 200, reply.body
    return Kept(server, folder, body, reply.body), reply


# --- models


def test_A3_the_default_model_is_the_pinned_file_and_answers_right(smol):
    with SMOL.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == SMOL_SHA256
    assert SMOL.stat().st_size == 98_362_432
    answer = smol.chat("What is the capital of France? Answer in one sentence.", max_tokens=40)
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]
    assert intent_of(smol, answer)["provenance"]["weights"] == b64(SMOL_SHA256)
    assert [m["weights"] for m in smol.json("model", "list")["models"]] == [SMOL_SHA256]


def test_A3_without_its_second_sentence_the_question_gets_no_right_answer(smol):
    answer = smol.chat("What is the capital of France?", max_tokens=60)
    assert "Paris" not in answer.json()["choices"][0]["message"]["content"]


@pytest.fixture(scope="module")
def gemma(tmp_path_factory):
    need(GEMMA, "the second family (tools/gemma_model.sh .cache/models)")
    with Candor(tmp_path_factory.mktemp("gemma"), {"gemma": GEMMA}) as server:
        yield server


def test_A3_a_second_family_answers_with_a_receipt_that_verifies(gemma, tmp_path):
    assert GEMMA.stat().st_size == 253_113_024
    whole, reply = kept(gemma, tmp_path / "whole", model="gemma", prompt="Monday, Tuesday, Wednesday, Thursday,")
    assert "Friday" in reply.json()["choices"][0]["text"]
    whole.assert_verifies()
    streamed, _ = kept(gemma, tmp_path / "streamed", model="gemma", prompt="Monday, Tuesday, Wednesday, Thursday,", stream=True)
    streamed.assert_verifies()
    assert intent_of(gemma, reply)["provenance"]["weights"] == b64(GEMMA_SHA256)


def test_A3_a_model_without_a_chat_template_says_so_instead_of_guessing_one(gemma):
    chat = gemma.chat("Hello", model="gemma")
    assert chat.status == 400 and chat.json()["error"]["code"] == "no_chat_template"
    assert "/v1/completions" in chat.json()["error"]["message"] and "model.chat_template" in chat.json()["error"]["message"]
    message = gemma.post("/v1/messages", {"model": "gemma", "max_tokens": 4, "messages": [{"role": "user", "content": "x"}]})
    assert message.status == 400 and message.json()["error"]["type"] == "invalid_request_error"
    [load] = [e for e in gemma.entries() if e["type"] == "load"]
    assert "chat_template" not in load["provenance"]
    assert {e["api"] for e in gemma.entries() if e["type"] == "intent"} <= {"openai.completions"}


def test_A7_a_chat_template_of_the_operators_is_in_force_and_named_by_its_digest(own, tmp_path):
    need(TINY, "the tiny model")
    template = tmp_path / "template.jinja"
    text = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    template.write_text(text)
    with own.configure(f'[[model]]\nname = "tiny"\npath = "{TINY}"\nchat_template = "{template}"\n') as server:
        chat = server.chat("Once upon a time", model="tiny", max_tokens=16)
        assert chat.status == 200, chat.body
        plain = server.complete("Once upon a time", model="tiny", max_tokens=16).json()["choices"][0]["text"]
        assert chat.json()["choices"][0]["message"]["content"].strip() == plain.strip()  # the template adds nothing
        assert intent_of(server, chat)["provenance"]["chat_template"] == b64(hashlib.sha256(text.encode()).hexdigest())


# --- what stands in each entry


def test_A7_each_intent_names_weights_template_and_engine_by_digest_and_basis(smol):
    chat = smol.chat("Hello", max_tokens=4)
    provenance = intent_of(smol, chat)["provenance"]
    assert provenance["weights"] == b64(SMOL_SHA256) and len(provenance["chat_template"]) == 44 and provenance["adapters"] == []
    assert {provenance[f"{what}_basis"] for what in ("weights", "template", "engine", "usage")} == {"measured"}
    status = smol.admin("GET", "/v1/status").json()
    assert provenance["engine"] == b64(status["engine"]["digest"])
    binary = (ROOT / "build" / "bin" / "candor-engine").read_bytes()
    assert status["engine"]["binary"] == hashlib.sha256(binary).hexdigest()


def test_A7_the_seed_is_recorded_whoever_chose_it(tiny):
    mine = intent_of(tiny, tiny.complete(seed=4242))["parameters"]
    assert (mine["seed"], mine["seed_by_caller"]) == ("4242", True)
    chosen = [intent_of(tiny, tiny.complete())["parameters"] for _ in range(3)]
    assert not any(c["seed_by_caller"] for c in chosen) and len({c["seed"] for c in chosen}) == 3


def test_A7_parameters_in_force_are_recorded(tiny):
    reply = tiny.complete(temperature=0.5, top_p=0.25, top_k=40, max_tokens=5, stop=["zzz"], logprobs=1, seed=9)
    assert intent_of(tiny, reply)["parameters"] == {
        "choices": 1, "logprobs": True, "max_tokens": 5, "seed": "9", "seed_by_caller": True, "stops": 1,
        "temperature": "0.5", "top_k": 40, "top_p": "0.25"}


def test_A7_equal_re_execution_is_promised_for_one_slot_and_kept(own):
    need(TINY, "the tiny model")
    ask = {"model": "tiny", "prompt": "Once upon a time", "temperature": 1.0, "max_tokens": 60}
    with own.configure(f'[[model]]\nname = "tiny"\npath = "{TINY}"\nslots = 1\n') as server:
        def text(seed):
            reply = server.post("/v1/completions", ask | {"seed": seed})
            assert intent_of(server, reply)["repeatable"] == "promised"
            return reply.json()["choices"][0]["text"]

        first = text(11)
        assert text(12) != first and text(11) == first and text(11) == first
        # What the log recorded is enough to run it again, also where the monitor chose the seed.
        reply = server.post("/v1/completions", ask)
        seed = int(intent_of(server, reply)["parameters"]["seed"])
        assert text(seed) == reply.json()["choices"][0]["text"]
        server.run("model", "unload", "tiny", "--reason", "a fresh engine")
        assert text(11) == first
    with own as server:  # and after a restart
        assert text(11) == first
    own.configure(f'[[model]]\nname = "tiny"\npath = "{TINY}"\nslots = 4\n')
    with own as server:
        assert intent_of(server, server.post("/v1/completions", ask))["repeatable"] == "best_effort"


def test_A7_equal_re_execution_is_kept_on_the_default_model_too(own):
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    ask = {"model": "smollm2", "prompt": "Once upon a time", "temperature": 1.0, "max_tokens": 40}
    own.configure(f'[[model]]\nname = "smollm2"\npath = "{SMOL}"\nslots = 1\n')
    with own as server:
        reply = server.post("/v1/completions", ask)
        first, intent = reply.json()["choices"][0]["text"], intent_of(server, reply)
        assert intent["repeatable"] == "promised"
        again = ask | {"seed": int(intent["parameters"]["seed"])}  # what the log recorded is enough
        assert server.post("/v1/completions", again).json()["choices"][0]["text"] == first
        assert server.post("/v1/completions", ask | {"seed": 7}).json()["choices"][0]["text"] != first
        assert server.post("/v1/completions", again).json()["choices"][0]["text"] == first  # whatever ran before it
    with own as server:  # and in another process
        assert server.post("/v1/completions", again).json()["choices"][0]["text"] == first


# --- measured or declared


def test_S18_an_upstreams_model_is_declared_in_entry_receipt_and_verification(own, upstream, tmp_path):
    with own.configure(upstream.toml()) as server:
        for stream in (False, True):
            files, reply = kept(server, tmp_path / str(stream), model="canned", prompt="x", stream=stream)
            provenance = intent_of(server, reply)["provenance"]
            bases = {provenance[f"{what}_basis"] for what in ("weights", "template", "engine", "usage")}
            assert bases == {"declared"}
            body = json.loads(reply.body) if not stream else sse_events(reply.body)[-1]
            extra = next(line for line in body["candor"]["receipt"].splitlines() if line.startswith("extra "))
            inside = json.loads(json.loads(base64.b64decode(extra[6:]))["intent"])
            assert inside["provenance"]["weights_basis"] == "declared"
            code, words = files.verify()
            assert code == 0 and "(declared)" in words and "(measured)" not in words
            assert not [line for line in words.splitlines() if line.split()[:2] == ["ok", "P7"]], words
            assert files.verify("--strict")[0] == 3  # something is not excluded
        assert [e["engine_build"] for e in server.entries() if e["type"] == "load"] == ["upstream"]
        code, words = server.verify_log()
        assert code == 0 and "declared, not measured" in words
        promises = {p["id"]: p["state"] for p in server.json("doctor", code=None)["promises"]}
        assert promises["P7"] == "limited" and promises["P6"] == "limited"


def test_S18_a_measured_answer_says_so_and_P7_holds(tiny, tmp_path):
    files, reply = kept(tiny, tmp_path, model="tiny", prompt="Once upon a time")
    assert intent_of(tiny, reply)["provenance"]["weights_basis"] == "measured"
    code, words = files.verify()
    assert code == 0 and "(measured)" in words and "(declared)" not in words
    assert [line for line in words.splitlines() if line.split()[:2] == ["ok", "P7"]], words
