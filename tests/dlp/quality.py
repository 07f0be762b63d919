#!/usr/bin/env python3
"""How well candor scan finds what it says it finds (C17), on texts that its packs were not written from.

usage: quality.py [--candor FILE] [--faker PYTHON] [--per-class N] [--json] [--show-misses]

Three kinds of text, reported apart, each rate with its 95 % interval (Wilson) and n:
  small      ../shared/data/dlp (or CANDOR_DATA): presidio-research and secrets, without the rows that their
             label_defects.jsonl names; those are listed
  generated  `faker` in several locales, values in sentences, with and without separators; secrets from the
             forms that makers publish. Seeded, so a run repeats
  distractors  files of installed packages and logs: whatever is found in them, per million characters
A finding counts where it covers half of a labelled value or more and is of its kind.
Needs faker: python3 -m venv DIR && DIR/bin/pip install faker; --faker DIR/bin/python.
"""
import argparse
import collections
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KINDS = {  # kind -> how its detectors' ids begin
    "card": ("card",), "iban": ("iban",), "email": ("email",), "ip": ("ipv4", "ipv6"), "ssn": ("us.ssn", "us.itin"),
    "phone": ("phone",), "mac": ("mac",), "bic": ("bic",), "birth": ("birth_date",), "wallet": ("wallet",), "secret": ("secret",),
}
NATIONAL = re.compile(r"^(uk|de|fr|it|es|pt|nl|be|lu|ch|at|ie|pl|se|fi|no|dk|ee|lv|cz|ro|bg|hr|hu|si|gr|tr|ua|us|ca|in|br|au|nz|za|il|cn|jp|kr|sg|hk|tw|th|mx|ar|cl)\.")


def kind_of(detector):
    for kind, starts in KINDS.items():
        if detector.startswith(starts) and not detector.startswith("card.cvv"):
            return kind
    return "national" if NATIONAL.match(detector) else detector


def interval(hits, n):
    """Wilson's 95 % interval."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n))


def scan(candor, texts):
    """Findings of each text, as places in its UTF-8 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(texts):
            pathlib.Path(folder, f"{number:06}.txt").write_bytes(text.encode())
        done = subprocess.run([candor, "scan", "--json", folder], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 10):
            sys.exit(f"quality: candor scan: exit {done.returncode}: {done.stderr[-800:]}{done.stdout[-400:]}")
        found = [[] for _ in texts]
        for one in json.loads(done.stdout)["findings"]:
            found[int(pathlib.Path(one["path"]).stem)].append(one)
        return found


class Score:
    def __init__(self):
        self.true = self.missed = self.good = self.false = 0
        self.examples = []

    def row(self):
        n, m = self.true + self.missed, self.good + self.false
        recall, precision = self.true / n if n else float("nan"), self.good / m if m else float("nan")
        return {"n": n, "recall": round(recall, 4), "recall_95": [round(x, 4) for x in interval(self.true, n)],
                "found": m, "precision": round(precision, 4), "precision_95": [round(x, 4) for x in interval(self.good, m)]}


def judge(texts, truths, found, kinds):
    """truths: for each text a list of (kind, begin, end) in characters."""
    scores = collections.defaultdict(Score)
    for text, truth, findings in zip(texts, truths, found):
        spans = [(kind, len(text[:b].encode()), len(text[:e].encode())) for kind, b, e in truth]
        overlap = lambda b, e, f: max(0, min(e, f["end"]) - max(b, f["begin"]))
        for kind, b, e in spans:
            if kind not in kinds:
                continue
            hit = any(kind_of(f["detector"]) == kind and overlap(b, e, f) * 2 >= e - b for f in findings)
            scores[kind].true += hit
            scores[kind].missed += not hit
            if not hit:
                scores[kind].examples.append(("missed", text.encode()[b:e].decode(errors="replace"), text[:160], [f["detector"] for f in findings]))
        for f in findings:
            kind = kind_of(f["detector"])
            if kind not in kinds:
                continue
            right = any(k == kind and overlap(b, e, f) * 2 >= min(e - b, f["end"] - f["begin"]) for k, b, e in spans)
            scores[kind].good += right
            scores[kind].false += not right
            if not right:
                scores[kind].examples.append(("false", text.encode()[f["begin"]:f["end"]].decode(errors="replace"), text[:160], [f["detector"]]))
    return scores


