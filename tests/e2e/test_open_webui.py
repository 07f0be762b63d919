"""Open WebUI, unchanged, in front of Candor, driven in a real Chromium (B4): slow, and only where tests/e2e/open_webui.sh has put it."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from server import QUESTION, ROOT, http, wait_until
from upstream_servers import free_port, running

HERE = pathlib.Path(__file__).parent
VENV = ROOT / ".cache" / "clients" / "open-webui"


def letters(text):
    """Without what a page makes of Markdown and of line ends."""
    return "".join(c for c in text if c.isalnum())


@contextlib.contextmanager
def open_webui(folder, server, key):
    if not (VENV / ".candor").exists():
        pytest.skip("Open WebUI is not there (tests/e2e/open_webui.sh)")
    port = free_port()
    environment = {"DATA_DIR": str(folder), "OPENAI_API_BASE_URL": server.url + "/v1", "OPENAI_API_KEY": key, "ENABLE_OLLAMA_API": "False",
                   "WEBUI_AUTH": "False", "WEBUI_SECRET_KEY": "test", "USE_SLIM_DOCKER": "True",  # its own mode without PyTorch and clouds
                   "OFFLINE_MODE": "True", "HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "false", "ENABLE_FOLLOW_UP_GENERATION": "False",
                   "ENABLE_TITLE_GENERATION": "False", "ENABLE_TAGS_GENERATION": "False", "NO_PROXY": "*"}
    words = [VENV / "bin" / "open-webui", "serve", "--host", "127.0.0.1", "--port", port]
    with running(words, port, folder / "open-webui.log", path="/health", environment=environment, seconds=300):
        yield port


@contextlib.contextmanager
def chromium(folder):
    binary = shutil.which("chromium")
    if not binary:
        pytest.skip("no Chromium on this machine (Debian's package chromium)")
    profile = folder / "profile"
    words = [binary, *(["--no-sandbox"] if os.geteuid() == 0 else []), "--headless=new", "--disable-gpu", "--no-first-run", "--no-proxy-server",
             "--disable-background-networking", "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with open(folder / "browser.log", "wb") as said:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
    try:
        port = profile / "DevToolsActivePort"
        wait_until(lambda: port.exists() and port.read_text().strip(), "the browser's port", 60)
        yield port.read_text().split()[0]
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


@pytest.mark.slow
def test_B4_a_question_typed_into_open_webui_is_answered_as_it_streams_and_is_on_record(smol, tmp_path):
    key = smol.json("key", "create", "open-webui")["key"]
    before = len(smol.entries())
    pictures = pathlib.Path(os.environ.get("CANDOR_PICTURES", tmp_path))
    with open_webui(tmp_path, smol, key) as port, chromium(tmp_path) as debugging:
        assert http(("127.0.0.1", port), "GET", "/api/config").json()["name"].startswith("Open WebUI")
        done = subprocess.run([VENV / "bin" / "python", HERE / "python" / "open_webui_job.py", f"http://127.0.0.1:{port}/", QUESTION, debugging,
                               pictures / "open-webui.png"], capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    page = json.loads(done.stdout)
    assert page["model"].startswith("smollm2")
    assert len(page["final"]) > 10 and page["reloaded"] == page["final"]
    assert len(page["seen"]) >= 3  # it was seen to grow
    [intent, *_] = [e for e in smol.entries()[before:] if e["type"] == "intent"]
    assert intent["caller_known_by"] == "api_key" and intent["stream"] is True
    end = smol.wait_for_end(intent["exchange"])
    assert end["type"] == "outcome" and end["result"] == "complete"
    assert letters(page["final"]) in letters(smol.run("ledger", "open", "--exchange", intent["exchange"]).stdout)  # the record is what was seen
    assert (pictures / "open-webui.png").stat().st_size > 10_000
    assert smol.verify_log()[0] == 0
