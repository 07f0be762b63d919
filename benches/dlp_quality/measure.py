"""Findings against labelled texts: kinds, places, rates with 95 % intervals. A finding counts where it is of the value's
kind and covers half of it or more; a finding is right where half of it or of the value is the other's.
"""

import collections
import json
import math
import pathlib
import re
import subprocess
import tempfile

KINDS = {  # kind -> how the ids of its detectors begin
    "card": ("card",), "iban": ("iban",), "email": ("email",), "ip": ("ipv4", "ipv6"), "ssn": ("us.ssn",), "url": ("url",),
    "phone": ("phone",), "mac": ("mac",), "bic": ("bic",), "birth": ("birth_date",), "wallet": ("wallet",), "secret": ("secret",),
}
NATIONAL = re.compile(r"^(uk|de|fr|it|es|pt|nl|be|lu|ch|at|ie|pl|se|fi|no|dk|ee|lv|lt|cz|ro|bg|hr|hu|si|gr|tr|ua|ru|us|ca|in|br|au|nz|za|il|cn|jp|kr|sg|hk|tw|th|mx|ar|cl)\.")
NOT_NATIONAL = ("us.aba_routing", "us.bank_account", "uk.sort_code", "us.mrn")


def kind_of(detector):
    for kind, starts in KINDS.items():
        if detector.startswith(starts) and not detector.startswith("card.cvv"):
            return kind
    return "national" if NATIONAL.match(detector) and not detector.startswith(NOT_NATIONAL) else detector