def defects(folder):
    file = folder / "label_defects.jsonl"
    return {row["doc"]: row["why"] for row in map(json.loads, file.read_text().splitlines()) if "doc" in row}


def small(candor, data):
    presidio = data / "dlp/presidio-research"
    rows = json.loads((presidio / "synth_dataset_v2.json").read_text())
    bad = defects(presidio)
    labels = {"CREDIT_CARD": "card", "IBAN_CODE": "iban", "EMAIL_ADDRESS": "email", "IP_ADDRESS": "ip", "US_SSN": "ssn",
              "PHONE_NUMBER": "phone"}
    kept = [row for number, row in enumerate(rows) if number not in bad]
    texts = [row["full_text"] for row in kept]
    truths = [[(labels[s["entity_type"]], s["start_position"], s["end_position"]) for s in row["spans"] if s["entity_type"] in labels]
              for row in kept]
    result = {"presidio-research": (judge(texts, truths, scan(candor, texts), set(labels.values())), bad)}
    secrets = data / "dlp/secrets"
    rows = [json.loads(line) for line in (secrets / "labelled_literals.jsonl").read_text().splitlines()]
    bad = defects(secrets)
    score = Score()
    kept = [row for number, row in enumerate(rows) if number not in bad]
    for row, findings in zip(kept, scan(candor, [row["text"] for row in kept])):
        hit = any(kind_of(f["detector"]) == "secret" for f in findings)
        if row["label"] == "positive":
            score.true += hit
            score.missed += not hit
            score.good += hit
        else:
            score.false += hit
        if hit != (row["label"] == "positive"):
            score.examples.append(("false" if hit else "missed", row["rule"], row["text"][:160], [f["detector"] for f in findings]))
    result["secrets"] = ({"secret": score}, bad)
    return result


