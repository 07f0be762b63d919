"""The clients of the soak: official SDKs and raw HTTP, lawful and hostile, each a thread with a name (an API key) of its own that
writes down what it saw of each exchange."""
import http.client
import json
import random
import socket
import threading
import time
import uuid

import anthropic
import ollama
import openai

from clients import anthropic_client, lines, openai_client
from records import CUT, ERROR, LEFT, WHOLE, Seen

PATIENCE_S = 1800  # a machine that is frozen for minutes is no fault
TEXTS = ["Once upon a time there was a small dog", "The capital of France is", "One, two, three,", "A cat and a", "Tell me: why"]


class Gate:
    """Open while the server serves and nobody measures."""

    def __init__(self):
        self.open, self.over = threading.Event(), threading.Event()

    def wait(self):
        while not self.over.is_set() and not self.open.wait(0.2):
            pass
        return not self.over.is_set()


class Sample:
    """Answers to verify later, each as likely as any other (Vitter's R)."""

    def __init__(self, most, seed):
        self.most, self.chance, self.lock = most, random.Random(seed), threading.Lock()
        self.kept, self.offered = [], 0

    def offer(self, seen, request, response):
        with self.lock:
            self.offered += 1
            if len(self.kept) < self.most:
                self.kept.append((seen.exchange, request, response))
            elif (place := self.chance.randrange(self.offered)) < self.most:
                self.kept[place] = (seen.exchange, request, response)


class Caller(threading.Thread):
    """Asks, keeps, pauses a little, until the gate says that it is over."""
    kind = ""

    def __init__(self, name, server, models, gate, sample, key=None, think_s=0.05):
        super().__init__(name=name, daemon=True)
        self.server, self.models, self.gate, self.sample, self.key, self.think_s = server, models, gate, sample, key, think_s
        self.chance = random.Random(name)
        self.seen, self.failure, self.busy = [], None, False
        self.asked = None  # the run of the monitor that connections lead to
        self.seeds = self.chance.randrange(1 << 20) * 1000

    def run(self):
        try:
            while self.gate.wait():
                self.busy = True
                if not self.gate.open.is_set():  # closed between the two
                    self.busy = False
                    continue
                seen = self.one()
                if seen.status is None and seen.end != LEFT or seen.end == CUT:
                    self.forget()
                if not self.gate.open.is_set():
                    self.forget()
                self.busy = False
                time.sleep(self.chance.uniform(0, 2 * self.think_s) + (0.2 if seen.end in (ERROR, CUT) else 0))
        except BaseException as failure:  # a fault of the soak itself, told at its end
            self.failure = failure
        finally:
            self.forget()
            self.busy = False

    def one(self):
        seen = Seen(self.name, "", time.monotonic(), seed=self.next_seed())
        if self.asked is not self.server.process:  # after began: what goes to the run before counts as begun in it
            self.forget()
            self.asked = self.server.process
        try:
            self.ask(seen)
        finally:
            seen.ended = time.monotonic()
            self.seen.append(seen)
        return seen

    def next_seed(self):
        self.seeds += 1
        return self.seeds % 4_294_967_294

    def text(self):
        return self.chance.choice(TEXTS) + " " + uuid.UUID(int=self.chance.getrandbits(128)).hex[:8]

    def ask(self, seen):
        raise NotImplementedError

    def forget(self):
        """Lets go of connections."""