def interval(hits, n):
    """Wilson's 95 % interval."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n))


def write_texts(folder, texts):
    for number, text in enumerate(texts):
        pathlib.Path(folder, f"{number:06}.txt").write_bytes(text.encode())


def candor_findings(candor, texts):
    """For each text its findings, places in bytes of UTF-8."""
    with tempfile.TemporaryDirectory() as folder:
        write_texts(folder, texts)
        done = subprocess.run([candor, "scan", "--json", folder], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 10):
            raise SystemExit(f"quality: candor scan: exit {done.returncode}: {done.stderr[-800:]}{done.stdout[-400:]}")
        found = [[] for _ in texts]
        for one in json.loads(done.stdout)["findings"]:
            found[int(pathlib.Path(one["path"]).stem)].append(
                {"kind": kind_of(one["detector"]), "detector": one["detector"], "begin": one["begin"], "end": one["end"]})
        return found


class Score:
    def __init__(self):
        self.true = self.missed = self.good = self.false = 0
        self.examples = []

    def recall(self):
        n = self.true + self.missed
        return self.true / n if n else float("nan")

    def precision(self):
        m = self.good + self.false
        return self.good / m if m else float("nan")

    def f1(self):
        return 2 * self.true / max(1, 2 * self.true + self.missed + self.false)

    def row(self):
        rounded = lambda hits, n: [round(x, 4) for x in interval(hits, n)]
        n, m = self.true + self.missed, self.good + self.false
        return {"n": n, "recall": round(self.recall(), 4) if n else None, "recall_95": rounded(self.true, n), "found": m,
                "precision": round(self.precision(), 4) if m else None, "precision_95": rounded(self.good, m)}


def overlap(b, e, finding):
    return max(0, min(e, finding["end"]) - max(b, finding["begin"]))


def judge(rows, found, kinds):
    """rows: dictionaries with text, spans [(kind, detail, begin, end)] in characters; also: kinds that may be found in it as
    well, such as the address within a URL. Scores by kind, and by (kind, detail) for recall alone."""
    scores, details = collections.defaultdict(Score), collections.defaultdict(Score)
    for row, findings in zip(rows, found):
        text = row["text"]
        spans = [(kind, detail, len(text[:b].encode()), len(text[:e].encode())) for kind, detail, b, e in row["spans"]]
        for kind, detail, b, e in spans:
            if kind not in kinds:
                continue
            hit = any(f["kind"] == kind and overlap(b, e, f) * 2 >= e - b for f in findings)
            for score in (scores[kind], details[kind, detail]):
                score.true += hit
                score.missed += not hit
                if not hit:
                    score.examples.append(("missed", text.encode()[b:e].decode(errors="replace"), text[:160], [f["detector"] for f in findings]))
        for f in findings:
            kind = f["kind"]
            if kind not in kinds or kind in row.get("also", ()):
                continue
            right = any(k == kind and overlap(b, e, f) * 2 >= min(e - b, f["end"] - f["begin"]) for k, _, b, e in spans)
            scores[kind].good += right
            scores[kind].false += not right
            if not right:
                what = spans[0][0] + ": " + spans[0][1] if spans else "nothing"
                scores[kind].examples.append(("false, " + what, text.encode()[f["begin"]:f["end"]].decode(errors="replace"), text[:160], [f["detector"]]))
    return scores, details


def presidio_research(folder):
    """The rows that are kept, and those left out with the reason."""
    labels = {"CREDIT_CARD": "card", "IBAN_CODE": "iban", "EMAIL_ADDRESS": "email", "IP_ADDRESS": "ip", "US_SSN": "ssn",
              "PHONE_NUMBER": "phone", "DOMAIN_NAME": "url"}
    bad = defects(folder)
    rows = []
    for number, row in enumerate(json.loads((folder / "synth_dataset_v2.json").read_text())):
        for one in row["spans"]:
            if one["entity_type"] == "CREDIT_CARD" and one["entity_value"].startswith("35") and not 3528 <= int(one["entity_value"][:4]) <= 3589:
                bad[number] = f"CREDIT_CARD {one['entity_value']!r}: JCB issues 3528 to 3589 (ISO/IEC 7812)"
        if number in bad:
            continue
        spans = []
        for one in row["spans"]:
            if one["entity_type"] in labels:
                kind, b, e = labels[one["entity_type"]], one["start_position"], one["end_position"]
                spans.append((kind, phone_form(row["full_text"], b, e) if kind == "phone" else "", b, e))
        rows.append({"text": row["full_text"], "spans": spans})
    return rows, bad, sorted(set(labels.values()))


SAYS_PHONE = re.compile(r"phone|tel\b|call|fax|mobile|cell|dial|number|office|contact", re.IGNORECASE)


def phone_form(text, begin, end):
    """C17 keeps numbers with a country code or a word that names them apart from bare digits."""
    if text[begin:end].lstrip("(").startswith(("+", "00")):
        return "country code"
    return "named" if SAYS_PHONE.search(text[max(0, begin - 60):begin] + " " + text[end:end + 12]) else "bare digits"


def labelled_secrets(folder):
    """Rows are whole texts, positive or negative: a span of the whole text stands for "somewhere in it"."""
    bad = defects(folder)
    lines = (folder / "labelled_literals.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row for number, row in enumerate(rows) if number not in bad], bad


# Negatives of the set that are whole keys in the form that the makers publish: keys of Google's own examples, which gitleaks
# lists one by one, and a key of Mailchimp in a call. No reader of forms can tell them from others.
WHOLE_KEYS = re.compile(r"AIza[A-Za-z0-9_-]{35}|\b[0-9a-f]{32}-us[0-9]{1,2}\b")


def whole_key(row):
    return row["label"] == "negative" and WHOLE_KEYS.search(row["text"]) is not None


def judge_whole_texts(rows, found):
    score = Score()
    for row, findings in zip(rows, found):
        hit, positive = any(f["kind"] == "secret" for f in findings), row["label"] == "positive"
        score.true += hit and positive
        score.good += hit and positive
        score.missed += positive and not hit
        score.false += hit and not positive
        if hit != positive:
            score.examples.append(("false" if hit else "missed", row["rule"], row["text"][:160], [f["detector"] for f in findings]))
    return score


def defects(folder):
    """Row -> reason, of the rows that label_defects.jsonl names."""
    result = {}
    for line in (folder / "label_defects.jsonl").read_text().splitlines():
        one = json.loads(line)
        if "doc" in one:
            value = f"{one['type']} {one['value']!r}: " if "value" in one else ""
            result.setdefault(one["doc"], value + one["why"])
    return result
