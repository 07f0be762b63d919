"""Text in which nobody's card or number stands: logs, tables, code and prose of installed packages, found at run time, and
what programs print about them. Every finding is looked at by check.py, an independent validator.
"""

import collections
import json
import pathlib
import subprocess

SKIPPED = {".gz", ".pyc", ".so", ".png", ".a", ".o", ".jpg", ".gif", ".ico", ".woff", ".woff2", ".zip", ".xz", ".bz2", ".whl", ".exe", ".pdf", ".mo", ".db"}
# Packages that generate or list such values for tests are no distractors; keys in test data are.
NOT_IN = ("faker", "phonenumbers", "stdnum", "schwifty", "presidio", "gitleaks", "detect_secrets")
PLACES = {
    "prose": (["/usr/share/doc", "/usr/share/common-licenses", "/usr/share/perl", "/usr/local/go/doc"], {"", ".txt", ".md", ".rst", ".html", ".pod", ".copyright"}),
    "code": (["/usr/lib/python3", "/usr/lib/python3.11", "/usr/lib/node_modules", "/usr/share/nodejs", "/usr/local/lib/node_modules", "/usr/share/perl", "/usr/include/c++",
              "/usr/local/go/src/net", "/usr/share/cmake-3.25"], {".py", ".js", ".mjs", ".ts", ".json", ".pm", ".pl", ".h", ".go", ".cmake", ".css", ".yml", ".toml", ""}),
    "tables": (["/usr/share/zoneinfo", "/usr/share/misc", "/usr/share/unicode", "/usr/share/i18n", "/usr/share/perl", "/usr/lib/python3", "/usr/share/iso-codes"], {".csv", ".tsv", ".tab", ".zi", ".dat", ".ids", ".list"}),
    "logs": (["/var/log"], {".log", "", ".txt"}),
}
# What programs print here, where the files alone are fewer than wanted: sizes, inodes, times to the nanosecond, digests.
PRINTED = {
    "logs": [["find", "/usr/lib", "/usr/share", "-type", "f", "-printf", "%TY-%Tm-%TdT%TTZ INFO inode=%i size=%s mode=%m uid=%U path=%p took=%A@\n"],
             ["ls", "-lR", "--time-style=full-iso", "/usr/lib", "/usr/share"],
             ["sh", "-c", "cat /var/lib/dpkg/info/*.md5sums"]],
    "tables": [["find", "/usr/lib", "/usr/share", "-type", "f", "-printf", "%i,%s,%T@,%C@,%m,%n,\"%f\"\n"],
               ["dpkg-query", "-W", "-f", "${Package},${Version},${Installed-Size},${Architecture},${Maintainer},${Homepage},${db-fsys:Last-Modified}\n"]],
}


def readable(path):
    if path.suffix in SKIPPED or path.is_symlink() or not path.is_file() or any(name in str(path).lower() for name in NOT_IN):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(200_000)
    except (UnicodeDecodeError, OSError):
        return None
    return None if "\0" in text else text


def take(name, wanted):
    texts, total, seen = [], 0, set()
    places, endings = PLACES[name]
    files = []
    for place in places:
        files += [path for path in sorted(pathlib.Path(place).rglob("*")) if path.suffix.lower() in endings]
    # Evenly through the tree, so that no one package fills it.
    step = max(1, len(files) // 1500)
    for start in range(step):
        for path in files[start::step]:
            if total >= wanted:
                return texts
            text = readable(path)
            if text and text not in seen:
                seen.add(text)
                texts.append(text)
                total += len(text)
    for command in PRINTED.get(name, []):
        if total >= wanted:
            break
        printed = subprocess.run(command, capture_output=True, check=False).stdout.decode(errors="ignore")
        printed = printed[:max(0, min(len(printed), wanted - total, wanted * 2 // 3))]
        texts += [printed[at:at + 200_000] for at in range(0, len(printed), 200_000)]
        total += len(printed)
    return texts


def collect(wanted):
    return {name: take(name, wanted // len(PLACES)) for name in ("logs", "tables", "code", "prose")}


def checked(python, texts, found):
    """Counts by (kind, detector): found, refuted by the independent check, and examples."""
    questions, owners = [], []
    for text, findings in zip(texts, found):
        raw = text.encode()
        for f in findings:
            questions.append({"kind": f["kind"], "value": raw[f["begin"]:f["end"]].decode(errors="replace")})
            owners.append((f, raw[max(0, f["begin"] - 50):f["end"] + 20].decode(errors="replace")))
    done = subprocess.run([python, str(pathlib.Path(__file__).with_name("check.py"))], input=json.dumps(questions), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"quality: the independent check failed: {done.stderr[-800:]}")
    counts = collections.defaultdict(lambda: {"found": 0, "refuted": 0, "unchecked": 0, "examples": []})
    for (finding, around), verdict in zip(owners, json.loads(done.stdout)):
        one = counts[finding["kind"], finding["detector"]]
        one["found"] += 1
        one["refuted"] += verdict is False
        one["unchecked"] += verdict is None
        if len(one["examples"]) < 40:
            one["examples"].append(around)
    return counts


def by_kind(counts):
    kinds = collections.defaultdict(lambda: {"found": 0, "refuted": 0, "unchecked": 0})
    for (kind, _), one in counts.items():
        for key in ("found", "refuted", "unchecked"):
            kinds[kind][key] += one[key]
    return kinds