GENERATOR = r'''
import json, random, string, sys
from faker import Faker
per_class = int(sys.argv[1])
Faker.seed(20261125); random.seed(20261125)
rows = []
neutral = ["The value {} was given.", "{}", "Please check {} before noon, thanks.", "row;17;{};open", "{{\"v\": \"{}\"}}", "see: {}\nnext line", "I wrote it down ({}) yesterday"]
def add(kind, value, templates):
    text = random.choice(templates)
    before, _, after = text.partition("{}")
    if "{{" in text:
        before, after = before.replace("{{", "{"), after.replace("}}", "}")
    rows.append({"kind": kind, "text": before + value + after, "begin": len(before), "end": len(before) + len(value)})
locales = {name: Faker(name) for name in ["en_US", "en_GB", "de_DE", "fr_FR", "it_IT", "es_ES", "nl_NL", "pl_PL", "sv_SE", "fi_FI", "pt_BR", "en_CA", "en_IN", "nl_BE", "en_AU", "ja_JP", "pt_PT", "no_NO", "cs_CZ"]}
us = locales["en_US"]
def spaced(digits, sep):
    if len(digits) == 15: return sep.join([digits[:4], digits[4:10], digits[10:]])
    return sep.join(digits[i:i+4] for i in range(0, len(digits), 4))
for i in range(per_class):
    number = ""
    while not 13 <= len(number) <= 19:
        number = us.credit_card_number(random.choice(["visa16", "mastercard", "amex", "discover", "jcb16", "diners", "visa19"]))
    style = i % 3
    value = number if style == 0 or len(number) in (13, 14) else spaced(number, " -"[style - 1])
    add("card", value, neutral + ["card {} exp 11/29", "pay with {} today"])
    iban = locales[random.choice(["en_GB", "de_DE", "fr_FR", "it_IT", "es_ES", "nl_NL", "pl_PL", "sv_SE", "fi_FI", "nl_BE", "no_NO", "pt_PT", "cs_CZ"])].iban()
    add("iban", iban if i % 2 else " ".join(iban[j:j+4] for j in range(0, len(iban), 4)), neutral + ["IBAN {}"])
    fake = random.choice(list(locales.values()))
    add("email", random.choice([us.email, us.company_email, us.free_email, locales["de_DE"].email, locales["fr_FR"].email])(), neutral + ["mail {} now"])
    add("ip", us.ipv4() if i % 2 else us.ipv6(), neutral + ["from {} port 22"])
    add("ssn", us.ssn(), neutral + ["SSN {}"])
    add("mac", us.mac_address(), neutral)
    name = random.choice(list(locales))
    phone = locales[name].phone_number()
    add("phone", phone, ["phone: {}", "call me at {}", "my telephone number is {}", "Tel. {}"] if not phone.startswith("+") else neutral)
    born = us.date_of_birth()
    add("birth", born.strftime(random.choice(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%B %d, %Y", "%d %B %Y"])), ["born on {}", "date of birth: {}", "DOB {}", "geboren am {}"])
    kinds = [("en_GB", "ssn", ["{}", "NI number {}"]), ("fr_FR", "ssn", ["{}", "numéro de sécurité sociale {}"]), ("it_IT", "ssn", ["{}", "codice fiscale {}"]),
             ("es_ES", "nif", ["DNI {}", "{}"]), ("es_ES", "nie", ["NIE {}"]), ("nl_NL", "ssn", ["BSN {}", "burgerservicenummer: {}"]), ("pl_PL", "pesel", ["PESEL {}"]),
             ("sv_SE", "ssn", ["personnummer {}", "{}"]), ("fi_FI", "ssn", ["henkilötunnus {}", "{}"]), ("pt_BR", "cpf", ["CPF {}", "{}"]), ("pt_BR", "cnpj", ["CNPJ {}"]),
             ("en_CA", "ssn", ["SIN {}", "social insurance number {}"]), ("en_IN", "aadhaar_id", ["Aadhaar {}", "Aadhaar number: {}"]), ("nl_BE", "ssn", ["rijksregisternummer {}"]),
             ("no_NO", "ssn", ["fødselsnummer {}"]), ("pt_PT", "vat_id", None), ("cs_CZ", "birth_number", ["rodné číslo {}"])]
    for locale, method, templates in kinds:
        if templates is None or not hasattr(locales[locale], method): continue
        if i % 3 == 0 or per_class < 100: add("national:" + locale + "." + method, str(getattr(locales[locale], method)()), templates)
W = string.ascii_letters + string.digits
H = "0123456789abcdef"
def r(alphabet, n): return "".join(random.choice(alphabet) for _ in range(n))
B = string.ascii_uppercase + "234567"
secrets = [lambda: ("AKIA" + r(B, 16), None), lambda: (r(W + "+/", 40), ["aws_secret_access_key = {}", "AWS_SECRET_ACCESS_KEY={}"]), lambda: ("ghp_" + r(W, 36), None),
  lambda: ("github_pat_" + r(W, 22) + "_" + r(W, 59), None), lambda: ("glpat-" + r(W, 20), None), lambda: ("xoxb-" + r(string.digits, 12) + "-" + r(string.digits, 12) + "-" + r(W, 24), None),
  lambda: ("https://hooks.slack.com/services/T" + r(B, 10) + "/B" + r(B, 10) + "/" + r(W, 24), None), lambda: ("sk_live_" + r(W, 24), None), lambda: ("sk-proj-" + r(W + "_-", 74), None),
  lambda: ("sk-ant-api03-" + r(W + "_-", 93) + "AA", None), lambda: ("AIza" + r(W + "_-", 35), None), lambda: ("SG." + r(W, 22) + "." + r(W, 43), None), lambda: ("npm_" + r(W, 36), None),
  lambda: ("pypi-AgEIcHlwaS5vcmc" + r(W, 120), None), lambda: ("hf_" + r(string.ascii_letters, 34), None), lambda: ("dop_v1_" + r(H, 64), None), lambda: ("shpat_" + r(H, 32), None),
  lambda: ("hvs." + r(W, 90), None), lambda: ("dckr_pat_" + r(W + "_-", 27), None), lambda: ("glsa_" + r(W, 32) + "_" + r(H, 8), None), lambda: ("xapp-1-A" + r(B, 10) + "-" + r(string.digits, 13) + "-" + r(H, 64), None),
  lambda: (r(string.digits, 10) + ":A" + r(W + "_-", 34), None), lambda: ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + r(W, 60) + "." + r(W + "_-", 43), None),
  lambda: ("-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(r(W + "+/", 64) for _ in range(12)) + "\n-----END RSA PRIVATE KEY-----", None),
  lambda: ("-----BEGIN OPENSSH PRIVATE KEY-----\n" + "\n".join(r(W + "+/", 70) for _ in range(5)) + "\n-----END OPENSSH PRIVATE KEY-----", None),
  lambda: (us.password(length=random.randint(10, 20)).replace("'", "x").replace('"', "y"), ["db_password = \"{}\"", "'password': '{}'", "const apiSecret = \"{}\";"]),
  lambda: (r(W, random.randint(24, 40)), ["API_KEY={}", "api_key: \"{}\"", "export SERVICE_TOKEN={}"]), lambda: (r(W, 14), ["postgres://app:{}@db.internal:5432/main", "https://deploy:{}@git.example.org/x.git"]),
  lambda: (r(H, 40), ["secret_key: {}", "auth_token = \"{}\""]), lambda: ("lin_api_" + r(W, 40), None), lambda: ("figd_" + r(W + "_-", 40), None), lambda: ("ATATT3" + r(W + "_-", 186), None),
  lambda: ("key-" + r(H, 32), ["mailgun api: {}"]), lambda: (r(W, 86) + "==", ["AccountName=x;AccountKey={};EndpointSuffix=core.windows.net"]), lambda: ("GOCSPX-" + r(W + "_-", 28), None), lambda: ("whsec_" + r(W, 32), None),
  lambda: ("PMAK-" + r(H, 24) + "-" + r(H, 34), None), lambda: ("sntryu_" + r(H, 64), None), lambda: ("gsk_" + r(W, 52), None), lambda: ("tskey-auth-" + r(W, 16) + "-" + r(W, 32), None)]
for i in range(max(per_class, len(secrets) * 12)):
    value, templates = secrets[i % len(secrets)]()
    add("secret", value, templates or ["token: {}", "export TOKEN={}", "curl -H 'X-Key: {}'", "{}", "\"key\": \"{}\""])
json.dump(rows, sys.stdout)
'''


