"""The API over TLS (B6): certificates, client certificates, their replacement, real clients, a proxy in front."""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess

import httpx2 as httpx
import openai
import pytest

from authority import Authority
from server import ROOT, Kept, http, sse_events, wait_until

BODY = {"model": "canned", "prompt": "hello", "max_tokens": 8}


class Tls:
    """A server with a TLS listener, and clients that believe its authority."""

    def __init__(self, server, authority, upstream, address="127.0.0.1", more=""):
        self.server, self.authority = server, authority
        self.certificate, self.key = authority.issue("server", into="server")
        server.configure(f'[listen]\ntls_address = "{address}:0"\ntls_certificate = "{self.certificate}"\n'
                         f'tls_key = "{self.key}"\n{more}\n' + upstream.toml())

    def start(self):
        self.server.start()
        found = wait_until(lambda: [m for line in self.server.log if (m := re.search(r"listening on https://[^ ]+:(\d+)", line))],
                           "the TLS listener says its port")
        self.port = int(found[0][1])
        self.api_key = self.server.json("key", "create", "tls")["key"]
        return self

    def context(self, certificate=None):
        made = ssl.create_default_context(cafile=self.authority.certificate)
        if certificate:
            made.load_cert_chain(*certificate)
        return made

    def connect(self, context=None, host="localhost"):
        plain = socket.create_connection((host if host != "localhost" else "127.0.0.1", self.port), timeout=20)
        return (context or self.context()).wrap_socket(plain, server_hostname=host)

    def client(self, key=None, certificate=None, host="localhost"):
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=f"https://{host}:{self.port}", verify=self.context(certificate), headers=headers,
                            timeout=30)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def tls(own, upstream, authority):
    return Tls(own, authority, upstream).start()


def test_B6_openai_over_https_with_an_authority_of_ones_own(tls, tmp_path):
    with httpx.Client(verify=tls.context()) as transport:
        client = openai.OpenAI(base_url=f"https://localhost:{tls.port}/v1", api_key=tls.api_key, http_client=transport)
        assert client.completions.create(**BODY).choices[0].text == "One two three four."
        pieces = client.completions.create(**BODY, stream=True)
        assert "".join(p.choices[0].text for p in pieces if p.choices) == "One two three four."
        raw = client.completions.with_raw_response.create(**BODY)
    entry = tls.server.exchange(raw.headers["candor-exchange"])["intent"]["entry"]
    assert entry["caller_known_by"] == "api_key"
    Kept(tls.server, tmp_path / "kept", json.dumps(BODY), raw.content).assert_verifies()


def test_B6_curl_over_https_streams_and_is_never_compressed(tls):
    done = subprocess.run(["curl", "-sSN", "--compressed", "-D", "-", "--cacert", tls.authority.certificate,
                           f"https://localhost:{tls.port}/v1/completions", "-H", f"authorization: Bearer {tls.api_key}",
                           "-H", "content-type: application/json", "-H", "x-request-id: mine-7",
                           "-d", json.dumps(BODY | {"stream": True})], capture_output=True, text=True, timeout=60, check=True)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    assert "200 OK" in head and "x-request-id: mine-7" in head and "content-encoding" not in head.lower()
    assert "".join(e["choices"][0]["text"] for e in sse_events(body) if e["choices"]) == "One two three four."


def test_B6_over_tls_nobody_is_served_without_a_key_or_certificate(tls):
    assert tls.server.post("/v1/completions", BODY).status == 200  # plain, on loopback: this machine's user
    with tls.client() as client:
        reply = client.post("/v1/completions", json=BODY)
        assert reply.status_code == 401 and "candor key create" in reply.json()["error"]["message"]
    with tls.client() as client:  # never in a URL (S13)
        assert client.post(f"/v1/completions?api_key={tls.api_key}&key={tls.api_key}", json=BODY).status_code == 401
    with tls.client(key="sk-something") as client:
        assert client.post("/v1/completions", json=BODY).status_code == 401
    with tls.client(key=tls.api_key) as client:
        assert client.post("/v1/completions", json=BODY).status_code == 200


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def test_B6_beyond_loopback_with_tls_and_keys_and_never_without(own, upstream, authority):
    host = own_address()
    if host.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    made = Tls(own, authority, upstream, "0.0.0.0", more=f'hosts = ["{host}"]')
    made.certificate, made.key = authority.issue("server", f"IP:{host}", into="server")
    made.start()
    with made.client(host=host) as client:
        assert client.post("/v1/completions", json=BODY).status_code == 401
    with made.client(key=made.api_key, host=host) as client:
        assert client.post("/v1/completions", json=BODY).status_code == 200
    made.server.stop()
    toml = (own.folder / "candor.toml").read_text()
    for left_out in ("tls_certificate", "tls_key"):
        code, words = own.configure(re.sub(f"{left_out} = .*", "", toml)).refused()
        assert code != 0 and f"needs listen.{left_out}" in words


