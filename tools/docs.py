#!/usr/bin/env python3
"""Holds the documents against the tree: what a document names must exist.

usage: docs.py [FILE.md ...]     default: every Markdown file of the project

Fails when a document names
  - a relative link whose file, or whose #heading, does not exist;
  - in backticks, a path below one of the project's folders (`src/...`, `docs/...`) or a file name that ends in
    .cc .h .md .py .sh and is nowhere in the project; `*` and `{a,b}` are patterns that must match something;
  - a test that does not exist: `S7_...`, `Suite.Test`, `test_...` (an ending `*` stands for the rest of a name).
Names in angle brackets are placeholders (`<name>_test.cc`). Shell blocks are not read: tests run those; but a
file that such a block writes (`> NAME`) may be named in its document.
"""
import fnmatch
import functools
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATH = re.compile(r"[A-Za-z0-9_.*{},-]+(?:/[A-Za-z0-9_.*{},-]+)*/?")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.M | re.S)
TEST = re.compile(r"\b(?:[A-Z]\w*Test\.\w+\*?|S\d+_\w+\*?|test_\w+\b(?!\.py)\*?)")


@functools.cache
def files():
    done = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True,
                          capture_output=True, check=True)
    return frozenset(name for name in done.stdout.splitlines() if (ROOT / name).is_file())


@functools.cache
def folders():
    return frozenset(str(parent) for name in files() for parent in pathlib.PurePath(name).parents)


@functools.cache
def tests():
    """Suite.Test of every GoogleTest, test_... of every Python test."""
    found = set()
    for name in files():
        if name.endswith("_test.cc"):
            text = (ROOT / name).read_text()
            found |= {f"{suite}.{test}" for suite, test in re.findall(r"\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", text)}
        elif re.search(r"(^|/)test_\w+\.py$", name):
            found |= set(re.findall(r"^\s*def (test_\w+)", (ROOT / name).read_text(), re.M))
    return frozenset(found)


def alternatives(pattern):
    """a{b,c}d -> abd, acd."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if not found:
        return [pattern]
    return [one for word in found[1].split(",") for one in alternatives(pattern[:found.start()] + word + pattern[found.end():])]


def exists(path, document):
    """Whether a name stands for something, seen from the root, from docs/, or from its document's folder."""
    path = path.rstrip("/")
    bases = {"", "docs/"} | {f"{parent}/" for parent in document.parents if str(parent) != "."}
    if "/" not in path and any(name.endswith("/" + path) for name in files()):
        return True
    known = files() | folders()
    return any(base + path in known or ("*" in path and fnmatch.filter(known, base + path)) for base in bases)


def test_exists(name):
    if name.endswith("*"):
        return any(fnmatch.fnmatchcase(test, name) or fnmatch.fnmatchcase(test.rpartition(".")[2], name) for test in tests())
    if "." in name or name.startswith("test_"):
        return name in tests()
    wanted = name.casefold()  # S1_... in C++, test_S1_... in Python
    return any(test.rpartition(".")[2].removeprefix("test_").casefold() == wanted for test in tests())


def slug(heading):
    """A heading's anchor, as code hosts make it."""
    heading = re.sub(r"[`*\[\]]|\(.*?\)", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def headings(text):
    return {slug(line) for line in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)}


def complaints(name):
    document = pathlib.PurePath(name)
    whole = (ROOT / name).read_text()
    written = set(re.findall(r">\s*\"?([\w.-]+)", "".join(block[0] for block in re.finditer(FENCE, whole))))
    text = FENCE.sub(lambda block: "\n" * block[0].count("\n"), whole)
    tops = {file.split("/")[0] for file in files() if "/" in file}
    for number, line in enumerate(text.splitlines(), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (ROOT / document.parent / path).resolve() if path else ROOT / name
            if not file.exists():
                yield number, f"a link to {target}, which does not exist"
            elif anchor and file.suffix == ".md" and anchor not in headings(file.read_text()):
                yield number, f"a link to {target}, which has no such heading"
        for quoted in re.findall(r"`([^`]+)`", line):
            for word in quoted.split():
                word = word.removeprefix("./").rstrip(",;:")
                if not PATH.fullmatch(word) or word in written:
                    continue
                in_tree = "/" in word and word.split("/")[0] in tops
                named = re.search(r"\.(cc|h|md|py|sh)$", word) and not word.startswith((".", "*"))
                if (in_tree or named) and not all(exists(one, document) for one in alternatives(word)):
                    yield number, f"the file {word}, which does not exist"
        for test in TEST.findall(line):
            if not test_exists(test):
                yield number, f"the test {test}, which does not exist"


def main():
    chosen = [str(pathlib.Path(name).resolve().relative_to(ROOT)) for name in sys.argv[1:]]
    bad = 0
    for name in chosen or sorted(file for file in files() if file.endswith(".md")):
        for line, complaint in complaints(name):
            print(f"{name}:{line}: names {complaint}")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