class SdkCaller(Caller):
    """Shared by the official clients: what went over the wire is taken from the HTTP client below them."""
    client = keeping = None

    def make(self):
        raise NotImplementedError

    def forget(self):
        if self.client is not None:
            (self.keeping if self.keeping is not None else self.client._client).close()
        self.client = self.keeping = None

    def ask(self, seen):
        if self.client is None:
            self.make()
        if self.keeping is not None:
            self.keeping.request_body = self.keeping.response = None
            self.keeping.timeout = PATIENCE_S
        try:
            self.job(seen)
        except (openai.APIStatusError, anthropic.APIStatusError, ollama.ResponseError):
            seen.end = ERROR
        except openai.APIError as failure:  # an error event in mid-stream, or a connection that broke
            seen.end = CUT if isinstance(failure, openai.APIConnectionError) else ERROR
        except anthropic.APIError as failure:
            seen.end = CUT if isinstance(failure, anthropic.APIConnectionError) else ERROR
        except (OSError, *self.broken()):
            seen.end = CUT
        self.note(seen)

    @staticmethod
    def broken():
        import httpx
        import httpx2
        return httpx.HTTPError, httpx2.HTTPError, httpx.StreamError, httpx2.StreamError

    def note(self, seen):
        sent, response = self.wire()
        seen.sent_bytes = len(sent or b"")
        if response is not None:
            seen.status, seen.exchange = response.status_code, response.headers.get("candor-exchange")
        if seen.status is not None and seen.status >= 400:
            seen.end = ERROR

    def wire(self):
        return self.keeping.request_body, self.keeping.response

    def whole(self, seen, saved, receipt):
        """To its proper end, with the receipt: kept for candor-verify now and then."""
        seen.end = WHOLE
        sent, response = self.wire()
        seen.exchange = response.headers["candor-exchange"]
        assert receipt is None or receipt.startswith("c2sp.org/tlog-proof@v1"), f"{self.name}: no receipt"
        if receipt is not None:
            self.sample.offer(seen, sent, saved.encode() if isinstance(saved, str) else saved)

    def some(self, seen, stream):
        """A few events, then the client leaves."""
        most = self.chance.randrange(0, 6)
        try:
            for number, _ in enumerate(stream):
                if number >= most:
                    break
            else:
                most = None
        finally:
            stream.close()
        seen.end = LEFT if most is not None else CUT


class OpenAi(SdkCaller):
    def make(self):
        self.client, self.keeping = openai_client(self.server, self.key)

    def job(self, seen):
        verb = self.chance.choice(["chat", "chat", "completions", "responses", "embeddings", "chat-left", "responses-stream",
                                   "chat-stream", "completions-stream"])
        verb, _, mode = verb.partition("-")
        seen.api = "openai." + verb
        model = self.chance.choice(self.models["text"])
        if verb == "embeddings":
            seen.seed = None
            answer = self.client.embeddings.create(model=self.models["embeddings"], input=[self.text(), self.text()], encoding_format="float")
            return self.whole(seen, answer.to_json(), answer.candor["receipt"])
        extra = {"extra_body": {"seed": seen.seed}}
        tokens = self.chance.randrange(4, 40)
        if verb == "chat":
            make, ask = self.client.chat.completions.create, {"messages": [{"role": "user", "content": self.text()}], "max_tokens": tokens}
        elif verb == "completions":
            make, ask = self.client.completions.create, {"prompt": self.text(), "max_tokens": tokens}
        else:
            make, ask = self.client.responses.create, {"input": self.text(), "max_output_tokens": tokens}
        if not mode:
            answer = make(model=model, **ask, **extra)
            return self.whole(seen, answer.to_json(), answer.candor["receipt"])
        stream = make(model=model, **ask, **extra, stream=True)
        if mode == "left":
            return self.some(seen, stream)
        events = list(stream)
        last = events[-1] if events else None
        said = getattr(getattr(last, "response", last), "candor", None) or {}
        if "receipt" not in said:
            seen.end = ERROR if said or "error" in getattr(last, "type", "") else CUT
            return None
        return self.whole(seen, lines(events), said["receipt"])