def test_B6_a_client_certificate_is_an_identity(own, upstream, authority):
    made = Tls(own, authority, upstream, more=f'tls_client_ca = "{authority.certificate}"').start()
    ada = authority.issue("ada", "URI:spiffe://example.org/ada")
    with made.client(certificate=ada) as client:
        reply = client.post("/v1/completions", json=BODY)
        assert reply.status_code == 200
    intent = made.server.exchange(reply.headers["candor-exchange"])["intent"]["entry"]
    assert intent["caller_known_by"] == "mtls" and "ada" not in json.dumps(intent)
    bob = authority.issue("bob", "")
    with made.client(certificate=bob) as client:
        again = client.post("/v1/completions", json=BODY)
    other = made.server.exchange(again.headers["candor-exchange"])["intent"]["entry"]
    assert other["caller"] != intent["caller"]
    with made.client() as client:  # neither key nor certificate
        assert client.post("/v1/completions", json=BODY).status_code == 401
    stranger = Authority(authority.folder / "other").issue("mallory")
    with pytest.raises(httpx.TransportError), made.client(certificate=stranger) as client:
        client.post("/v1/completions", json=BODY)
    # A person known by a certificate can be erased by that name.
    made.server.run("key", "auditor")
    erased = made.server.json("erase", "--caller", "cert:spiffe://example.org/ada", "--reason", "asked", "--yes")
    assert erased["exchanges"] == [reply.headers["candor-exchange"]]


def test_B6_a_client_certificate_may_be_required(own, upstream, authority):
    made = Tls(own, authority, upstream, more=f'tls_client_ca = "{authority.certificate}"\ntls_client = "required"').start()
    with pytest.raises(httpx.TransportError), made.client(key=made.api_key) as client:
        client.post("/v1/completions", json=BODY)
    with made.client(key=made.api_key, certificate=authority.issue("ada", "")) as client:
        reply = client.post("/v1/completions", json=BODY)
        assert reply.status_code == 200
    assert made.server.exchange(reply.headers["candor-exchange"])["intent"]["entry"]["caller_known_by"] == "api_key"


def served_certificate(tls):
    with tls.connect() as connection:
        return hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()


def certificate_entries(server):
    return [(e["object"], e["result"]) for e in server.entries() if e.get("verb") == "tls.certificate"]


def test_B6_a_replaced_certificate_is_taken_and_a_bad_one_is_not(tls, upstream):
    first = served_certificate(tls)
    with tls.connect() as held:  # a connection of before goes on
        tls.authority.issue("server", into="server")
        second = wait_until(lambda: (now := served_certificate(tls)) != first and now, "the new certificate")
        held.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in held.recv(4096)
    wait_until(lambda: certificate_entries(tls.server) == [(f"sha256:{second}", "done")], "its entry")

    good = tls.certificate.read_bytes()
    tls.certificate.write_text("nonsense")
    wait_until(lambda: len(certificate_entries(tls.server)) == 2, "the entry of what was not taken")
    assert certificate_entries(tls.server)[1] == ("", "invalid_argument")
    said = wait_until(lambda: [line for line in tls.server.log if "stays as it was" in line], "a sentence in the log")
    assert "server.pem" in said[0]
    assert served_certificate(tls) == second

    tls.key.chmod(0o644)  # everybody's to read
    tls.certificate.write_bytes(good)
    wait_until(lambda: any("chmod" in line for line in tls.server.log), "why the key is refused")
    assert served_certificate(tls) == second
    tls.key.chmod(0o600)
    tls.certificate.write_bytes(good)
    before = len(tls.server.log)
    tls.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any("configuration.reloaded" in line for line in tls.server.log[before:]), "the reload")
    assert served_certificate(tls) == second
    with tls.client(key=tls.api_key) as client:
        assert client.post("/v1/completions", json=BODY).status_code == 200
    assert tls.server.verify_log()[0] == 0


