"""An OpenAI-like engine that somebody else runs: says what the test told it to, as slowly as that wants."""
import http.server
import json
import threading


class Upstream:
    """Streams `words` one event each. `gate`: after the first word each further one waits for release()."""

    def __init__(self, words=("One ", "two ", "three ", "four."), gate=False):
        self.words, self.gate = list(words), gate
        self.go = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)  # one for each stream whose first word is out
        self.requests = []
        self.hold_whole = False  # answers that are not streamed wait for release() too
        self.hold_start = False  # streams wait for it with their first word, too
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.whole({"status": "ok"})

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                upstream.requests.append(asked)
                if upstream.hold_whole and not asked.get("stream"):
                    upstream.go.acquire(timeout=120)
                try:
                    upstream.stream(self, asked) if asked.get("stream") else self.whole(upstream.answer(asked, self.path))
                except OSError:  # the monitor has hung up
                    self.close_connection = True

            def whole(self, value):
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def event(self, text):
                data = f"data: {text}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    # --- what the test says
    def release(self, words=1_000_000):
        self.go.release(words)

    def close(self):
        self.release()
        self.server.shutdown()
        self.server.server_close()

    def toml(self, name="canned"):
        return f'[[model]]\nname = "{name}"\nupstream = "tcp:127.0.0.1:{self.port}"\n'

    # --- what it answers
    def said(self, asked):
        """Its words to this request."""
        return self.words

    def usage(self, asked):
        count = len(self.said(asked))
        return {"prompt_tokens": 3, "completion_tokens": count, "total_tokens": 3 + count}

    def answer(self, asked, path=""):
        if path.endswith("/input_tokens"):
            return {"input_tokens": 3}
        if path.endswith("/embeddings"):
            return {"usage": {"prompt_tokens": 3}, "data": [{"index": n, "embedding": [0.5, -0.25]} for n in range(len(asked["input"]))]}
        text = "".join(self.said(asked))
        chat = "messages" in asked
        choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        return {"object": "chat.completion" if chat else "text_completion", "usage": self.usage(asked),
                "choices": [{"index": n, "finish_reason": "stop"} | choice for n in range(asked.get("n", 1))]}

    def stream(self, handler, asked):
        chat = "messages" in asked
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()

        def choice(text, finish=None):
            piece = {"delta": {"content": text} if text else {}} if chat else {"text": text}
            handler.event(json.dumps({"choices": [{"index": 0, "finish_reason": finish} | piece]}))

        for number, word in enumerate(self.said(asked)):
            if self.gate and (number > 0 or self.hold_start) and not self.go.acquire(timeout=120):
                return
            choice(word)
            if number == 0:
                self.begun.release()
        choice("", "stop")
        handler.event(json.dumps({"choices": [], "usage": self.usage(asked)}))
        handler.event("[DONE]")
        handler.wfile.write(b"0\r\n\r\n")
