"""The official Node clients beyond chat (B1, B4): tools, schemas, embeddings, responses, counting, lists, and Ollama's own; what each kept verifies
against its receipt."""
import json
import os
import pathlib
import subprocess

import pytest

from conftest import need
from server import QUESTION, ROOT, Kept
from test_embeddings import cosine
from test_tools import A_ASK, A_TOOLS, ASK, FORCED, TOOLS, check_weather

HERE = pathlib.Path(__file__).parent
SCHEMA = {"type": "object", "properties": {"capital": {"type": "string", "maxLength": 20}, "sure": {"type": "boolean"}},
          "required": ["capital", "sure"], "additionalProperties": False}
CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 60}
RESPONSE = {"model": "smollm2", "input": QUESTION, "temperature": 0, "max_output_tokens": 60}
R_TOOL = {"type": "function", "strict": False} | TOOLS[0]["function"]


def run(script, server, folder, verb, **job):
    job = {"url": server.url, "verb": verb} | job
    done = subprocess.run(["node", str(HERE / "node" / script), json.dumps(job)], capture_output=True, text=True,
                          env=os.environ | {"CANDOR_NODE": str(folder)}, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def openai(node):
    return lambda server, verb, **job: run("openai.mjs", server, node, verb, **job)


@pytest.fixture
def anthropic(node):
    return lambda server, verb, **job: run("anthropic.mjs", server, node, verb, **job)


@pytest.fixture(scope="module")
def ollama():
    folder = ROOT / ".cache" / "clients" / "ollama-node"
    need(folder / "node_modules", "Ollama's client for Node (tests/e2e/setup.sh)")
    return lambda server, verb, **job: run("ollama_calls.mjs", server, folder, verb, **job)


def assert_verifies(server, folder, got, saved=None):
    Kept(server, folder, got["request"], json.dumps(got["response"] if saved is None else saved)).assert_verifies()


# --- openai


def test_B1_openai_node_forced_call_and_its_result_go_round(smol, openai, tmp_path):
    first = openai(smol, "chat", body=ASK | {"tool_choice": FORCED})
    choice = first["response"]["choices"][0]
    [call] = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls" and call["function"]["name"] == "get_weather"
    check_weather(call["function"]["arguments"])
    assert_verifies(smol, tmp_path / "call", first)
    messages = ASK["messages"] + [choice["message"], {"role": "tool", "tool_call_id": call["id"], "content": "20 degrees and sunny"}]
    second = openai(smol, "chat", body=ASK | {"messages": messages, "tool_choice": "none"})
    assert second["response"]["choices"][0]["message"]["content"]
    assert_verifies(smol, tmp_path / "result", second)


def test_B1_openai_node_streams_arguments_and_its_helper_joins_them(smol, openai, tmp_path):
    got = openai(smol, "stream", body=ASK | {"tool_choice": FORCED})
    pieces = [call for chunk in got["chunks"] for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())]
    assert len(pieces) > 3 and pieces[0]["function"]["name"] == "get_weather"
    check_weather("".join(piece["function"]["arguments"] for piece in pieces))
    assert_verifies(smol, tmp_path / "stream", got, got["chunks"])
    helped = openai(smol, "helper", body=ASK | {"tool_choice": "required", "parallel_tool_calls": True, "max_tokens": 400})
    calls = helped["response"]["choices"][0]["message"]["tool_calls"]
    assert 1 <= len(calls) <= 8 and helped["types"].count("arguments.delta") > 3
    assert {call["function"]["name"] for call in calls} <= {"get_weather", "now"}


def test_B1_openai_node_schema_holds_the_answer(smol, openai, tmp_path):
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
    got = openai(smol, "chat", body=CHAT | {"response_format": form})
    said = json.loads(got["response"]["choices"][0]["message"]["content"])
    assert list(said) == ["capital", "sure"] and isinstance(said["sure"], bool)
    assert_verifies(smol, tmp_path, got)
    helped = openai(smol, "helper", body=CHAT | {"response_format": form})
    assert json.loads(helped["response"]["choices"][0]["message"]["content"]) == said and "content.delta" in helped["types"]


def test_B1_openai_node_embeddings_in_both_encodings(embedding, openai, tmp_path):
    texts = ["The cat sat on the mat.", "A cat is sitting on a mat.", "Quarterly revenue grew by nine percent."]
    packed = openai(embedding, "create", api="embeddings", body={"model": "smollm2", "input": texts})
    assert '"base64"' in packed["request"]  # it asks for base64 and unpacks it
    vectors = [one["embedding"] for one in packed["response"]["data"]]
    assert cosine(vectors[0], vectors[1]) > cosine(vectors[0], vectors[2])
    plain = openai(embedding, "create", api="embeddings", body={"model": "smollm2", "input": texts, "encoding_format": "float"})
    assert_verifies(embedding, tmp_path / "float", plain)
    assert_verifies(embedding, tmp_path / "base64", packed)