def test_B6_versions_before_12_are_refused(tls):
    def speaks(version):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{tls.port}", version, "-cipher", "ALL:@SECLEVEL=0"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        return re.search(r"Cipher *(is|:) *(?!\(NONE\)|0000)\S+", done.stdout) is not None
    assert [speaks(v) for v in ("-tls1", "-tls1_1", "-tls1_2", "-tls1_3")] == [False, False, True, True]


def test_B6_keep_alive_and_pipelining_are_right(tls):
    one = json.dumps(BODY).encode()
    request = (f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               f"Authorization: Bearer {tls.api_key}\r\nX-Request-Id: %s\r\nContent-Length: {len(one)}\r\n\r\n")
    with tls.connect() as connection:
        connection.sendall(b"".join((request % name).encode() + one for name in ("first", "second", "third")))
        data = b""
        while data.count(b"HTTP/1.1 200 OK") < 3 or not data.endswith(b"}"):
            piece = connection.recv(65536)
            assert piece, data
            data += piece
    assert re.findall(rb"x-request-id: (\w+)", data) == [b"first", b"second", b"third"]


def test_B6_an_idempotency_key_is_refused_in_so_many_words(tls):
    with tls.client(key=tls.api_key) as client:
        reply = client.post("/v1/completions", json=BODY, headers={"Idempotency-Key": "once"})
    assert reply.status_code == 400 and "Idempotency-Key" in reply.json()["error"]["message"]


def test_B6_plain_http_to_the_tls_port_is_told_so(tls):
    reply = http(("127.0.0.1", tls.port), "GET", "/health")
    assert reply.status == 400 and b"https" in reply.body


def nginx_binary():
    found = shutil.which("nginx") or ROOT / ".cache/nginx/usr/sbin/nginx"
    if not os.path.exists(found):
        pytest.skip("nginx is not there (./bench gateway unpacks it)")
    return str(found)


def test_B6_the_documented_nginx_in_front(own, upstream, authority, tmp_path):
    """The block of docs/reverse-proxy.md, with this test's ports and files in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own.configure(f'[listen]\nhosts = ["models.example"]\n[identity]\nforwarder_uids = [{os.getuid()}]\n' + upstream.toml())
    with own as server:
        key = server.json("key", "create", "proxy")["key"]
        certificate, certificate_key = authority.issue("models.example", "DNS:models.example")
        block = re.search(r"```nginx\n(.*?)```", (ROOT / "docs/reverse-proxy.md").read_text(), re.S)[1]
        for word, ours in (("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"), ("/etc/ssl/models.example.pem", certificate),
                           ("/etc/ssl/models.example.key", certificate_key), ("127.0.0.1:8421", f"127.0.0.1:{server.port}")):
            assert word in block
            block = block.replace(word, str(ours))
        work = tmp_path / "nginx"
        work.mkdir()
        temporary = " ".join(f"{kind}_temp_path {work};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.getuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(f"{user} daemon off; pid {work}/pid; error_log {work}/log; events {{}} "
                                             f"http {{ access_log off; {temporary}\n{block}\n}}")
        proxy = subprocess.Popen([nginx_binary(), "-c", tmp_path / "nginx.conf", "-e", work / "log"])
        try:
            wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "nginx listens")
            context = ssl.create_default_context(cafile=authority.certificate)

            def ask(body, key):
                with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="models.example") as c:
                    payload = json.dumps(body).encode()
                    c.sendall((f"POST /v1/completions HTTP/1.1\r\nHost: models.example\r\nConnection: close\r\n"
                               f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
                               + (f"Authorization: Bearer {key}\r\n" if key else "") + "\r\n").encode() + payload)
                    first = c.recv(65536)
                    upstream.release()
                    data = first
                    while piece := c.recv(65536):
                        data += piece
                    return first, data
            assert b" 401 " in ask(BODY, None)[1]  # not nginx's user
            assert b"One two three four." in ask(BODY, key)[1]
            upstream.gate = True
            first, data = ask(BODY | {"stream": True}, key)
            # The first event came through before the upstream had said the second.
            assert b"One " in first and b"two " not in first and b"four." in data and b"[DONE]" in data
        finally:
            proxy.terminate()
            proxy.wait(20)
