"""candor policy check and test: rules before anybody depends on them, without a server."""

import json
import subprocess

import pytest

from server import BIN, ROOT

PACKS = ROOT / "packs" / "policies"
RULE = """
[[rule]]
id = "{id}"
effect = "{effect}"
when = '{when}'
message = "because"
"""


def policy(*words, cwd=None):
    done = subprocess.run([str(BIN / "candor"), "policy", *map(str, words)], capture_output=True, text=True, timeout=60,
                          cwd=cwd, env={"PATH": "/usr/bin:/bin", "NO_COLOR": "1"}, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def rules(tmp_path):
    def write(*triples, name="rules.toml"):
        file = tmp_path / name
        file.write_text(f'format = 1\npolicy = "{file.stem}"\n' + "".join(
            RULE.format(id=id_, effect=effect, when=when) for id_, effect, when in triples))
        return file
    return write


def test_C12_the_shipped_packs_are_clean_and_their_cases_pass():
    code, out, _ = policy("check", PACKS)
    assert code == 0 and "21 rules in 4 files, digest sha256:" in out
    code, out, _ = policy("test", PACKS)
    assert code == 0 and out.strip().endswith("25 passed, 0 failed")


def test_C10_a_mistake_has_its_place_and_exit_code_2(rules):
    file = rules(("a", "deny", "request.dialekt == \"x\""))
    code, out, _ = policy("check", file)
    assert code == 2
    assert f"{file}:7:9: error: rule a: Request has no field dialekt; did you mean dialect?" in out
    assert "            ^~~~~~~" in out
    code, out, _ = policy("check", file, "--json")
    found = json.loads(out)
    assert code == 2 and not found["usable"]
    assert [(one["kind"], one["line"], one["column"], one["suggestion"]) for one in found["findings"]] == [
        ("unknown_name", 7, 9, "dialect")]


def test_C10_rules_that_cannot_do_what_they_say_have_exit_code_3(rules):
    file = rules(("no", "deny", "caller.team == \"hr\""), ("mask", "warn", "request.stream && caller.team == \"hr\""),
                 ("never", "warn", "1 > 2"), ("again", "warn", "caller.purpose == \"x\""),
                 ("twice", "warn", "caller.purpose  ==  \"x\""))
    code, out, _ = policy("check", file, "--json")
    found = json.loads(out)
    assert code == 3 and found["usable"]
    assert [(one["rule"], one["kind"]) for one in found["findings"]] == [
        ("mask", "unreachable"), ("never", "constant"), ("twice", "duplicate")]


def test_C10_files_together_are_one_policy(rules, tmp_path):
    rules(("a", "deny", "request.stream"), name="one.toml")
    rules(("a", "warn", "request.stream"), name="two.toml")
    code, out, _ = policy("check", tmp_path)
    assert code == 2 and f"the rule at {tmp_path / 'one.toml'}:4 has this id too" in out


def test_C10_cases_beside_the_rules_are_run(rules, tmp_path):
    file = rules(("a", "deny", "caller.team == \"hr\""), ("b", "warn", "request.stream"))
    cases = tmp_path / "rules.cases.toml"
    case = '[[case]]\nname = "{}"\ngiven.caller.team = "{}"\nexpect = {{ effect = "{}", rules = [{}] }}\n'
    cases.write_text("format = 1\n" + case.format("good", "hr", "deny", '"a"'))
    for what in (file, cases, tmp_path):
        code, out, _ = policy("test", what)
        assert code == 0 and "1 passed, 0 failed" in out and "no case lets b fire" in out
    cases.write_text("format = 1\n" + case.format("bad", "it", "deny", '"a"'))
    code, out, _ = policy("test", file)
    assert code == 1 and "FAILED" in out and "effect: deny expected, allow came; rules: a expected, none came" in out
    assert policy("test", tmp_path, "--json")[0] == 1
    cases.write_text("format = 1\n" + case.format("typo", "it", "denny", ""))
    assert policy("test", file)[0] == 2
    cases.write_text("format = 1\n")
    assert policy("test", file)[0] == 4


def test_C10_what_is_not_there_is_said(tmp_path):
    code, _, err = policy("check", tmp_path / "absent.toml")
    assert code == 4 and "absent.toml" in err
    assert policy("test", tmp_path)[0] == 4
    assert policy("check")[0] == 2


def test_S19_controls_in_a_file_do_not_reach_the_terminal(tmp_path):
    file = tmp_path / "x.toml"
    file.write_text('format = 1\npolicy = "x"\n"\\u001b[31mred" = 1\n')
    code, out, _ = policy("check", file)
    assert code == 2 and "\x1b" not in out
