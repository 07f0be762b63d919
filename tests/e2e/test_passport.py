"""candor passport: made, signed, verified and exported; the export is read by the schema and by CycloneDX's own library. No server."""
import hashlib
import html.parser
import json
import subprocess

import pytest

from conftest import need
from server import BIN, ROOT, TINY

SCHEMAS = ROOT.parent / "shared/data/vectors/cyclonedx"
VALIDATE = """
import json, sys, jsonschema
from referencing import Registry, Resource
folder, bom = sys.argv[1:]
read = lambda name: json.load(open(f"{folder}/{name}"))
registry = Registry().with_resources([("http://cyclonedx.org/schema/" + name, Resource.from_contents(read(name))) for name in ("spdx.schema.json", "jsf-0.82.schema.json")])
checker = jsonschema.Draft7Validator(read("bom-1.7.schema.json"), registry=registry, format_checker=jsonschema.FormatChecker())
found = [f"{error.json_path}: {error.message[:200]}" for error in checker.iter_errors(json.load(open(bom)))]
sys.exit("\\n".join(found) or 0)
"""
THEIRS = """
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.model.bom import Bom
text = open(sys.argv[1]).read()
found = JsonStrictValidator(SchemaVersion.V1_7).validate_str(text)
assert found is None, found
bom = Bom.from_json(json.loads(text))
print(bom.metadata.component.type.value, bom.metadata.component.name)
"""
HOSTILE = '</td><script>alert(1)</script> | [x](javascript:alert(1)) `*_ & "\''
CLAIMS = """
version = "1"
[about]
languages = ["en"]
[origin]
organisation = '''ORGANISATION'''
country = "DE"
[use]
intended = ["answers about tickets"]
limits = ["no medical advice"]
[[evaluation]]
name = "mmlu"
metric = "accuracy"
value = "0.41"
[[step]]
step = "pretrained"
actor = { name = "Base Labs", role = "original-developer", country = "FR" }
outputs = [{ name = "base", file = "base.bin" }]
datasets = [{ name = "web", uri = "https://data.example/web", licence = "odc-by" }]
compute_flop = "120000000000000000000000"
energy_kwh = "1500.5"
[[step]]
step = "quantised"
actor = { name = "Acme", role = "modifier" }
inputs = [{ name = "base", role = "base", file = "base.bin" }]
"""


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=120, **more)


def passport(*words):
    return run(BIN / "candor", "passport", *words)


@pytest.fixture
def model(tmp_path):
    need(TINY, "the tiny model")
    file = tmp_path / "acme.gguf"
    file.write_bytes(TINY.read_bytes())
    (tmp_path / "base.bin").write_bytes(b"the base model")
    (tmp_path / "acme.toml").write_text(CLAIMS.replace("ORGANISATION", HOSTILE.replace("'", "")))
    return file


@pytest.fixture
def keys(tmp_path):
    for words in (["ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "key.pem"], ["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]):
        assert run("openssl", *words, cwd=tmp_path).returncode == 0
    return tmp_path / "key.pem", tmp_path / "key.pub"