def test_B1_openai_node_responses_and_their_events(smol, openai, tmp_path):
    whole = openai(smol, "create", api="responses", body=RESPONSE | {"instructions": "Be brief."})
    assert whole["response"]["status"] == "completed" and "Paris" in whole["response"]["output_text"]
    assert_verifies(smol, tmp_path / "whole", whole)
    streamed = openai(smol, "stream", api="responses", body=RESPONSE)
    types = [event["type"] for event in streamed["chunks"]]
    assert types[:2] == ["response.created", "response.in_progress"] and types[-1] == "response.completed"
    assert [event["sequence_number"] for event in streamed["chunks"]] == list(range(len(types)))
    assert_verifies(smol, tmp_path / "streamed", streamed, streamed["chunks"])
    helped = openai(smol, "helper", api="responses", body=RESPONSE)
    assert helped["response"]["output_text"] == "".join(e["delta"] for e in streamed["chunks"] if e["type"] == "response.output_text.delta")
    form = {"type": "json_schema", "name": "x", "strict": True, "schema": SCHEMA}
    formed = openai(smol, "create", api="responses", body=RESPONSE | {"text": {"format": form}})
    assert list(json.loads(formed["response"]["output_text"])) == ["capital", "sure"]


def test_B1_openai_node_function_calls_of_responses_go_round(smol, openai, tmp_path):
    ask = RESPONSE | {"input": [{"role": "user", "content": "What is the weather in Paris?"}], "tools": [R_TOOL], "max_output_tokens": 120}
    first = openai(smol, "create", api="responses", body=ask | {"tool_choice": "required"})
    [call] = [item for item in first["response"]["output"] if item["type"] == "function_call"]
    check_weather(call["arguments"])
    assert_verifies(smol, tmp_path / "call", first)
    items = ask["input"] + first["response"]["output"] + [{"type": "function_call_output", "call_id": call["call_id"], "output": "20 degrees"}]
    second = openai(smol, "create", api="responses", body=ask | {"input": items, "tool_choice": "none"})
    assert second["response"]["output_text"]
    assert_verifies(smol, tmp_path / "result", second)
    helped = openai(smol, "helper", api="responses", body=ask | {"tool_choice": "required"})
    assert helped["types"].count("response.function_call_arguments.delta") > 3
    check_weather(helped["response"]["output"][-1]["arguments"])


def test_B1_openai_node_choices_lists_and_refusals(smol, openai, tmp_path):
    several = openai(smol, "chat", body=CHAT | {"n": 2, "temperature": 1, "max_tokens": 8})
    assert [choice["index"] for choice in several["response"]["choices"]] == [0, 1]
    assert_verifies(smol, tmp_path, several)
    models = openai(smol, "models", body={"model": "smollm2"})
    assert models["listed"] == ["smollm2"] and models["one"]["id"] == "smollm2"
    for api, body, says in (("chat", ASK | {"tools": [{"type": "web_search"}]}, "runs no tools itself"),
                            ("chat", ASK | {"logprobs": True, "tool_choice": "required"}, "no log probabilities"),
                            ("responses", RESPONSE | {"previous_response_id": "resp_1"}, "stores no responses"),
                            ("embeddings", {"model": "smollm2", "input": "x"}, "--embeddings")):
        refused = openai(smol, "create", api=api, body=body)["error"]
        assert refused["name"] == "BadRequestError" and refused["status"] == 400 and says in refused["message"], refused


# --- Anthropic


def test_B1_anthropic_node_tools_go_round(smol, anthropic, tmp_path):
    first = anthropic(smol, "chat", body=A_ASK)
    assert first["response"]["stop_reason"] == "tool_use"
    [use] = [block for block in first["response"]["content"] if block["type"] == "tool_use"]
    check_weather(use["input"])
    assert_verifies(smol, tmp_path / "call", first)
    messages = A_ASK["messages"] + [{"role": "assistant", "content": first["response"]["content"]},
                                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use["id"], "content": "20 degrees"}]}]
    second = anthropic(smol, "chat", body=A_ASK | {"messages": messages, "tool_choice": {"type": "none"}})
    assert second["response"]["content"][0]["text"]
    assert_verifies(smol, tmp_path / "result", second)


def test_B1_anthropic_node_streams_arguments_and_its_helper_joins_them(smol, anthropic, tmp_path):
    got = anthropic(smol, "stream", body=A_ASK)
    pieces = [e["delta"]["partial_json"] for e in got["chunks"] if e["type"] == "content_block_delta" and e["delta"]["type"] == "input_json_delta"]
    assert len(pieces) > 3
    check_weather("".join(pieces))
    assert_verifies(smol, tmp_path, got, got["chunks"])
    helped = anthropic(smol, "helper", body=A_ASK | {"tool_choice": {"type": "any"}})
    assert "".join(helped["pieces"]["json"]).startswith("{")
    assert [block["name"] for block in helped["response"]["content"] if block["type"] == "tool_use"][0] in ("get_weather",)


