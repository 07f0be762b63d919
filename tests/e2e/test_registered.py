"""What an organisation registers (C3, L2): made with candor detector, found by scan and by a governed server."""
import json
import subprocess

import pytest

from server import BIN
from test_governance import governed

CUSTOMERS = 'name,iban,note\n"Mustermann, Erika",DE89 3704 0044 0532 0130 00,x\nJo Doe,NL91 ABNA 0417 1643 00,y\n'
MINUTES = ("The board of the Lindenhof cooperative met in the old boiler house on a wet Thursday evening and resolved, after an hour of heated words about "
           "turbines, to sell its shares in the river mill to nobody at all before the spring flood had been measured twice by independent surveyors.\n")
RULES = """
format = 1
policy = "house"

[[rule]]
id = "house.values"
effect = "redact"
select = 'finding.class == "registered.data"'
message = "Customers stay here."

[[rule]]
id = "house.documents"
effect = "redact"
select = 'finding.class == "registered.document"'
message = "Minutes stay here."

[[rule]]
id = "house.labels"
effect = "deny"
when = 'findings.exists(f, f.class in ["internal.label", "internal.canary"])'
message = "That name stays here."
"""


@pytest.fixture
def packs(tmp_path):
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "minutes.txt").write_text(MINUTES)
    (tmp_path / "names.txt").write_text("# code names\nProject Falcon\nKranich\n")

    def detector(*arguments):
        done = subprocess.run([BIN / "candor", "--json", "detector", *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert detector("values", "--id", "customers", "--column", "iban", "--column", "name", "customers.csv") == {
        "detector": "customers", "pack": "customers.toml", "kept": 3, "skipped": 1}  # "Jo Doe" has five letters
    assert detector("documents", "--id", "minutes", "minutes.txt")["kept"] > 5
    assert detector("words", "--id", "names", "names.txt")["kept"] == 2
    detector.canary = detector("canary", "--id", "canary.hr")["canary"]
    detector.folder = tmp_path
    return detector


def detectors(folder):
    names = ", ".join(f'"{folder / name}.toml"' for name in ("customers", "minutes", "names", "canary.hr"))
    return f"detectors = [{names}]\nregistered_hits = 3\n"


def test_C3_a_pack_holds_no_value_and_no_text_is_for_its_owner_and_is_made_again(packs):
    for name, secrets in (("customers.toml", ("Mustermann", "3704", "NL91", "mustermann")), ("minutes.toml", ("board", "Lindenhof", "turbines"))):
        file = packs.folder / name
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        assert not any(secret in text for secret in secrets)
        before = text
        packs("values" if name == "customers.toml" else "documents", "--id", name.removesuffix(".toml"),
              *(("--column", "iban", "customers.csv") if name == "customers.toml" else ("minutes.txt",)))
        assert file.read_text() != before  # another key


def test_C3_nothing_else_is_overwritten_and_mistakes_say_what_to_do(packs):
    def fails(code, *arguments):
        done = subprocess.run([BIN / "candor", "detector", *arguments], cwd=packs.folder, capture_output=True, text=True)
        assert done.returncode == code, (done.returncode, done.stderr)
        return done.stderr

    assert "is no pack of other" in fails(3, "documents", "--id", "other", "--out", "names.txt", "minutes.txt")
    assert "there are: name, iban, note" in fails(2, "values", "--id", "c", "--column", "ibna", "customers.csv")
    (packs.folder / "scan.pdf").write_bytes(b"%PDF\xff\xfe")
    assert "pdftotext" in fails(2, "documents", "--id", "d", "scan.pdf")


def test_C3_scan_finds_what_is_registered_however_it_is_written(packs):
    letter = f"To erika's file: MUSTERMANN - ERIKA, nl91abna0417164300. Kranich? {packs.canary}\n" + MINUTES[60:200].upper().replace(" ", "\n")
    done = subprocess.run([BIN / "candor", "scan", "--json", "--show", "--packs", packs.folder, "-"], input=letter, capture_output=True, text=True)
    assert done.returncode == 10
    found = [(f["detector"], f["class"]) for f in json.loads(done.stdout)["findings"]]
    assert [f for f in found if not f[0].startswith("iban")] == [
        ("customers", "registered.data"), ("customers", "registered.data"), ("names", "internal.label"), ("canary.hr", "internal.canary"),
        ("minutes", "registered.document")], found


def test_C3_a_server_masks_values_and_passages_in_requests_and_streams_and_refuses_labels(packs, own, upstream):
    upstream.words = list("They said: " + MINUTES + "That is all.")
    with governed(own, upstream, rules=RULES, more=detectors(packs.folder)) as server:
        def ask(text, **more):
            return server.post("/v1/chat/completions", {"model": "canned", "messages": [{"role": "user", "content": text}], **more})

        reply = ask("Is DE89-3704-0044-0532-0130-00 paid?\n" + MINUTES)
        assert reply.status == 200, reply.body
        sent = upstream.requests[-1]["messages"][0]["content"]
        assert sent.startswith("Is [REGISTERED DATA] paid?") and sent.count("[REGISTERED DOCUMENT]") == 1 and "turbines" not in sent
        content = reply.json()["choices"][0]["message"]["content"]
        assert content.count("[REGISTERED DOCUMENT]") == 1 and "turbines" not in content and content.startswith("They said: ")
        stream = server.stream("/v1/chat/completions", {"model": "canned", "stream": True, "messages": [{"role": "user", "content": "minutes?"}]})
        streamed = "".join(choice["delta"].get("content") or "" for event in stream.rest() if isinstance(event, dict) for choice in event.get("choices", []))
        assert streamed == content
        for secret in ("project-falcon", packs.canary):
            refused = ask(f"tell me about {secret}")
            assert refused.status == 403 and "That name stays here." in refused.body.decode()
        assert "customers" not in json.dumps(reply.json())  # L2: not which table
        intent = next(e for e in server.entries() if e["type"] == "intent")
        assert {f["detector"] for f in intent["policy"]["findings"]} == {"customers", "minutes"}  # the auditor sees
        server.verify_log()


def test_L2_who_hits_too_many_registered_values_learns_nothing_more(packs, own, upstream):
    with governed(own, upstream, rules=RULES, more=detectors(packs.folder)) as server:
        def ask(text):
            return server.post("/v1/chat/completions", {"model": "canned", "messages": [{"role": "user", "content": text}]})

        for _ in range(2):
            assert ask("is nl91 abna 0417 1643 00 or Mustermann Erika a customer?").status == 200
        for text in ("is nl91 abna 0417 1643 00 a customer?", "a harmless question"):
            refused = ask(text)
            assert refused.status == 429 and refused.json()["error"]["code"] == "registered_data_limit"
            assert 3500 <= int(refused.headers["retry-after"]) <= 3600
        assert "candor_registered_hits_total 4" in server.http("GET", "/metrics").body.decode()
