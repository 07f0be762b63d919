"""candor scan as a person and a build server meet it: text, JSON, SARIF, exit codes, further packs; no server."""
import json
import subprocess

from server import BIN

MAIL = "maria.fernandez@example.com"
IBAN = "DE89 3704 0044 0532 0130 00"


def scan(*arguments, text=None):
    return subprocess.run([BIN / "candor", "scan", *map(str, arguments)], input=text, capture_output=True, text=True, check=False)


def test_C4_a_file_shows_detector_class_confidence_and_place_and_never_the_value(tmp_path):
    file = tmp_path / "prompt.txt"
    file.write_text(f"Liebe Frau Müller,\nIBAN {IBAN}, {MAIL}\n")
    done = scan(file)
    assert done.returncode == 10
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert rows == [[f"{file}:2:6", "financial", "iban", "high", "95"], [f"{file}:2:35", "personal.contact", "email", "medium", "95"]]
    assert MAIL not in done.stdout + done.stderr and "3704" not in done.stdout + done.stderr
    assert "2 findings in 1 file" in done.stderr
    assert MAIL in scan("--show", file).stdout


def test_C4_standard_input_and_nothing_found():
    done = scan("-", text="nothing to see here, 12 345\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert scan("-", text=MAIL).returncode == 10


def test_C4_json_counts_places_in_bytes_lines_and_code_points(tmp_path):
    done = scan("--json", "-", text=f"ü\nü {MAIL}")
    document = json.loads(done.stdout)
    assert document["files"] == 1 and document["skipped"] == []
    (one,) = document["findings"]
    assert (one["path"], one["line"], one["column"], one["begin"], one["end"]) == ("-", 2, 3, 6, 6 + len(MAIL))
    assert (one["detector"], one["class"], one["layer"]) == ("email", "personal.contact", "plain")
    assert "value" not in one
    encoded = json.loads(scan("--json", "-", text="to=maria%2Efernandez%40example.com").stdout)
    assert encoded["findings"][0]["layer"] == "percent"


def test_C4_sarif_names_rules_and_regions(tmp_path):
    (tmp_path / "a b.txt").write_text(f"first\nmail {MAIL}\n")
    done = scan("--sarif", tmp_path)
    assert done.returncode == 10
    document = json.loads(done.stdout)
    assert document["version"] == "2.1.0"
    run = document["runs"][0]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "email"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("a%20b.txt")
    assert place["region"]["startLine"] == 2 and place["region"]["startColumn"] == 6
    assert MAIL not in done.stdout


def test_C4_a_folder_is_walked_and_binaries_are_named(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/one.txt").write_text(MAIL)
    (tmp_path / "two.bin").write_bytes(b"\0\1" + MAIL.encode())
    document = json.loads(scan("--json", tmp_path).stdout)
    assert [one["path"] for one in document["findings"]] == [str(tmp_path / "sub/one.txt")]
    assert document["skipped"] == [{"path": str(tmp_path / "two.bin"), "reason": "binary"}]


def test_C4_what_cannot_be_done_is_said(tmp_path):
    assert scan().returncode == 2
    missing = scan(tmp_path / "none")
    assert missing.returncode == 4 and "does not exist" in missing.stderr
    pack = tmp_path / "mine.toml"
    pack.write_text('format = 1\npack = "mine"\n[[detector]]\nid = "x"\nclas = "internal.label"\n')
    refused = scan("--packs", tmp_path, "-", text="x")
    assert refused.returncode == 2 and "mine.toml:5: unknown key 'clas'; did you mean 'class'?" in refused.stderr


def test_C4_a_pack_that_would_scan_too_slowly_is_refused_with_the_guilty_pattern(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'format = 1\npack = "mine"\n[[detector]]\nid = "slow"\nclass = "internal.label"\nanchor = "start"\nliterals = ["e ", "s ", "r "]\n'
        "pattern = '[ers] [a-z0-9 \\n]{1,400}zzz'\nboundary = \"none\"\nmax_span = 500\nmatch = [\"x\"]\n")
    refused = scan("--packs", tmp_path, "-", text="x")
    assert refused.returncode == 2
    assert "detector slow, pattern [ers] [a-z0-9 \\n]{1,400}zzz: too slow" in refused.stderr


def test_C1_a_pack_of_ones_own_finds_what_it_says(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'format = 1\npack = "mine"\n[[detector]]\nid = "project"\nclass = "internal.label"\nanchor = "start"\nliterals = ["PRJ-"]\n'
        "pattern = 'PRJ-[0-9]{4}'\nmax_span = 8\nmatch = [\"[[PRJ-1234]]\"]\n")
    done = scan("--packs", tmp_path, "--show", "-", text="see PRJ-4711.")
    assert done.returncode == 10 and "internal.label" in done.stdout and "PRJ-4711" in done.stdout
    listed = json.loads(scan("--packs", tmp_path, "--detectors", "--json").stdout)["detectors"]
    assert "project" in [one["id"] for one in listed] and len(listed) > 250
