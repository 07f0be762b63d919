"""candor attribute (D14): who stands behind one answer, what is missing, and a claim that the weights contradict."""
import json
import re
import shutil
import subprocess

import pytest

from conftest import need
from pages import missing
from server import ROOT, SMOL, TINY, Candor

HONEST = """
[about]
licence = "Apache-2.0"
[origin]
organisation = "Acme"
country = "DE"
[[step]]
step = "pretrained"
actor = { name = "Hugging Face", role = "original-developer" }
outputs = [{ name = "SmolLM2-135M-Instruct", sha256 = "BASE" }]
compute_flop = "1600000000000000000000"
[[step]]
step = "fine-tuned"
actor = { name = "Acme", role = "modifier" }
inputs = [{ name = "SmolLM2-135M-Instruct", role = "base", sha256 = "BASE" }]
datasets = [{ name = "tickets-2026" }]
compute_flop = "1200000000000000000"
""".replace("BASE", "5f" * 32)
LIE = """
[[step]]
step = "pretrained"
actor = { name = "Acme", role = "original-developer" }
"""


def make(server_folder, claim):
    """A renamed copy of the default model, with a passport that says what the claim says, and a key that signs it."""
    server_folder.mkdir(parents=True, exist_ok=True)
    model = server_folder / "acme.gguf"
    shutil.copy(SMOL, model)
    (server_folder / "acme.toml").write_text(claim)
    private, public = server_folder / "key.pem", server_folder / "acme.pub"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private], check=True)
    private.chmod(0o600)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return model, private, public


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    need(SMOL, "the default model")
    folder = tmp_path_factory.mktemp("attribute")
    model, private, public = make(folder, HONEST)
    with Candor(folder / "own", {"acme": model}) as server:
        server.run("passport", "make", model, "--claim", folder / "acme.toml")
        server.run("passport", "sign", model, "--key", private)
        (folder / "lie.toml").write_text(LIE)
        lying = folder / "lie.passport.json"
        server.run("passport", "make", model, "--claim", folder / "lie.toml", "--passport", lying)
        reply = server.complete(model="acme", max_tokens=4)
        assert reply.status == 200
        server.answer = reply.headers["candor-exchange"]
        server.public, server.lying, server.folder_of_model = public, lying, folder
        yield server


def lines(report, section):
    return [(one["what"], one["known"], one["value"]) for one in report[section]]


def test_D14_the_chain_behind_an_answer_as_the_page_shows_it(acme):
    said = acme.run("attribute", acme.answer, "--step-key", acme.public).stdout
    page = (ROOT / "docs/attribution.md").read_text()
    shown = re.search(r"```text\n\$ candor attribute .*?\n(.*?)```", page, re.S)[1]
    assert len(shown.splitlines()) > 30 and missing(shown, said) is None, said


def test_D14_receipt_and_exchange_give_the_same_and_json_and_markdown_hold_it(acme):
    receipt = acme.folder_of_model / "answer.receipt"
    acme.run("receipt", acme.answer, "-o", receipt)
    report = acme.json("attribute", acme.answer, "--step-key", acme.public)
    assert acme.json("attribute", receipt, "--step-key", acme.public) == report
    assert set(report) == {"answer", "caller", "policy", "deployer", "model", "passport", "descent", "licences", "assessments",
                           "eu_ai_act", "open", "notice"}
    assert ("claim against weights", "measured", "the weights descend from SmolLM2-135M-Instruct, as the claim says") in lines(report, "descent")
    assert any(what == "signature" and known == "signed" for what, known, _ in lines(report, "passport"))
    assert ("is of this model", "measured") in [line[:2] for line in lines(report, "passport")]
    assert ("Acme is", "computed", "by compute, not its provider") in lines(report, "eu_ai_act")
    assert [line[0] for line in lines(report, "eu_ai_act") if line[1] == "question"] == [
        "Art. 25(1)(a)", "Art. 25(1)(b)", "Art. 25(1)(c)", "general purpose"]
    assert all(line[1] in ("missing", "contradicted") for line in lines(report, "open"))
    assert any(what == "assessment here" for what, _, _ in lines(report, "open"))
    markdown = acme.run("attribute", acme.answer, "--markdown").stdout
    assert markdown.startswith("# Who stands behind this answer") and "SmolLM2-135M-Instruct" in markdown.replace("\\", "")


def test_D14_a_passport_that_lies_is_contradicted_by_the_weights(acme):
    report = acme.json("attribute", acme.answer, "--passport", acme.lying)
    first = lines(report, "open")[0]
    assert first[:2] == ("claim against weights", "contradicted") and "SmolLM2-135M-Instruct" in first[2]
    assert ("signature", "missing", "nobody signed this passport") in lines(report, "passport")


def test_D14_the_deployer_is_who_the_configuration_names(tmp_path):
    need(TINY, "the tiny model")
    own = Candor(tmp_path / "own", {"tiny": TINY}).configure('deployer = "Klinikum Nord"\n')
    with own as server:
        reply = server.complete(model="tiny", max_tokens=4)
        report = server.json("attribute", reply.headers["candor-exchange"])
        assert ("deployer", "claimed", "Klinikum Nord, by the server's configuration") in lines(report, "deployer")
    code, said = Candor(tmp_path / "wrong", {}).configure(f'deployer = "{"x" * 201}"\n').refused()
    assert code != 0 and "deployer must be one line of at most 200 bytes" in said, said


def test_D14_what_is_not_known_is_said(acme):
    report = acme.json("attribute", acme.answer, "--passport", acme.folder_of_model / "none.json")
    assert any(line[1] == "missing" for line in lines(report, "passport"))
    assert ("compute", "missing") in [line[:2] for line in lines(report, "eu_ai_act")]
    assert acme.run("attribute", "nosuch", code=2).stderr
    assert acme.run("attribute", "0" * 32, code=4).stderr