class Anthropic(SdkCaller):
    def make(self):
        self.client, self.keeping = anthropic_client(self.server, self.key)

    def job(self, seen):
        verb = self.chance.choice(["messages", "messages", "stream", "stream", "left", "count"])
        seen.api = "anthropic.count_tokens" if verb == "count" else "anthropic.messages"
        ask = {"model": self.chance.choice(self.models["text"]), "messages": [{"role": "user", "content": self.text()}]}
        if verb == "count":
            seen.seed = None
            answer = self.client.messages.count_tokens(**ask | {"model": self.models["embeddings"]})
            return self.whole(seen, answer.to_json(), answer.candor["receipt"])
        ask |= {"max_tokens": self.chance.randrange(4, 40), "extra_body": {"seed": seen.seed}}
        if verb == "messages":
            answer = self.client.messages.create(**ask)
            return self.whole(seen, answer.to_json(), answer.candor["receipt"])
        stream = self.client.messages.create(**ask, stream=True)
        if verb == "left":
            return self.some(seen, stream)
        events = list(stream)
        if not events or events[-1].type != "message_stop":
            seen.end = CUT
            return None
        return self.whole(seen, lines(events), events[-1].candor["receipt"])


class Ollama(SdkCaller):
    def make(self):
        self.request = self.response = None
        self.client = ollama.Client(host=self.server.url, timeout=PATIENCE_S, headers={"authorization": f"Bearer {self.key}"},
                                    event_hooks={"request": [self.on_request], "response": [self.on_response]})

    def on_request(self, request):
        self.request, self.response = request.read(), None

    def on_response(self, response):
        self.response = response

    def wire(self):
        return self.request, self.response

    def job(self, seen):
        self.request = self.response = None
        verb = self.chance.choice(["chat", "generate", "embed", "chat-stream", "generate-stream", "chat-left"])
        verb, _, mode = verb.partition("-")
        seen.api = "ollama." + verb
        if verb == "embed":
            seen.seed = None
            self.client.embed(model=self.models["embeddings"], input=[self.text()])
            return self.kept(seen)
        ask = {"model": self.chance.choice(self.models["text"]), "stream": bool(mode),
               "options": {"num_predict": self.chance.randrange(4, 40), "seed": seen.seed}}
        if verb == "chat":
            answer = self.client.chat(messages=[{"role": "user", "content": self.text()}], **ask)
        else:
            answer = self.client.generate(prompt=self.text(), **ask)
        if mode == "left":
            return self.some(seen, answer)
        if mode:
            parts = list(answer)
            if not parts or not parts[-1].done:
                seen.end = CUT
                return None
            return self.whole(seen, None, None)  # this client drops the receipt of a stream
        return self.kept(seen)

    def kept(self, seen):
        body = self.response.content
        return self.whole(seen, body, json.loads(body)["candor"]["receipt"])


ROUTES = {
    "openai.chat": ("/v1/chat/completions", lambda text, n: {"messages": [{"role": "user", "content": text}], "max_tokens": n}),
    "openai.completions": ("/v1/completions", lambda text, n: {"prompt": text, "max_tokens": n}),
    "openai.responses": ("/v1/responses", lambda text, n: {"input": text, "max_output_tokens": n}),
    "openai.embeddings": ("/v1/embeddings", lambda text, n: {"input": text}),
    "anthropic.messages": ("/v1/messages", lambda text, n: {"messages": [{"role": "user", "content": text}], "max_tokens": n}),
    "ollama.chat": ("/api/chat", lambda text, n: {"messages": [{"role": "user", "content": text}]}),
    "ollama.generate": ("/api/generate", lambda text, n: {"prompt": text}),
}