def test_B1_anthropic_node_counts_formats_lists_and_refusals(smol, anthropic, tmp_path):
    ask = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}]}
    counted = anthropic(smol, "count", body=ask | {"tools": A_TOOLS})
    assert_verifies(smol, tmp_path / "count", counted)
    assert anthropic(smol, "count", body=ask)["response"]["input_tokens"] == \
        anthropic(smol, "chat", body=ask | {"max_tokens": 1})["response"]["usage"]["input_tokens"]
    formed = anthropic(smol, "chat", body=ask | {"max_tokens": 60, "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}})
    assert list(json.loads(formed["response"]["content"][0]["text"])) == ["capital", "sure"]
    assert_verifies(smol, tmp_path / "format", formed)
    models = anthropic(smol, "models", body={"model": "smollm2"})
    assert models["listed"] == ["smollm2"] and models["one"]["display_name"] == "smollm2"
    for body, says in ((A_ASK | {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "runs no tools itself"),
                       (ask | {"max_tokens": 8, "mcp_servers": [{"type": "url"}]}, "never connects to others"),
                       (A_ASK | {"max_tokens": 0}, "'max_tokens'")):
        refused = anthropic(smol, "chat", body=body)["error"]
        assert refused["name"] == "BadRequestError" and refused["type"] == "invalid_request_error" and says in refused["message"], refused


# --- Ollama

O_ASK = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}], "options": {"temperature": 0, "num_predict": 40}}
O_GENERATE = {"model": "smollm2", "prompt": QUESTION, "options": {"temperature": 0, "num_predict": 40}}


def test_B1_ollama_node_chat_and_generate_whole_and_streamed(smol, ollama, tmp_path):
    for verb, body, text in (("chat", O_ASK, lambda part: part["message"]["content"]), ("generate", O_GENERATE, lambda part: part["response"])):
        whole = ollama(smol, verb, body=body)
        assert "Paris" in text(whole["response"]) and whole["response"]["done"] and whole["response"]["eval_count"] > 0
        assert whole["response"]["candor"]["exchange"] == whole["exchange"]
        assert_verifies(smol, tmp_path / verb, whole)
        parts = ollama(smol, verb, body=body, stream=True)
        assert "".join(map(text, parts["parts"])) == text(whole["response"])
        Kept(smol, tmp_path / f"{verb}-stream", parts["request"], "\n".join(map(json.dumps, parts["parts"]))).assert_verifies()
    formed = ollama(smol, "generate", body=O_GENERATE | {"format": SCHEMA})
    assert list(json.loads(formed["response"]["response"])) == ["capital", "sure"]
    raw = ollama(smol, "generate", body={"model": "smollm2", "prompt": "One, two, three,", "raw": True, "options": {"num_predict": 5}})
    assert raw["response"]["done_reason"] == "length"
    assert_verifies(smol, tmp_path / "raw", raw)


def test_B1_ollama_node_embed_and_lists(embedding, ollama, tmp_path):
    got = ollama(embedding, "embed", body={"model": "smollm2", "input": ["a cat on a mat", "the cat sits on the mat", "tax returns"]})
    vectors = got["response"]["embeddings"]
    assert cosine(vectors[0], vectors[1]) > cosine(vectors[0], vectors[2])
    assert_verifies(embedding, tmp_path, got)
    assert [m["model"] for m in ollama(embedding, "list")["response"]["models"]] == ["smollm2"]
    [loaded] = ollama(embedding, "ps")["response"]["models"]
    assert loaded["model"] == "smollm2" and loaded["size"] > 90_000_000
    shown = ollama(embedding, "show", body={"model": "smollm2"})["response"]
    assert shown["details"]["family"] == "llama" and {"completion", "embedding"} <= set(shown["capabilities"])
    assert ollama(embedding, "version")["response"]["version"]


def test_B2_ollama_node_errors_and_abort(smol, ollama):
    for verb, body, status in (("chat", O_ASK | {"model": "nobody"}, 404), ("show", {"model": "nobody"}, 404), ("pull", {"model": "x"}, 404),
                               ("chat", O_ASK | {"options": {"temperature": 9}}, 400), ("generate", O_GENERATE | {"suffix": "x"}, 400),
                               ("embed", {"model": "smollm2", "input": "x"}, 400)):
        refused = ollama(smol, verb, body=body)["error"]
        assert refused["name"] == "ResponseError" and refused["status"] == status and len(refused["message"]) > 20, refused
    got = ollama(smol, "chat", abortAfter=5, body=O_ASK | {"messages": [{"role": "user", "content": "Tell a long story."}],
                                                         "options": {"num_predict": 2000, "temperature": 1}})
    assert got["error"]["name"] == "AbortError" and len(got["parts"]) == 5
    end = smol.wait_for_end(got["exchange"])
    assert end["type"] == "outcome" and end["result"] == "cancelled"
