"""The sentences that a refusal can say, read from the code that says them: each a pattern, and where it stands."""
import dataclasses
import re

from server import ROOT

# what makes a refusal, and the folders in which clients hear it
CALL = re.compile(r"\b(refuse|wrong_type|make_error|stranger|with_kind)\(")
FILES = sorted((ROOT / "src" / "dialect").rglob("*.cc")) + sorted((ROOT / "src" / "gateway").glob("*.cc")) + \
    [ROOT / "src" / "http" / name for name in ("request_reader.cc", "connection.cc", "server.cc")]
NOT = ("_test.cc", "_fuzz.cc", "_bench.cc", "admin.cc", "admin_status.cc")  # the administration is no dialect
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


def constants(source):
    """Texts with a name, as kNoImages: what stands behind an argument that is no literal."""
    found = {}
    for name, value in re.findall(r"constexpr (?:static )?(?:std::string_view|char) (k\w+)(?:\[\])? =\s*((?:\"(?:[^\"\\]|\\.)*\"\s*)+);", source):
        found[name] = joined(value)
    return found


def joined(text):
    return "".join(LITERAL.findall(text)).replace('\\"', '"').replace("\\\\", "\\")


def sentences():
    found = {}
    for path in FILES:
        if path.name.endswith(NOT) or path.name in NOT:
            continue
        source = re.sub(r"//[^\n]*", "", path.read_text())
        for call in CALL.finditer(source):
            parts = arguments(source, call.end() - 1)
            kind = call[1]
            if kind == "wrong_type":
                place, wanted = joined(parts[0]), joined(parts[1]) if len(parts) > 1 else ""
                text = f"'{place or '{}'}' must be {wanted}." if wanted else ""
            else:
                texts = [joined(part) for part in parts]
                texts = [t for t in texts if " " in t and (t[0].isupper() or t[0] in "'{")]
                text = texts[0] if texts else ""
            if text:
                found.setdefault((path.name, text), Sentence(path.name, text))
    return list(found.values())


if __name__ == "__main__":
    for one in sentences():
        print(f"{one.file:28} {one.text}")
