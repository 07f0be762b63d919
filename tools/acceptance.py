#!/usr/bin/env python3
"""Holds docs/acceptance.toml against the tests: runs what each demand names and prints the table.

usage: acceptance.py [--list] [--only A11,S7] [--json]

Each demand is a table: state = "true" | "partial" | "missing", shown_by = a list of proofs, note.
A proof is one of
  gtest:<binary>:<Suite.Test>      a GoogleTest of build/check (parameterised names may end in *)
  ctest:<name>                     a test by its ctest name, such as a fuzz corpus' replay
  pytest:<file>::<test>            an end-to-end test
  run:<command>                    a command, run from the project's root, that must exit 0
A test that the reports of this ./check run already hold (build/reports/*.xml, JUnit) is not run
again; a test they do not hold is run. Fails when a demand of the list below is absent, when a proof of a "true" or "partial" demand does
not exist, fails, was skipped or asserts nothing, and when a "true" demand names no proof.
"""
import argparse
import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMANDS = [f"A{n}" for n in range(1, 25)] + [
    f"S{n}" for n in (1, 2, 3, 4, 5, 6, 7, 11, 12, 14, 15, 18)]
# Of the issue after it; each counts from when it has a table.
LATER = [f"B{n}" for n in range(1, 13)] + [f"C{n}" for n in range(1, 22)] + [f"D{n}" for n in range(1, 21)] + [f"S{n}" for n in (8, 9, 10, 13, 16, 17, 19)]
BUILD = pathlib.Path(os.environ.get("CANDOR_CHECK_BUILD", ROOT / "build" / "check"))
# How a test body shows that it asserts something. Helpers that assert are named expect_... or assert_...
ASSERTION = re.compile(r"\b(EXPECT_|ASSERT_|expect_|assert_|FAIL\(|ADD_FAILURE)")


REPORTS = ROOT / "build" / "reports"


class ProofError(Exception):
    pass


def read_reports():
    """name -> "passed" | "failed" | "skipped", from the JUnit files of ctest and pytest."""
    seen = {}
    for file in sorted(REPORTS.glob("*.xml")):
        for case in xml.etree.ElementTree.parse(file).iter("testcase"):
            name = case.get("name")
            if file.stem.startswith("pytest"):
                name = case.get("classname").replace(".", "/") + ".py::" + name
            if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
                seen[name] = "skipped"
            elif case.find("failure") is not None or case.find("error") is not None:
                seen[name] = "failed"
            else:
                seen[name] = "passed"
    return seen


REPORTED = read_reports() if REPORTS.is_dir() else {}


def reported(pattern):
    """The reported results of the tests that match, or [] when the reports do not hold them."""
    wanted = re.compile(re.escape(pattern).replace(r"\*", ".*") + r"(\[.*\])?$")
    return [(n, r) for n, r in REPORTED.items() if wanted.match(n)]


def judge(results):
    for name, result in results:
        if result != "passed":
            raise ProofError(f"{name} {'was skipped' if result == 'skipped' else 'failed'}")


def run(command, **options):
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, **options)


def find_binary(name):
    hits = [p for p in BUILD.rglob(name) if p.is_file() and os.access(p, os.X_OK)]
    if not hits:
        raise ProofError(f"no test binary {name} in {BUILD.name}")
    return hits[0]


def gtest_source(suite, test):
    """The test's body, to see that it asserts; parameterised prefixes and suffixes are cut."""
    parts = [p for p in suite.split("/") if not p.isdigit()]  # Prefix/Suite/0
    suite, test = parts[-1], test.split("/")[0]
    head = re.compile(r"TEST(_F|_P)?\(\s*%s\s*,\s*%s\s*\)" % (re.escape(suite), re.escape(test)))
    for file in [*ROOT.glob("src/**/*_test.cc"), *ROOT.glob("apps/**/*_test.cc")]:
        text = file.read_text()
        found = head.search(text)
        if found:
            end = text.find("\n}\n", found.end())
            return text[found.end(): end if end > 0 else None]
    return None


def check_asserts(name):
    suite, _, test = name.rpartition(".")
    body = gtest_source(suite, test)
    if body is None:
        raise ProofError(f"{name}: its source was not found")
    if not ASSERTION.search(body):
        raise ProofError(f"{name} asserts nothing")