class Raw(Caller):
    """HTTP by hand, over TCP or the Unix socket: whole, streamed, left at any moment, several requests on one connection."""

    def __init__(self, *arguments, unix=False, **more):
        super().__init__(*arguments, **more)
        self.unix, self.connection = unix, None

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        if self.unix:
            connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.sock.settimeout(PATIENCE_S)
            connection.sock.connect(str(self.server.api_socket))
            connection.host = "localhost"
        return connection

    def forget(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def headers(self):
        return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})

    def ask(self, seen):
        seen.api = self.chance.choice(list(ROUTES))
        path, fields = ROUTES[seen.api]
        stream = seen.api != "openai.embeddings" and self.chance.random() < 0.6
        body = fields(self.text(), self.chance.randrange(4, 60))
        if seen.api == "openai.embeddings":
            seen.seed = None
            body |= {"model": self.models["embeddings"]}
        else:
            body |= {"model": self.chance.choice(self.models["text"]), "stream": stream}
            body |= {"options": {"seed": seen.seed, "num_predict": 24}} if seen.api.startswith("ollama") else {"seed": seen.seed}
        self.send(seen, path, json.dumps(body).encode(), self.headers(), self.chance.choice([None, None, None, "head", "soon", "later"]))

    def send(self, seen, path, body, headers, leave=None):
        """leave: before the head, soon after it, or later."""
        seen.sent_bytes = len(body)
        if self.connection is None:
            try:
                self.connection = self.connect()
            except OSError:
                return
        read = b""
        try:
            self.connection.request("POST", path, body, headers)
            if leave == "head":
                time.sleep(self.chance.choice([0, 0, 0.005, 0.05]))
                seen.end = LEFT
                return self.forget()
            response = self.connection.getresponse()
            seen.status, seen.exchange = response.status, response.getheader("candor-exchange")
            if leave and response.status == 200:
                for _ in range(0 if leave == "soon" else self.chance.randrange(1, 12)):
                    response.readline()
                seen.end = LEFT
                return self.forget()
            read = response.read()
            if response.will_close:
                self.forget()
        except (OSError, http.client.HTTPException):
            seen.end = CUT
            return self.forget()
        if seen.status != 200:
            seen.end = ERROR
        elif b'"receipt":"c2sp.org/tlog-proof@v1' in read:
            seen.end = WHOLE
            self.sample.offer(seen, body, read)
        else:
            seen.end = ERROR if b'"error"' in read else CUT
        return None


class Hostile(Raw):
    """What is refused: by the browser guard, identity, dialect, nonce and model, and by the HTTP server itself."""

    def ask(self, seen):
        path, fields = ROUTES["openai.chat"]
        seen.api = "openai.chat"
        good = {"model": self.models["text"][0], "seed": seen.seed} | fields(self.text(), 8)
        body, headers = json.dumps(good).encode(), self.headers()
        verb = "good" if not any(r.exchange for r in self.seen) else self.chance.choice([
            "json", "field", "model", "key", "host", "origin", "nonce", "path", "type", "size", "head", "deep",
            "idempotent", "good"])
        if verb == "json":
            body = self.chance.choice([b"", b"{", body[:-3], b"\xff" + body, body + b"x", b'{"a":1,"a":2}', b"[" * 5000])
        elif verb == "field":
            body = json.dumps(good | self.chance.choice([{"temperature": "hot"}, {"max_tokens": -1}, {"messages": []}, {"n": 0}, {"stop": 7}])).encode()
        elif verb == "model":
            body = json.dumps(good | {"model": "nobody"}).encode()
        elif verb == "key":
            headers["Authorization"] = "Bearer cnd_" + "0" * 43
            seen.unknown_caller = True
        elif verb in ("host", "origin", "type"):
            headers |= {"host": {"Host": "evil.example"}, "origin": {"Origin": "https://evil.example"}, "type": {"Content-Type": "text/plain"}}[verb]
            seen.outside = True
        elif verb == "nonce":
            headers["Candor-Nonce"] = "a b"
        elif verb == "path":
            path, seen.outside = "/v1/nothing", True
        elif verb == "size":
            headers["Content-Length"], seen.outside = str(1 << 40), True
        elif verb == "head":
            headers["X-Much"], seen.outside = "x" * 40_000, True
        elif verb == "deep":
            body = json.dumps(good | {"metadata": {}}).encode()[:-1] + b',"x":' + b"[" * 300 + b"]" * 300 + b"}"
        elif verb == "idempotent":
            headers["Idempotency-Key"] = "once"
        if verb in ("size", "head"):
            self.forget()  # on a connection of its own, which the server ends
        self.send(seen, path, body, headers)
        assert verb == "good" or seen.status != 200, f"{verb} was answered"
