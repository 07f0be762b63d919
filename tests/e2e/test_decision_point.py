"""A decision point of somebody else's is asked beside the rules, and fails closed (C12, P8): a server that speaks Open Policy
Agent's data API and does all that goes wrong, and the real one."""
import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from go_tools import go_tool
from server import wait_until

RULES = 'format = 1\npolicy = "house"\n[[rule]]\nid = "house.mail"\neffect = "redact"\nselect = \'finding.detector == "email"\'\nmessage = "Addresses are masked."\n'
ASK = {"model": "canned", "messages": [{"role": "user", "content": "Write to maria.sommer@klinikum-nord.example.org"}]}


class DataApi:
    """Answers with `body` and `status`, after `delay`; keeps what it was asked."""

    def __init__(self):
        self.status, self.body, self.delay, self.asked = 200, {"result": True}, 0, []
        point = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                point.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                time.sleep(point.delay)
                body = json.dumps(point.body).encode()
                self.send_response(point.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/data/candor/decision"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def point():
    made = DataApi()
    yield made
    made.close()


def test_C12_a_decision_point_is_asked_with_facts_and_fails_closed(own, upstream, point):
    (own.folder / "house.toml").write_text(RULES)
    toml = f'[policy]\npacks = []\nfiles = ["house.toml"]\nask = "{point.url}"\nask_timeout = "1s"\n' + upstream.toml()
    with own.configure(toml) as server:
        ask = lambda: server.post("/v1/chat/completions", ASK)
        assert ask().status == 200
        path, asked = point.asked[-1]
        facts = asked["input"]
        assert path == "/v1/data/candor/decision" and facts["phase"] == "request" and facts["model"]["name"] == "canned"
        assert facts["findings"][0]["detector"] == "email" and "klinikum" not in json.dumps(facts)  # what was found, never its text

        point.body = {"result": {"effect": "deny", "reason": "Not on\x1b[31m Fridays."}}
        refused = ask()
        assert refused.status == 403 and refused.json()["error"]["code"] == "policy_denied"
        message = refused.json()["error"]["message"]
        assert "Not on" in message and "\x1b" not in message and "external" in message
        decision = [e for e in server.entries() if e["type"] == "decision"][-1]
        assert decision["policy"]["effect"] == "deny" and "external" in decision["policy"]["rules"]

        point.body = {"result": {"effect": "warn", "reason": "Mind the gap."}}
        assert any(rule["rule"] == "external" for rule in ask().json()["candor"]["policy"]["rules"])
        point.body = {"result": {"effect": "require justification", "reason": "Why?"}}
        assert ask().json()["error"]["code"] == "justification_required"
        assert server.post("/v1/chat/completions", ASK, headers={"Candor-Justification": "audit"}).status == 200

        begun = len([e for e in server.entries() if e["type"] == "intent"])
        for point.status, point.body, point.delay in ((200, {}, 0), (200, {"result": "allow"}, 0), (500, {"result": True}, 0),
                                                      (200, {"result": True}, 3)):
            assert ask().status == 403
        point.close()
        assert ask().status == 403
        assert len([e for e in server.entries() if e["type"] == "intent"]) == begun  # no engine was asked


REGO = """package candor

import rego.v1

default decision := {"effect": "allow"}

decision := {"effect": "deny", "reason": "No addresses to hosted models."} if {
    input.phase == "request"
    not input.model.local
    some finding in input.findings
    finding.detector == "email"
}

decision := {"effect": "require justification", "reason": "Why so long?"} if input.request.characters > 500
"""


class Opa:
    """The real Open Policy Agent, serving REGO."""

    def __init__(self, folder):
        program = go_tool("github.com/open-policy-agent/opa", "v1.0.0")
        if program is None:
            (pytest.fail if os.environ.get("CANDOR_CHECK") else pytest.skip)("Open Policy Agent is not there and cannot be built (Go)")
        (folder / "rules.rego").write_text(REGO)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen([program, "run", "--server", "--disable-telemetry", "--log-level", "error",
                                         "--addr", f"127.0.0.1:{self.port}", folder / "rules.rego"])
        self.url = f"http://127.0.0.1:{self.port}/v1/data/candor/decision"
        wait_until(self.listens, "Open Policy Agent")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def opa(tmp_path):
    made = Opa(tmp_path)
    yield made
    made.close()


def test_C12_the_real_open_policy_agent_decides_and_fails_closed(own, upstream, opa):
    (own.folder / "house.toml").write_text(RULES)
    toml = f'[policy]\npacks = []\nfiles = ["house.toml"]\nask = "{opa.url}"\nask_timeout = "1s"\n' + upstream.toml()
    with own.configure(toml) as server:
        harmless = lambda text="Good morning": server.chat(text, model="canned")
        assert harmless().status == 200
        refused = server.post("/v1/chat/completions", ASK)
        assert refused.status == 403 and "No addresses to hosted models." in refused.json()["error"]["message"]
        assert harmless("a word " * 100).json()["error"]["code"] == "justification_required"
        assert server.chat("a word " * 100, model="canned", headers={"Candor-Justification": "the whole report"}).status == 200
        assert len(upstream.requests) == 2
        opa.process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        assert harmless().status == 403  # no word within its second
        assert time.monotonic() - begun < 5
        opa.process.send_signal(signal.SIGCONT)
        wait_until(lambda: harmless().status == 200, "Open Policy Agent again")
        opa.close()
        assert harmless().status == 403
        assert len([e for e in server.entries() if e["type"] == "intent"]) == len(upstream.requests)
