"""A publisher of models on this machine: Hugging Face's, Ollama's and a package index's answers, with ranges, redirects, drops and lies."""
import hashlib
import http.server
import json
import socket
import ssl
import threading


class Publisher:
    """files: {path: bytes}. Everything about how it behaves is an attribute, to be set by a test."""

    def __init__(self, bind="127.0.0.1", certificate=None):
        self.files, self.hf, self.ollama, self.pypi = {}, {}, {}, {}
        self.requests = []  # (path, Range header)
        self.whole_paths = []  # as they came
        self.ranges = True
        self.drop_after = None  # bytes of a body, then the connection is cut
        self.drops = 0  # how many answers are cut so
        self.redirects = {}  # path: where to
        self.lie = None  # "length", "range", "more", "etag"
        self.slow = None  # called with each piece before it is sent
        self.lock = threading.Lock()
        publisher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                publisher.answer(self)

        self.server = http.server.ThreadingHTTPServer((bind, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*certificate)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
            self.url = f"https://localhost:{self.port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def document(self, handler, value):
        body = json.dumps(value).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def answer(self, handler):
        path = handler.path.split("?")[0]
        self.whole_paths.append(path)
        if path.startswith("http://"):  # asked as a proxy: the host is nobody's
            path = "/" + path.split("/", 3)[3]
        asked = handler.headers.get("Range")
        with self.lock:
            self.requests.append((path, asked))
        if path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[path])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        for documents in (self.hf, self.ollama, self.pypi):
            if path in documents:
                self.document(handler, documents[path])
                return
        if path not in self.files:
            handler.send_response(404)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        self.send_file(handler, self.files[path], asked)

    def send_file(self, handler, data, asked):
        begin, end = 0, len(data)
        if asked and self.ranges:
            first, last = asked.removeprefix("bytes=").split("-")
            begin, end = int(first), min(int(last) + 1, len(data))
        partial = asked is not None and self.ranges
        body, total, shown = data[begin:end], len(data), (begin, end)
        if self.lie == "length":
            total += 7
        if self.lie == "range":
            shown = (begin + 1, end + 1)
            total += 1
        handler.send_response(206 if partial else 200)
        if partial:
            handler.send_header("Content-Range", f"bytes {shown[0]}-{shown[1] - 1}/{total}")
        more = b"more than was asked for" if self.lie == "more" else b""
        handler.send_header("Content-Length", str(len(body) + len(more) if partial or self.lie != "length" else total))
        tag = hashlib.sha256(data).hexdigest()[:16]
        handler.send_header("ETag", f'"{tag}"')
        handler.end_headers()
        with self.lock:
            cut = self.drops > 0
            self.drops -= cut
        body += more
        try:
            for at in range(0, len(body), 65536):
                if self.slow:
                    self.slow(at)
                piece = body[at:at + 65536]
                if cut and at + len(piece) > self.drop_after:
                    handler.wfile.write(piece[:max(0, self.drop_after - at)])
                    handler.wfile.flush()
                    handler.connection.shutdown(socket.SHUT_RDWR)
                    handler.close_connection = True
                    return
                handler.wfile.write(piece)
        except OSError:
            pass

    def add_hf(self, repo, files, commit="c" * 40):
        """files: {path: bytes}; JSON and text go by git's id, everything else by LFS."""
        tree = []
        for path, data in files.items():
            one = {"type": "file", "path": path, "size": len(data)}
            if path.endswith((".json", ".txt")):
                one["oid"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            else:
                one["oid"] = "0" * 40
                one["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            tree.append(one)
            self.files[f"/{repo}/resolve/{commit}/{path}"] = data
        self.hf[f"/api/models/{repo}/revision/main"] = {"sha": commit}
        self.hf[f"/api/models/{repo}/tree/{commit}"] = tree
        return tree

    def add_ollama(self, name, tag, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.ollama[f"/v2/library/{name}/manifests/{tag}"] = {"schemaVersion": 2, "layers": [
            {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": len(data)},
            {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "1" * 64, "size": 3}]}
        self.files[f"/v2/library/{name}/blobs/{digest}"] = data

    def add_wheel(self, package, version, wheel):
        name = f"{package.replace('-', '_')}-{version}-py3-none-any.whl"
        self.pypi[f"/simple/{package}/"] = {"meta": {"api-version": "1.0"}, "files": [
            {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": hashlib.sha256(wheel).hexdigest()}, "size": len(wheel)}]}
        self.files[f"/files/{name}"] = wheel