@pytest.fixture
def made(model):
    done = passport("make", model, "--claim", model.parent / "acme.toml", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_D5_a_passport_is_one_canonical_document_that_says_what_is_measured_and_what_claimed(model, made):
    file = model.parent / "acme.gguf.passport.json"
    text = file.read_text()
    document = json.loads(text)
    # RFC 8785 for documents of ASCII keys and integers, by another implementation's means.
    assert text == json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert made["sha256"] == hashlib.sha256(text.encode()).hexdigest() and not made["signed"]
    predicate = document["predicate"]
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert document["subject"] == [{"name": "acme.gguf", "digest": {"sha256": digest}}]
    assert predicate["files"][0]["shards"] == [digest] and predicate["files"][0]["size"] == model.stat().st_size
    assert predicate["about"]["architecture"] == {"evidence": "measured-here", "value": "llama"}
    assert predicate["origin"]["country"] == {"evidence": "claimed", "value": "DE"}
    steps = [one["statement"]["predicate"] for one in predicate["descent"]]
    assert [(step["step"], step["evidence"], step["actor"]["role"]) for step in steps] == [
        ("pretrained", "claimed", "original-developer"), ("quantised", "claimed", "modifier")]
    assert steps[1]["inputs"][0]["digest"]["sha256"] == hashlib.sha256(b"the base model").hexdigest()
    assert made["gaps"] == []


def test_D5_a_signed_passport_holds_and_whatever_is_changed_is_evidence(model, made, keys):
    key, public = keys
    file = model.parent / "acme.gguf.passport.json"
    assert passport("verify", model).returncode == 0
    assert passport("verify", model, "--key", public).returncode == 3
    assert passport("sign", model, "--key", key).returncode == 0
    assert passport("verify", model).returncode == 2
    done = passport("verify", model, "--key", public, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["signer"]["key"] == "P-384", done.stderr
    assert json.loads(done.stdout)["sha256"] == made["sha256"]
    signed = file.read_text()
    bytes_of = bytearray(model.read_bytes())
    bytes_of[-1] ^= 1
    model.write_bytes(bytes_of)
    done = passport("verify", model, "--key", public, "--quick")
    assert done.returncode == 1 and "acme.gguf" in done.stderr
    bundle = json.loads(signed)
    payload = bundle["dsseEnvelope"]["payload"]
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = payload[:136]
    file.write_text(json.dumps(bundle))
    assert passport("verify", model, "--key", public).returncode == 1
    file.write_text(signed[:-9])
    assert passport("verify", model, "--key", public).returncode == 2
    file.unlink()
    done = passport("verify", model)
    assert done.returncode == 4 and "passport make" in done.stderr


def test_D5_whoever_did_a_step_signs_it_alone_and_a_passport_carries_it(model, keys):
    key, public = keys
    folder = model.parent
    claim = folder / "step.toml"
    claim.write_text('[[step]]\nstep = "quantised"\nactor = { name = "Q", role = "distributor" }\ninputs = [{ name = "base", file = "base.bin" }]\n')
    step = folder / "step.json"
    assert passport("step", model, "--claim", claim, "--key", key, "-o", step).returncode == 0
    done = passport("make", model, "--step", step, "--json")
    assert done.returncode == 0, done.stderr
    statement = json.loads(done.stdout)["passport"]["predicate"]["descent"][0]["statement"]
    assert statement["subject"][0]["digest"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert json.loads(passport("verify", model, "--json").stdout)["steps"] == ["signed with a key that was not given here"]
    steps = json.loads(passport("verify", model, "--step-key", public, "--json").stdout)["steps"]
    assert steps[0].startswith("signed with the P-384 key ")
    file = folder / "acme.gguf.passport.json"
    file.write_text(file.read_text().replace('"distributor"', '"original-developer"'))
    done = passport("verify", model, "--step-key", public)
    assert done.returncode == 1 and "another statement" in done.stderr


def test_D5_adapters_belong_to_the_model_by_digest(model):
    lora = model.parent / "lora.gguf"
    lora.write_bytes(b"an adapter")
    done = passport("make", model, "--adapter", lora, "--json")
    assert json.loads(done.stdout)["passport"]["predicate"]["adapters"] == [{"name": "lora.gguf", "sha256": hashlib.sha256(b"an adapter").hexdigest()}]
    assert passport("verify", model, "--adapter", lora).returncode == 0
    lora.write_bytes(b"another")
    assert passport("verify", model, "--adapter", lora).returncode == 1


def test_D5_gaps_in_the_chain_are_said(model):
    done = passport("make", model, "--json")
    assert json.loads(done.stdout)["gaps"] == ["no statement says where this model comes from"]


def test_D7_the_bill_of_materials_is_valid_and_cyclonedx_own_library_takes_it(model, made):
    need(ROOT / ".cache/clients/model-signing/bin/python", "jsonschema (tests/e2e/setup.sh)")
    need(ROOT / ".cache/clients/cyclonedx/bin/python", "cyclonedx-python-lib (tests/e2e/setup.sh)")
    bom = model.parent / "bom.json"
    assert passport("export", model, "--format", "cyclonedx", "-o", bom).returncode == 0
    if SCHEMAS.exists():
        done = run(ROOT / ".cache/clients/model-signing/bin/python", "-c", VALIDATE, SCHEMAS, bom)
        assert done.returncode == 0, done.stderr
        broken = json.loads(bom.read_text())
        broken["metadata"]["component"]["modelCard"]["colour"] = "red"
        (model.parent / "broken.json").write_text(json.dumps(broken))
        assert run(ROOT / ".cache/clients/model-signing/bin/python", "-c", VALIDATE, SCHEMAS, model.parent / "broken.json").returncode == 1
    done = run(ROOT / ".cache/clients/cyclonedx/bin/python", "-c", THEIRS, bom)
    assert done.returncode == 0 and done.stdout == "machine-learning-model acme.gguf\n", done.stderr
    component = json.loads(bom.read_text())["metadata"]["component"]
    assert component["pedigree"]["ancestors"][0]["hashes"][0]["content"] == hashlib.sha256(b"the base model").hexdigest()
    assert component["modelCard"]["considerations"]["technicalLimitations"] == ["no medical advice"]


def test_D7_the_model_card_shows_foreign_text_and_lets_none_of_it_act(model, made):
    class Reader(html.parser.HTMLParser):
        tags, text = set(), ""

        def handle_starttag(self, tag, attributes):
            self.tags.add(tag)
            assert not any(name.startswith("on") or name in ("href", "src") for name, _ in attributes)

        def handle_data(self, data):
            self.text += data

    page = Reader()
    page.feed(passport("export", model, "--format", "html").stdout)
    assert page.tags == {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tr", "th", "td", "ul", "li"}
    assert HOSTILE.replace("'", "") in page.text
    card = passport("export", model, "--format", "markdown").stdout
    row = next(line for line in card.splitlines() if line.startswith("| Organisation"))
    assert row == r'| Organisation | \</td\>\<script\>alert\(1\)\</script\> \| \[x\]\(javascript&#58;alert\(1\)\) \`\*\_ \& " | claimed |'
    assert "| quantised | Acme | modifier | base |" in card


def test_every_verb_has_examples():
    for words in (["make"], ["step"], ["show"], ["verify"], ["sign"], ["export"]):
        done = passport(*words, "--help")
        assert done.returncode == 0 and "Examples:" in done.stdout