def prove_gtest(rest):
    binary, pattern = rest.split(":", 1)
    if known := reported(pattern):
        for name, _ in known:
            check_asserts(name)
        return judge(known)
    path = find_binary(binary)
    done = run([str(path), f"--gtest_filter={pattern}", "--gtest_output=json:/dev/stderr"], timeout=1500)
    found = re.search(r"\{\s*\"tests\".*\}", done.stderr, re.S)
    if not found:
        raise ProofError(f"{rest}: {binary} gave no report (exit {done.returncode})")
    report = json.loads(found.group(0))
    cases = [(s["name"], t) for s in report["testsuites"] for t in s["testsuite"]]
    if not cases:
        raise ProofError(f"{rest}: no such test")
    for suite, case in cases:
        name = f"{suite}.{case['name']}"
        if case.get("failures"):
            raise ProofError(f"{name} failed")
        if case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
            raise ProofError(f"{name} was skipped")
        check_asserts(name)


def prove_ctest(name):
    if known := reported(name):
        return judge(known)
    done = run(["ctest", "--test-dir", str(BUILD), "-R", f"^{re.escape(name)}$", "--output-on-failure"], timeout=1500)
    if "No tests were found" in done.stdout + done.stderr:
        raise ProofError(f"ctest {name}: no such test")
    if done.returncode or "Skipped" in done.stdout:
        raise ProofError(f"ctest {name}: failed or skipped")


def prove_pytest(node):
    file, _, test = node.partition("::")
    path = ROOT / file
    if not path.exists():
        raise ProofError(f"{file} does not exist")
    names = {n.name: n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)}
    function = names.get(test.split("[")[0])
    if function is None:
        raise ProofError(f"{node}: no such test")
    source = ast.get_source_segment(path.read_text(), function)
    if not re.search(r"\bassert\b|pytest\.raises|expect_|assert_", source):
        raise ProofError(f"{node} asserts nothing")
    if known := reported(node):
        return judge(known)
    python = os.environ.get("CANDOR_PYTHON", str(ROOT / ".cache" / "venv" / "bin" / "python"))
    done = run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", node], timeout=3000)
    if done.returncode:
        raise ProofError(f"{node} failed: {done.stdout.strip().splitlines()[-1:]}")
    if re.search(r"\b\d+ skipped", done.stdout):
        raise ProofError(f"{node} was skipped")


def prove_run(command):
    done = run(["bash", "-c", command], timeout=3000)
    if done.returncode:
        tail = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise ProofError(f"`{command}` exited {done.returncode}: {tail}")


PROVERS = {"gtest": prove_gtest, "ctest": prove_ctest, "pytest": prove_pytest, "run": prove_run}


def prove(proof, memo):
    if proof not in memo:
        kind, _, rest = proof.partition(":")
        try:
            if kind not in PROVERS:
                raise ProofError(f"unknown kind of proof {proof!r}")
            PROVERS[kind](rest)
            memo[proof] = None
        except (ProofError, subprocess.TimeoutExpired) as error:
            memo[proof] = str(error)
    return memo[proof]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the table without running anything")
    parser.add_argument("--only", help="demands to run, separated by commas")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    table = tomllib.loads((ROOT / "docs" / "acceptance.toml").read_text())
    wanted = options.only.split(",") if options.only else DEMANDS + [d for d in LATER if d in table]
    problems, rows, memo = [], [], {}
    for demand in wanted:
        entry = table.get(demand)
        if entry is None:
            problems.append(f"{demand}: absent from docs/acceptance.toml")
            continue
        state, proofs = entry.get("state"), entry.get("shown_by", [])
        if state not in ("true", "partial", "missing"):
            problems.append(f"{demand}: state must be true, partial or missing")
        if state == "true" and not proofs:
            problems.append(f"{demand}: true, but names no proof")
        if state != "true" and not entry.get("note"):
            problems.append(f"{demand}: {state} needs a note that says what is missing and why")
        failed = [] if options.list or state == "missing" else [e for e in (prove(p, memo) for p in proofs) if e]
        problems += [f"{demand}: {e}" for e in failed]
        rows.append((demand, state, len(proofs), "FAILED" if failed else "ok", entry.get("note", "")))

    if options.json:
        print(json.dumps({"demands": [dict(zip(("demand", "state", "proofs", "result", "note"), r)) for r in rows], "problems": problems}))
    else:
        for demand, state, count, result, note in rows:
            print(f"{demand:4} {state or '?':8} {count:3} proofs  {result:7} {note}")
        for problem in problems:
            print(f"acceptance: {problem}", file=sys.stderr)
        print(f"{len(rows) - len({p.split(':')[0] for p in problems})} passed, {len({p.split(':')[0] for p in problems})} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
