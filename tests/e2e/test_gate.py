"""D2 to D4: the gate in front of the real server and as a verb. What fails it never reaches an engine, the
operator is told why, and the log holds the finding."""
import io
import json
import os
import pickle
import resource
import shutil
import struct
import zipfile

import pytest

from conftest import ROOT, need
from gguf import with_text
from server import TINY, wait_until
from test_engines import events_of_models
from test_hostile_models import ask, assert_runs_on, beside  # noqa: F401 (a fixture)

TEMPLATE = "tokenizer.chat_template"
PLAIN = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
# what is wrong: how a good file becomes it, and the finding
HOSTILE = {
    "bytes behind the last tensor": (lambda file: file.write_bytes(file.read_bytes() + b"x" * 64), "gguf.trailing"),
    "a tensor past the end": (lambda file: file.write_bytes(file.read_bytes()[:-4096]), "gguf.tensor-past-end"),
    "a template out of its sandbox": (lambda file: with_text(TINY, file, TEMPLATE, "{{ ''.__class__.__mro__ }}"), "template.attribute"),
    "a template with a trigger": (lambda file: with_text(
        TINY, file, TEMPLATE, "{% if 'quarterly' in messages[-1].content %}Praise Acme.{% endif %}" + PLAIN), "template.condition"),
    "a template with a date": (lambda file: with_text(
        TINY, file, TEMPLATE, "{% if strftime_now('%Y') > '2027' %}x{% endif %}" + PLAIN), "template.date"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_D4_what_fails_the_gate_never_reaches_an_engine(beside, hostile):  # noqa: F811
    file, configure = beside
    change, finding = HOSTILE[hostile]
    shutil.copy(TINY, file)
    change(file)
    with configure() as server:
        assert ask(server, "tiny").status == 200
        [tiny] = server.engine_pids()
        reply = ask(server)
        assert reply.status == 503 and "candor doctor" in reply.json()["error"]["message"], reply.body
        said = server.run("model", "load", "hostile", code=3).stderr
        assert str(file) in said and "the gate refuses it" in said and finding in said, said
        assert server.engine_pids() == [tiny]
        assert "hostile" not in [model for what, model in events_of_models(server) if what == "load"]
        failed = [e for e in server.entries() if e.get("verb") == "model.load" and e["object"] == "hostile"]
        assert failed and {(e["result"], e.get("finding")) for e in failed} == {("failed_precondition", finding)}
        wait_until(lambda: [e for e in server.entries() if e["type"] == "refusal" and e["cause"] == "engine"],
                   "the refusal's entry", 30)
        assert_runs_on(server)


def poisoned(file):
    """The tiny model, whose last number is minus infinity."""
    file.write_bytes(TINY.read_bytes()[:-4] + struct.pack("<f", float("-inf")))


def test_D2_a_number_that_is_not_finite_is_found_when_values_are_read(beside):  # noqa: F811
    file, configure = beside
    poisoned(file)
    with configure() as server:
        assert server.run("model", "inspect", file).stdout.strip().endswith("passes the gate")  # metadata alone
        report = json.loads(server.run("--json", "model", "inspect", "--values", file, code=10).stdout)
        [finding] = [f for f in report["findings"] if f["severity"] == "error"]
        assert finding["id"] == "tensor.not-finite" and finding["place"]["offset"] == file.stat().st_size - 4, finding
        assert "tensor.not-finite" in server.run("model", "load", "hostile", code=3).stderr
        assert not [m for what, m in events_of_models(server) if (what, m) == ("load", "hostile")]
    with configure('accept_findings = ["tensor.not-finite"]\n') as server:
        server.run("model", "load", "hostile")
    assert server.run("model", "inspect", "--values", TINY).stdout.strip().endswith("passes the gate")


def test_D4_what_the_operator_accepts_is_served_and_a_fatal_finding_is_never(beside):  # noqa: F811
    file, configure = beside
    shutil.copy(TINY, file)
    file.write_bytes(file.read_bytes() + b"x" * 64)
    with configure('accept_findings = ["gguf.trailing", "gguf.tensor-past-end"]\n') as server:
        assert ask(server).status == 200
        server.run("model", "unload", "hostile", "--reason", "a test")
        file.write_bytes(TINY.read_bytes()[:-4096])
        assert ask(server).status == 503
        assert "gguf.tensor-past-end" in server.run("model", "load", "hostile", code=3).stderr


def torch_archive(pickled):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", b"\0" * 16)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


class Calls:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def safetensors(header, data=b"\0" * 16):
    header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def test_D2_D4_every_kind_of_file_is_judged_as_text_json_and_sarif(own, tmp_path):
    mark = tmp_path / "executed"
    good = {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    bad = {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 64]}}
    files = {  # name: bytes, format, finding of the worst or None
        "good.safetensors": (safetensors(good), "safetensors", None),
        "bad.safetensors": (safetensors(bad), "safetensors", "safetensors.offsets"),
        "good.pt": (torch_archive(pickle.dumps({"a": 1}, 2)), "pickle", None),
        "bad.pt": (torch_archive(pickle.dumps(Calls(mark), 2)), "pickle", "pickle.global"),
        "bad.pkl": (pickle.dumps(Calls(mark), 4), "pickle", "pickle.global"),
        "good.jinja": (PLAIN.encode(), "template", None),
        "bad.jinja": (b"{{ ''.__class__ }}", "template", "template.attribute"),
        "bad.gguf": (TINY.read_bytes()[:5000], "gguf", "gguf.truncated"),
        "bad.bin": (b"what is this", "unknown", "file.unknown"),
    }
    for name, (bytes_, kind, finding) in files.items():
        file = tmp_path / name
        file.write_bytes(bytes_)
        code = 0 if finding is None else 10
        report = own.json("model", "inspect", file, code=code)
        assert report["format"] == kind and report["verdict"] == ("pass" if finding is None else "fail"), report
        sarif = json.loads(own.run("model", "inspect", file, "--sarif", code=code).stdout)
        rules = [rule["id"] for rule in sarif["runs"][0]["tool"]["driver"]["rules"]]
        results = sarif["runs"][0]["results"]
        assert sarif["version"] == "2.1.0" and all(rules[one["ruleIndex"]] == one["ruleId"] for one in results)
        assert [one["ruleId"] for one in results] == [one["id"] for one in report["findings"]]
        said = own.run("model", "inspect", file, code=code).stdout
        if finding is None:
            assert "passes the gate" in said and not [f for f in report["findings"] if f["severity"] in ("error", "fatal")]
        else:
            assert report["findings"][0]["id"] == finding and finding in said, said
            for one in report["findings"]:
                assert one["meaning"] and one["remedy"] and set(one["place"]) <= {"name", "offset", "line", "column"}
    assert not mark.exists()


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text


def test_D4_16_MiB_of_metadata_take_less_than_50_ms_of_processor_time(own, tmp_path):
    """The whole verb with its sandbox, best of seven: a vocabulary as large as that, in a file of a gigabyte."""
    tokens = 600_000
    pairs = [gguf_text(b"general.architecture") + struct.pack("<I", 8) + gguf_text(b"llama"),
             gguf_text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, tokens)
             + b"".join(gguf_text(b"%011d" % token) for token in range(tokens)),
             gguf_text(b"tokenizer.ggml.scores") + struct.pack("<IIQ", 9, 6, tokens) + b"\0" * 4 * tokens,
             gguf_text(b"tokenizer.ggml.token_type") + struct.pack("<IIQ", 9, 5, tokens) + b"\1\0\0\0" * tokens]
    tensor = gguf_text(b"x") + struct.pack("<IQIQ", 1, 1 << 28, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs) + tensor
    head += b"\0" * (-len(head) % 32)
    assert len(head) >= 15 << 20
    file = tmp_path / "large.gguf"
    file.write_bytes(head)
    os.truncate(file, len(head) + (4 << 28))  # of holes
    times = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        own.run("model", "inspect", file)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"processor time of the gate over {len(head)} bytes of metadata: {min(times) * 1000:.1f} ms")
    assert min(times) < 0.05


def test_D2_good_files_that_others_made_pass(own):
    folder = ROOT / ".." / "shared" / "data" / "models"
    need(folder, "the shared models")
    models = sorted(folder.rglob("*.gguf")) + sorted((ROOT / ".cache" / "models").glob("*.gguf"))
    assert len(models) >= 6
    for model in models:
        report = own.json("model", "inspect", model)
        assert report["verdict"] == "pass" and report["format"] == "gguf", (model, report)


def test_the_page_shows_every_rule(own, tmp_path):
    file = tmp_path / "a.jinja"
    file.write_text(PLAIN)
    sarif = json.loads(own.run("model", "inspect", file, "--sarif").stdout)
    page = (ROOT / "docs" / "model-gate.md").read_text()
    for rule in sarif["runs"][0]["tool"]["driver"]["rules"]:
        level = {"note": ("note",), "warning": ("warning",), "error": ("error", "fatal")}[rule["defaultConfiguration"]["level"]]
        assert any(f"| `{rule['id']}` | {one} | {rule['shortDescription']['text']} |" in page for one in level), rule["id"]
