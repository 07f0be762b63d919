"""A real `candor serve` in a folder of its own, and what a person would do with it."""
import contextlib
import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
from http import client

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("CANDOR_BIN", ROOT / "build" / "bin"))
DATA = pathlib.Path(os.environ.get("CANDOR_DATA", ROOT.parent / "shared" / "data"))
SMOL = ROOT / ".cache" / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
TINY = DATA / "models" / "vespa-tinyllm.gguf"
QUESTION = "What is the capital of France? Answer in one sentence."


def wait_until(true, what, seconds=20):
    """Waits until true() gives something that counts as true, and gives it back."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.02)
    return found


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def http(address, method, path, body=None, headers=None, timeout=180):
    """One request over a Unix socket (a path) or TCP ((host, port)), connection closed after it."""
    if isinstance(address, tuple):
        connection = socket.create_connection(address, timeout=timeout)
    else:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.connect(str(address))
    payload = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Connection: close"]
    lines += [] if headers and "Host" in headers else ["Host: localhost"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(payload)}"]
    lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
    with connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    found = {key.strip().lower(): value.strip() for key, _, value in (f.partition(":") for f in fields)}
    if found.get("transfer-encoding") == "chunked":
        whole, rest_ = b"", rest
        while rest_:
            size, _, rest_ = rest_.partition(b"\r\n")
            count = int(size.split(b";")[0], 16)
            if count == 0:
                break
            whole += rest_[:count]
            rest_ = rest_[count + 2:]
        rest = whole
    return Reply(int(status.split()[1]), found, rest)


class Candor:
    def __init__(self, folder, models, arguments=(), user=None):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.home = self.folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.models, self.arguments, self.user = dict(models), list(arguments), user
        # What a canned engine says word by word would be held back; tests of policies bring their own rules.
        self.more_environment = {} if models else {"CANDOR_POLICY_PACKS": ""}
        self.process = None
        self.port = None
        self.log = []

    @property
    def environment(self):
        # On a busy machine an idle engine starves: CANDOR_ENGINE_SCHEDULING=other gives it its share.
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("CANDOR_", "XDG_")) or key in ("CANDOR_DATA", "CANDOR_ENGINE_SCHEDULING")}
        return kept | {"HOME": str(self.home), "CANDOR_DATA_DIR": str(self.data), "NO_COLOR": "1"} \
            | self.more_environment

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def tcp(self):
        return ("127.0.0.1", self.port)

    @property
    def admin_socket(self):
        return self.data / "run" / "admin.sock"

    @property
    def api_socket(self):
        return self.data / "run" / "api.sock"

    # --- life
    def configure(self, toml):
        """A candor.toml of its own, in force at the next start or reload."""
        file = self.folder / "candor.toml"
        file.write_text(toml)
        if "--config" not in self.arguments:
            self.arguments += ["--config", str(file)]
        return self

    def refused(self, timeout=60):
        """Starts and ends at once: the exit code and what it said."""
        done = subprocess.run(self.command(), env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout, check=False)
        return done.returncode, done.stderr

    def command(self):
        words = [str(BIN / "candor"), "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]
        for name, path in self.models.items():
            words += ["--model", f"{name}={path}"]
        return words + self.arguments

    def start(self, timeout=60):
        self.process = subprocess.Popen(self.command(), env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        errors="replace")
        lines = queue.Queue()

        def read(stream):
            for line in stream:
                self.log.append(line)
                lines.put(line)
            lines.put(None)

        threading.Thread(target=read, args=(self.process.stderr,), daemon=True).start()
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("candor serve is not ready:\n" + "".join(self.log)) from None
            if line is None:
                raise AssertionError(f"candor serve ended with {self.process.wait()}:\n" + "".join(self.log))
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                return self

    def stop(self, timeout=60):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout) if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.stop(20)
        if self.process and self.process.poll() is None:
            self.kill()

    # --- as a person
    def run(self, *words, code=0, stdin=None, program="candor", timeout=120):
        done = subprocess.run([str(BIN / program), *map(str, words)], env=self.environment, text=True,
                              input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, timeout=timeout, check=False)
        if code is not None:
            assert done.returncode == code, f"{program} {words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words, code=0):
        return json.loads(self.run("--json", *words, code=code).stdout)

    def verify(self, *words):
        """The exit code and words of candor-verify."""
        done = self.run(*words, program="candor-verify", code=None)
        return done.returncode, done.stdout + done.stderr

    def verify_log(self):
        return self.verify("log", self.data)

    # --- as a program
    def admin(self, method, path, body=None):
        return http(self.admin_socket, method, path, body)

    def http(self, method, path, headers=None):
        return http(self.tcp, method, path, headers=headers)

    def post(self, path, body, headers=None, **more):
        return http(self.tcp, "POST", path, body, headers, **more)

    def chat(self, text=QUESTION, model=None, headers=None, **fields):
        body = {"model": model or next(iter(self.models)), "messages": [{"role": "user", "content": text}],
                "temperature": 0, "max_tokens": 24} | fields
        return self.post("/v1/chat/completions", body, headers)

    def complete(self, text="Once upon a time", model=None, headers=None, **fields):
        body = {"model": model or next(iter(self.models)), "prompt": text, "temperature": 0,
                "max_tokens": 8} | fields
        return self.post("/v1/completions", body, headers)

    def entries(self):
        size = self.admin("GET", "/v1/entries?from=-1&count=1").json()["size"]
        found = []
        while len(found) < size:
            got = self.admin("GET", f"/v1/entries?from={len(found)}&count=256").json()["entries"]
            assert got, "the log ends early"
            found += [item["entry"] for item in got]
        return found

    def exchange(self, exchange):
        return self.admin("GET", "/v1/exchange?id=" + urllib.parse.quote(exchange)).json()

    def wait_for_end(self, exchange, seconds=20):
        """The entry that ends an exchange: outcome or abort."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.exchange(exchange)
            for kind in ("outcome", "abort"):
                if found.get(kind):
                    return found[kind]["entry"]
            time.sleep(0.05)
        raise AssertionError(f"exchange {exchange} has no end after {seconds} s: {found}")

    def stream(self, path, body, headers=None):
        """A stream that the test reads event by event."""
        return Stream(self.tcp, path, body | {"stream": True}, headers)

    def children(self, name=""):
        """Processes whose parent is this server, by name; threads' parents are the same process."""
        pids = []
        for line in subprocess.run(["ps", "-eo", "pid,ppid,comm"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]:
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.process.pid and command.startswith(name):
                pids.append(int(pid))
        return pids

    def engine_pids(self):
        return self.children("candor-engine")


class Stream:
    """One streamed request, read as it comes."""

    def __init__(self, address, path, body, headers=None, timeout=60):
        self.connection = client.HTTPConnection(*address, timeout=timeout)
        self.request = json.dumps(body).encode()
        self.connection.request("POST", path, self.request, {"Content-Type": "application/json"} | (headers or {}))
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.exchange = self.response.getheader("candor-exchange")
        self.body = b""

    def event(self):
        """The next event's data, parsed; None at a proper end."""
        while line := self.response.readline():
            self.body += line
            if line.startswith(b"data: ") and line != b"data: [DONE]\n":
                return json.loads(line[6:])
        return None

    def rest(self):
        """All further events, to the proper end."""
        found = []
        while (event := self.event()) is not None:
            found.append(event)
        return found

    def close(self):
        self.response.close()  # it holds the socket too
        self.connection.close()


def alive(pid):
    """Runs, or waits to be buried by a parent that is not us."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Kept:
    """What a client kept of one exchange, as files, and candor-verify's word on them."""

    def __init__(self, server, folder, request, response, receipt=None, key=None):
        self.server, self.folder = server, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.request, self.response, self.receipt = (self.folder / name for name in ("request", "response", "receipt"))
        self.request.write_bytes(request if isinstance(request, bytes) else request.encode())
        self.response.write_bytes(response if isinstance(response, bytes) else response.encode())
        self.key = key or self.folder / "log.vkey"
        if key is None:
            self.key.write_text(server.run("key", "log").stdout)
        if receipt:
            self.receipt.write_text(receipt)
        else:
            self.receipt = None

    def verify(self, *more):
        words = ["receipt"] + ([self.receipt] if self.receipt else [])
        return self.server.verify(*words, "--request", self.request, "--response", self.response,
                                  "--log-key", self.key, *more)

    def assert_verifies(self):
        code, words = self.verify()
        assert code == 0, words

    def assert_fails(self):
        code, words = self.verify()
        assert code in (1, 2), words
        return words


def sse_events(body):
    """The data of each event of an SSE body, parsed; without [DONE]."""
    text = body.decode() if isinstance(body, bytes) else body
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ") and line != "data: [DONE]"]


def spoken(events):
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
