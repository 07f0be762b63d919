"""The sentences that a refusal can say, read from the code that says them: each a pattern, and where it stands."""
import dataclasses
import re

from server import ROOT

# what makes a refusal, and the folders in which clients hear it
CALL = re.compile(r"\b(refuse|refusal|wrong_type|make_error|stranger)\(")
FILES = sorted((ROOT / "src" / "dialect").rglob("*.cc")) + sorted((ROOT / "src" / "gateway").glob("*.cc")) + \
    [ROOT / "src" / "http" / name for name in ("request_reader.cc", "connection.cc", "server.cc")]
NOT = ("_test.cc", "_fuzz.cc", "_bench.cc", "admin.cc", "admin_budgets.cc", "admin_halts.cc", "admin_keys.cc", "admin_revocations.cc", "admin_subjects.cc",
       "admin_status.cc")  # the administration is no dialect
USE_KEY = " Send an API key of this server (made with `candor key create`)."  # gateway/identity.cc puts it behind each
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass(frozen=True)
class Sentence:
    file: str
    text: str  # as it is written; {} stands for what is filled in

    def matches(self, said):
        return re.fullmatch(".+?".join(map(re.escape, self.text.split("{}"))), said, re.S) is not None


def arguments(source, at):
    """The arguments of the call whose bracket opens at `at`, split at its own commas."""
    depth, begin, found, i = 0, at + 1, [], at
    while i < len(source):
        c = source[i]
        if c == '"':
            i = LITERAL.match(source, i).end()
            continue
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return found + [source[begin:i]]
        elif c == "," and depth == 1:
            found.append(source[begin:i])
            begin = i + 1
        i += 1
    raise AssertionError("a bracket is not closed")


def joined(text):
    """The text of the literals of an argument, where {} stands for what is put between them; of two that it chooses from, both."""
    found, end = [], None
    for literal in LITERAL.finditer(text):
        gap = "" if end is None else text[end:literal.start()]
        written = literal[1].replace('\\"', '"').replace("\\\\", "\\")
        if end is None or ":" in gap.replace("::", ""):
            found.append(written)
        elif not gap.strip():
            found[-1] += written
        elif "+" in gap:
            found[-1] += "{}" + written
        else:
            break
        end = literal.end()
    return found or [""]


def sentences():
    found = {}
    for path in FILES:
        if path.name.endswith(NOT) or path.name in NOT:
            continue
        source = re.sub(r"//[^\n]*", "", path.read_text())
        for call in CALL.finditer(source):
            parts = arguments(source, call.end() - 1)
            if call[1] == "wrong_type":
                texts = [f"'{joined(parts[0])[0] or '{}'}' must be {wanted}." for wanted in joined(parts[1])] if parts[-1].strip()[0] == '"' else []
            else:
                texts = [text for part in parts if "make_error(" not in part for text in joined(part)]
            for text in (t for t in texts if " " in t and (t[0].isupper() or t[0] in "'{") and t != "'{}' must be {}."):  # wrong_type itself
                text += USE_KEY if call[1] == "stranger" else "{}" if text.endswith(" ") else ""
                found.setdefault((path.name, text), Sentence(path.name, text))
        for text in re.findall(r"message = (?:fmt::format\()?((?:\"(?:[^\"\\]|\\.)*\"\s*)+)", source):
            text = joined(text)[0] + "{}" * joined(text)[0].endswith(" ")
            found.setdefault((path.name, text), Sentence(path.name, text))
    return list(found.values())


if __name__ == "__main__":
    for one in sentences():
        print(f"{one.file:28} {one.text}")