def generated(candor, python, per_class):
    done = subprocess.run([python, "-c", GENERATOR, str(per_class)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"quality: the generator needs faker (--faker PYTHON): {done.stderr[-600:]}")
    rows = json.loads(done.stdout)
    texts = [row["text"] for row in rows]
    found = scan(candor, texts)
    scores = judge(texts, [[(row["kind"].split(":")[0], row["begin"], row["end"])] for row in rows], found, set(KINDS) | {"national"})
    each = collections.defaultdict(Score)
    for row, findings in zip(rows, found):
        if row["kind"].startswith("national:"):
            one = judge([row["text"]], [[("national", row["begin"], row["end"])]], [findings], {"national"})["national"]
            each[row["kind"]].true += one.true
            each[row["kind"]].missed += one.missed
            each[row["kind"]].good += one.good
            each[row["kind"]].false += one.false
    return scores, each


def distractors(candor, wanted=24_000_000):
    sets = {"documents": ["/usr/share/doc", "/usr/share/common-licenses"], "code": ["/usr/lib/python3.11", "/usr/share/perl", "/usr/include/c++"],
            "logs and tables": ["/var/log", "/var/lib/dpkg/info", "/usr/share/zoneinfo/tzdata.zi", "/usr/share/misc"]}
    result = {}
    for name, places in sets.items():
        total, texts = 0, []
        for place in places:
            files = sorted(p for p in ([pathlib.Path(place)] if pathlib.Path(place).is_file() else pathlib.Path(place).rglob("*")) if p.is_file() and not p.is_symlink())
            for file in files:
                if file.suffix in (".gz", ".pyc", ".so", ".png", ".a", ".o") or total > wanted / len(sets):
                    continue
                try:
                    text = file.read_text()
                except (UnicodeDecodeError, OSError):
                    continue
                if "\0" in text:
                    continue
                texts.append(text[:400_000])
                total += len(texts[-1])
        counts, examples = collections.Counter(), collections.defaultdict(list)
        for text, findings in zip(texts, scan(candor, texts)):
            for f in findings:
                counts[f["detector"]] += 1
                if len(examples[f["detector"]]) < 6:
                    raw = text.encode()
                    examples[f["detector"]].append(raw[max(0, f["begin"] - 40):f["end"] + 20].decode(errors="replace"))
        result[name] = (total, counts, examples)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candor", default=str(ROOT / "build/bin/candor"))
    parser.add_argument("--faker", default=str(ROOT / ".cache/dlp-quality/bin/python"))
    parser.add_argument("--per-class", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--show-misses", type=int, default=0, metavar="N", help="show N wrong ones of each kind")
    options = parser.parse_args()
    say = lambda text="": print(text, file=sys.stderr if options.json else sys.stdout)
    report = {}

    def show(title, scores):
        say(f"\n{title}")
        report[title] = {}
        for kind in sorted(scores):
            row = scores[kind].row()
            report[title][kind] = row
            say(f"  {kind:24} n {row['n']:5}  recall {row['recall']:.3f} [{row['recall_95'][0]:.3f}, {row['recall_95'][1]:.3f}]"
                f"  found {row['found']:5}  precision {row['precision']:.3f} [{row['precision_95'][0]:.3f}, {row['precision_95'][1]:.3f}]")
            for example in scores[kind].examples[:options.show_misses]:
                say(f"      {example}")

    data = pathlib.Path(os.environ.get("CANDOR_DATA", ROOT.parent / "shared/data"))
    if (data / "dlp").is_dir():
        for name, (scores, bad) in small(options.candor, data).items():
            show(f"small: {name} ({len(bad)} defective rows left out: {', '.join(map(str, sorted(bad)))})", scores)
    else:
        say(f"small: {data}/dlp is absent, left out")
    scores, each = generated(options.candor, options.faker, options.per_class)
    show("generated", scores)
    show("generated, national numbers apart", each)
    for name, (total, counts, examples) in distractors(options.candor).items():
        title = f"distractors: {name}, {total / 1e6:.1f} M characters; found per million"
        say("\n" + title)
        report[title] = {k: round(v * 1e6 / total, 2) for k, v in counts.items()}
        numbers = sum(v for k, v in counts.items() if kind_of(k) in ("card", "national", "ssn"))
        report[title]["cards and national numbers"] = round(numbers * 1e6 / max(total, 1), 2)
        say(f"  cards and national numbers together: {numbers * 1e6 / max(total, 1):.2f}")
        for detector, count in counts.most_common():
            say(f"  {detector:28} {count:6}  {count * 1e6 / total:8.2f}")
            for example in examples[detector][:options.show_misses]:
                say(f"      {example!r}")
    say("\nnot covered: names of people, places and organisations")
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
