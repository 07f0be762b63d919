"""How well the detectors find what they say they find (C17), per class, with 95 % intervals (Wilson) and n, on three kinds of text.

small        ../shared/data/dlp (or CANDOR_DATA), without the rows that its label_defects.jsonl names; those are listed
generated    faker, schwifty, phonenumbers, python-stdnum: values in sentences, with and without separators; keys of the kinds
             that makers publish; and values that are nothing. Seeded, so a run repeats
distractors  logs, tables, code and prose of this machine's packages; each finding is put to an independent check

With --rivals Presidio, LiteLLM's content filter, gitleaks and detect-secrets read the same texts in the same run.
Exit code 1 where a target is missed. Python packages go to .cache/dlp-quality, each program to an environment of its own.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from dlp_quality import distractors as nothing_there
from dlp_quality import environments, rivals
from dlp_quality.measure import KINDS, candor_findings, judge, judge_whole_texts, labelled_secrets, presidio_research, whole_key
from lib import PROGRAMS, ROOT, arguments, machine, need, say, table

FIXED = ("card", "iban", "email", "ip", "ssn", "url", "national")  # a check digit or a fixed form
ALL = [*KINDS, "national"]


class Verdicts:
    """Each target with what was seen; a missed one decides the exit code."""

    def __init__(self):
        self.rows = []

    def add(self, what, seen, wanted, good):
        self.rows.append({"target": what, "seen": seen, "wanted": wanted, "met": bool(good)})

    def missed(self):
        return [row for row in self.rows if not row["met"]]


def rate(value, low_high):
    return "-" if value is None else f"{value:.3f} [{low_high[0]:.3f}, {low_high[1]:.3f}]"


def show_scores(title, scores, examples):
    say(title)
    rows = []
    for kind in sorted(scores):
        row = scores[kind].row()
        rows.append([kind, row["n"], rate(row["recall"], row["recall_95"]), row["found"], rate(row["precision"], row["precision_95"])])
    table(["class", "n", "recall", "found", "precision"], rows)
    for kind in sorted(scores):
        for example in scores[kind].examples[:examples]:
            say(f"    {kind}: {example}")
    return {kind: score.row() for kind, score in scores.items()}


def small(read, data, examples, verdicts):
    result = {}
    if not (data / "dlp").is_dir():
        say(f"small: {data}/dlp is absent, left out")
        return result
    rows, bad, kinds = presidio_research(data / "dlp/presidio-research")
    found = read([row["text"] for row in rows])
    scores, details = judge(rows, found, kinds)
    result["presidio-research"] = show_scores(f"small: presidio-research, {len(rows)} rows, {len(bad)} left out", scores, examples)
    result["presidio-research left out"] = bad
    forms = {form: score.row() for (kind, form), score in sorted(details.items()) if kind == "phone"}
    table(["telephone numbers", "n", "recall"], [[form, row["n"], rate(row["recall"], row["recall_95"])] for form, row in forms.items()])
    result["presidio-research phones"] = forms
    kept, bad_secrets = labelled_secrets(data / "dlp/secrets")
    found = read([row["text"] for row in kept])
    score = judge_whole_texts(kept, found)
    without = [(row, findings) for row, findings in zip(kept, found) if not whole_key(row)]
    result["secrets"] = show_scores(f"small: secrets, {len(kept)} rows, {len(bad_secrets)} left out (gitleaks' own rule tests)", {"secret": score}, examples)["secret"]
    result["secrets left out"] = bad_secrets
    result["secrets without whole keys"] = show_scores(f"small: the same without {len(kept) - len(without)} negatives that are whole keys by their makers' form",
                                                       {"secret": judge_whole_texts(*zip(*without))}, 0)["secret"]
    # The target stands for the rows whose label a reader of forms can agree with; both are shown.
    fair = result["secrets without whole keys"]
    verdicts.add("small: secrets: recall", fair["recall"], ">= 0.92", fair["recall"] >= 0.92)
    verdicts.add("small: secrets: precision without negatives that are whole keys", fair["precision"], ">= 0.90", fair["precision"] >= 0.90)
    for row in kept:
        if whole_key(row):
            say(f"    a whole key: {row['rule']}: {row['text'][:60]}")
    for name, rows_out in (("presidio-research", bad), ("secrets", bad_secrets)):
        for number, why in sorted(rows_out.items()):
            say(f"    left out: {name} row {number}: {why}")
    say()
    return result


def generated(read, python, per_class, seed, examples, verdicts):
    done = subprocess.run([python, str(pathlib.Path(__file__).with_name("dlp_quality") / "generate.py"), str(per_class), str(seed)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"quality: the generator failed: {done.stderr[-800:]}")
    made = json.loads(done.stdout)
    rows = [row | {"also": [kind for kind in ("url", "ip") if kind != row["kind"] and "://" in row["text"]], "spans": [] if row["kind"] == "none" else [(row["kind"], row["detail"], row["begin"], row["end"])]} for row in made["rows"]]
    found = read([row["text"] for row in rows])
    scores, details = judge(rows, found, ALL)
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    result = {"rows": len(rows), "seed": seed, "versions": made["versions"], "thrown away": made["refused"],
              "classes": show_scores(f"generated: {len(rows)} texts, {versions}", scores, examples)}
    for why, count in sorted(made["refused"].items()):
        say(f"    thrown away: {count} x {why}")
    say()
    say("generated: recall of each national number and each kind of secret")
    parts, weak = {}, []
    for (kind, detail), score in sorted(details.items()):
        if kind in ("national", "secret"):
            row = score.row()
            parts[f"{kind}: {detail}"] = row
            weak.append([f"{kind}: {detail}", row["n"], rate(row["recall"], row["recall_95"])])
            if score.missed:
                for example in score.examples[:examples]:
                    say(f"    {detail}: {example}")
    whole = [row for row in weak if row[2].startswith("1.000")]
    table([f"kind (recall 1 in {len(whole)} others)", "n", "recall"], [row for row in weak if row not in whole])
    result["kinds"] = parts
    result["kinds of national numbers"] = sum(kind == "national" for kind, _ in details)
    result["kinds of secrets"] = sum(kind == "secret" for kind, _ in details)
    result["forms"] = {f"{kind}: {detail}": score.row() for (kind, detail), score in details.items() if kind not in ("national", "secret")}
    for kind in FIXED:
        row = result["classes"][kind]
        verdicts.add(f"generated: {kind}: at least 500 values", row["n"], ">= 500", row["n"] >= min(500, per_class))
        verdicts.add(f"generated: {kind}: recall", row["recall"], ">= 0.98", row["recall"] >= 0.98)
        verdicts.add(f"generated: {kind}: precision", row["precision"], ">= 0.99", row["precision"] is not None and row["precision"] >= 0.99)
    for (kind, detail), score in sorted(details.items()):
        if kind == "national":
            verdicts.add(f"generated: {detail}: recall", round(score.recall(), 4), ">= 0.98", score.recall() >= 0.98)
    verdicts.add("generated: secrets: recall", result["classes"]["secret"]["recall"], ">= 0.92", scores["secret"].recall() >= 0.92)
    verdicts.add("generated: secrets: precision", result["classes"]["secret"]["precision"], ">= 0.90", scores["secret"].precision() >= 0.90)
    verdicts.add("generated: kinds of secrets", result["kinds of secrets"], ">= 100", result["kinds of secrets"] >= 100)
    return result, rows, found


def nothing_to_find(read, python, sets, examples, verdicts):
    result = {}
    for name, texts in sets.items():
        total = sum(len(text) for text in texts)
        counts = nothing_there.checked(python, texts, read(texts))
        kinds = nothing_there.by_kind(counts)
        million = lambda n: round(n * 1e6 / max(total, 1), 2)
        result[name] = {"characters": total, "found per million": {k: million(v["found"]) for k, v in kinds.items()},
                        "refuted per million": {k: million(v["refuted"]) for k, v in kinds.items()}}
        say(f"distractors: {name}, {total / 1e6:.1f} M characters in {len(texts)} texts")
        table(["class", "found", "per million", "refuted by the check", "per million", "no check"],
              [[kind, v["found"], f"{million(v['found']):.2f}", v["refuted"], f"{million(v['refuted']):.2f}", v["unchecked"]] for kind, v in sorted(kinds.items())])
        for (_, detector), one in sorted(counts.items()):
            for example in one["examples"][:examples]:
                say(f"    {detector} ({one['found']}): {example!r}")
        # Nobody's card or number stands in a package: all of them count as false, whatever the check says.
        numbers = sum(v["found"] for k, v in kinds.items() if k in ("card", "national", "ssn"))
        result[name]["cards and national numbers per million"] = million(numbers)
        verdicts.add(f"distractors: {name}: cards and national numbers per million characters", million(numbers), "< 50", million(numbers) < 50)
    total = sum(part["characters"] for part in result.values())
    verdicts.add("distractors: characters", total, ">= 10,000,000", total >= 10_000_000)
    return result


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--per-class", type=int, default=500, help="generated values of each class")
    parser.add_argument("--seed", type=int, default=20261126, help="of the generated set: another one draws other values")
    parser.add_argument("--characters", type=int, default=12_000_000, help="of distractors")
    parser.add_argument("--rivals", action="store_true", help="let the rivals read the same texts (some minutes more)")
    parser.add_argument("--rival-characters", type=int, default=2_000_000, help="of distractors that rivals read (Presidio reads some 0.1 MB/s)")
    parser.add_argument("--examples", type=int, default=0, metavar="N", help="show N wrong ones of each class")
    options = parser.parse_args()
    need(PROGRAMS / "candor")
    if options.quick:
        options.characters = min(options.characters, 2_000_000)
        options.rival_characters = min(options.rival_characters, 200_000)
    python = environments.generators()
    data = pathlib.Path(os.environ.get("CANDOR_DATA", ROOT.parent / "shared/data"))
    read = lambda texts: candor_findings(PROGRAMS / "candor", texts)
    verdicts = Verdicts()
    result = {"benchmark": "quality", "date": datetime.date.today().isoformat(), "not covered": ["names of people", "places", "organisations"]}
    result["small"] = small(read, data, options.examples, verdicts)
    result["generated"], rows, found = generated(read, python, options.per_class, options.seed, options.examples, verdicts)
    sets = nothing_there.collect(options.characters)
    result["distractors"] = nothing_to_find(read, python, sets, options.examples, verdicts)
    if options.rivals:
        result["rivals"] = rivals.compare(python, data, rows, found, sets, options.rival_characters, read, verdicts)
    say("not covered: names of people, places and organisations (they need a model)")
    result["targets"] = verdicts.rows
    missed = [row for row in verdicts.missed() if not (options.quick and "10,000,000" in row["wanted"])]
    say(f"targets: {len(verdicts.rows) - len(missed)} met, {len(missed)} missed")
    for row in missed:
        say(f"    MISSED {row['target']}: {row['seen']}, wanted {row['wanted']}")
    result["machine"] = machine()
    if options.json:
        print(json.dumps(result, separators=(",", ":"), ensure_ascii=False))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
