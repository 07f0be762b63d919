"""Real servers that somebody else wrote, started by the tests as upstream engines. Each is skipped where it is not there."""
import contextlib
import os
import pathlib
import socket
import subprocess

import pytest

from server import ROOT, SMOL, http, wait_until

VENV = pathlib.Path(os.environ.get("CANDOR_UPSTREAMS", ROOT / ".cache" / "upstreams"))  # tests/e2e/upstreams.sh


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(words, port, log, path="/v1/models", headers=None, environment=None, seconds=180):
    with open(log, "wb") as said:
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                   env=os.environ | (environment or {}))
        try:
            def up():
                assert process.poll() is None, pathlib.Path(log).read_text()[-3000:]
                with contextlib.suppress(OSError, ValueError, IndexError):
                    return http(("127.0.0.1", port), "GET", path, headers=headers, timeout=5).status == 200
            wait_until(up, f"{words[0]} is up", seconds)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def llama_server_binary():
    for path in (ROOT / "build/engine/bin/llama-server", ROOT / "build/bin/llama-server"):
        if path.exists():
            return path
    pytest.skip("the bare llama-server is not there (engine/build.sh --rival)")


@contextlib.contextmanager
def llama_server(folder, key=None, name="llama-server"):
    port = free_port()
    words = [llama_server_binary(), "-m", SMOL, "--host", "127.0.0.1", "--port", port, "-c", 4096, "-np", 2, "-t", 1, "--no-webui"]
    if key:
        words += ["--api-key", key]
    headers = {"Authorization": f"Bearer {key}"} if key else None
    with running(words, port, folder / f"{name}.log", headers=headers) as process:
        yield port, process


@contextlib.contextmanager
def llama_cpp_python(folder):
    if not (VENV / "bin/python").exists() or not list(VENV.glob("lib/python*/site-packages/llama_cpp")):
        pytest.skip("llama-cpp-python is not there (tests/e2e/upstreams.sh)")
    port = free_port()
    words = [VENV / "bin/python", "-m", "llama_cpp.server", "--model", SMOL, "--model_alias", "smol", "--host", "127.0.0.1",
             "--port", port, "--n_ctx", 2048, "--n_threads", 1]
    with running(words, port, folder / "llama-cpp-python.log") as process:
        yield port, process


@contextlib.contextmanager
def litellm(folder, behind, key, certificate=None):
    """LiteLLM's proxy in front of another server, over https if it has a certificate."""
    if not (VENV / "bin/litellm").exists():
        pytest.skip("litellm is not there (tests/e2e/upstreams.sh)")
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(f"""model_list:
  - model_name: through-litellm
    litellm_params:
      model: openai/smol
      api_base: http://127.0.0.1:{behind}/v1
      api_key: none
general_settings:
  master_key: {key}
""")
    words = [VENV / "bin/litellm", "--config", config, "--host", "127.0.0.1", "--port", port]
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "NO_DOCS": "True"}
    if certificate:
        words += ["--ssl_certfile_path", certificate[0], "--ssl_keyfile_path", certificate[1]]
        # Asked in the clear, an https port says something else than 200; its log says when it is up.
        with open(folder / "litellm.log", "wb") as said:
            process = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                       env=os.environ | environment)
            try:
                def up():
                    text = (folder / "litellm.log").read_text()
                    assert process.poll() is None, text[-3000:]
                    return "running on https://" in text
                wait_until(up, "litellm is up", 240)
                yield port, process
            finally:
                process.terminate()
                process.wait(30)
        return
    with running(words, port, folder / "litellm.log", headers={"Authorization": f"Bearer {key}"}, environment=environment,
                 seconds=240) as process:
        yield port, process


def ollama_binary():
    for path in (os.environ.get("CANDOR_OLLAMA"), *sorted((ROOT / ".cache/ollama").glob("ollama-v*"))):
        if path and pathlib.Path(path).exists():
            return path
    pytest.skip("Ollama is not there (tools/ollama.sh .cache/ollama)")


@contextlib.contextmanager
def ollama(folder):
    port = free_port()
    binary = ollama_binary()
    environment = {"OLLAMA_HOST": f"127.0.0.1:{port}", "HOME": str(folder), "OLLAMA_MODELS": str(folder / "models")}
    with running([binary, "serve"], port, folder / "ollama.log", path="/api/version", environment=environment) as process:
        made = folder / "Modelfile"
        made.write_text(f"FROM {SMOL}\n")
        subprocess.run([binary, "create", "smol", "-f", made], env=os.environ | environment, check=True, capture_output=True,
                       timeout=300)
        yield port, process
