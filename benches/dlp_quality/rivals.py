"""Presidio, LiteLLM's content filter, gitleaks and detect-secrets on the same texts in the same run, judged alike.

A rival is held to the classes that it covers. Candor is at least as good in a class where its F1 on the generated set is not
below the rival's and, for each class whose findings in packages are false, it finds no more of them in the distractors.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

from dlp_quality import distractors as nothing_there
from dlp_quality import environments
from dlp_quality.measure import judge, judge_whole_texts, labelled_secrets, presidio_research, write_texts
from lib import say, table

# Labels of each rival -> our kinds; national numbers with the number they stand for.
PRESIDIO = {"CREDIT_CARD": "card", "IBAN_CODE": "iban", "EMAIL_ADDRESS": "email", "IP_ADDRESS": "ip", "URL": "url", "PHONE_NUMBER": "phone",
            "MAC_ADDRESS": "mac", "CRYPTO": "wallet", "US_SSN": "ssn"}
PRESIDIO_NATIONAL = {"US_ITIN": ["us.itin"], "US_NPI": ["us.npi"], "UK_NHS": ["uk.nhs"], "UK_NINO": ["uk.nino"], "ES_NIF": ["es.dni"], "ES_NIE": ["es.nie"],
                     "IT_FISCAL_CODE": ["it.fiscal_code"], "IT_VAT_CODE": ["it.vat"], "PL_PESEL": ["pl.pesel"], "SG_NRIC_FIN": ["sg.nric"], "AU_ABN": ["au.abn"],
                     "AU_ACN": ["au.acn"], "AU_TFN": ["au.tfn"], "AU_MEDICARE": ["au.medicare"], "IN_PAN": ["in.pan"], "IN_AADHAAR": ["in.aadhaar"],
                     "IN_GSTIN": ["in.gstin"], "FI_PERSONAL_IDENTITY_CODE": ["fi.hetu"], "KR_RRN": ["kr.rrn"], "TH_TNIN": ["th.id"], "CA_SIN": ["ca.sin"],
                     "DE_TAX_ID": ["de.tax_id"], "SE_PERSONNUMMER": ["se.personal"], "TR_NATIONAL_ID": ["tr.identity"], "ZA_ID_NUMBER": ["za.id"]}
LITELLM = {"us_ssn": "ssn", "us_ssn_no_dash": "ssn", "email": "email", "us_phone": "phone", "br_phone_landline": "phone", "br_phone_mobile": "phone", "fr_phone": "phone",
           "uae_phone": "phone", "sg_phone": "phone", "visa": "card", "mastercard": "card", "amex": "card", "discover": "card", "credit_card": "card",
           "iban": "iban", "eu_iban_enhanced": "iban", "ipv4": "ip", "ipv6": "ip", "url": "url",
           **{name: "secret" for name in ("aws_access_key", "aws_secret_key", "github_token", "slack_token", "generic_api_key", "openai_api_key",
                                          "anthropic_api_key", "gemini_api_key")}}
LITELLM_NATIONAL = {"nl_bsn_contextual": ["nl.bsn"], "br_cpf": ["br.cpf"], "br_cpf_unformatted": ["br.cpf"], "br_cnpj": ["br.cnpj"], "au_tfn": ["au.tfn"],
                    "au_abn": ["au.abn"], "au_medicare": ["au.medicare"], "fr_nir": ["fr.nir"], "sg_nric": ["sg.nric"], "ca_sin": ["ca.sin"]}


def kinds_of(labels, national):
    return {**labels, **{label: "national" for label in national}}


class Rival:
    def __init__(self, name, version, kinds, national=(), floor=0.0):
        self.name, self.version, self.kinds, self.floor = name, version, kinds, floor
        self.covers = set(kinds.values())
        self.numbers = {number for numbers in dict(national).values() for number in numbers}

    def findings(self, raw, texts):
        """What was read, as judge() wants it: kinds of ours, places in bytes."""
        result = []
        for text, found in zip(texts, raw):
            ascii_only = text.isascii()
            place = (lambda at: at) if ascii_only else (lambda at: len(text[:at].encode()))
            kept = [f for f in found if f[2] in self.kinds and f[3] >= self.floor]
            result.append([{"kind": self.kinds[f[2]], "detector": f[2], "begin": place(f[0]), "end": place(f[1])} for f in kept])
        return result


def by_worker(python, name, labels=()):
    def read(texts):
        worker = str(pathlib.Path(__file__).with_name("rival_worker.py"))
        done = subprocess.run([python, worker, name], input=json.dumps({"texts": texts, "labels": sorted(labels)}), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"quality: {name}: {done.stderr[-800:]}")
        return json.loads(done.stdout)
    return read


def by_gitleaks(program):
    def read(texts):
        with tempfile.TemporaryDirectory() as folder:
            write_texts(folder, texts)
            report = pathlib.Path(folder).parent / (pathlib.Path(folder).name + ".json")
            try:
                done = subprocess.run([program, "dir", folder, "--no-banner", "--report-format", "json", "--report-path", str(report), "--exit-code", "0"],
                                      capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise SystemExit(f"quality: gitleaks: {done.stderr[-800:]}")
                leaks = json.loads(report.read_text() or "[]")
            finally:
                report.unlink(missing_ok=True)
        found = [[] for _ in texts]
        for leak in leaks:
            number = int(pathlib.Path(leak["File"]).stem)
            text = texts[number]
            lines = text.splitlines(keepends=True)
            start = sum(len(line) for line in lines[:leak["StartLine"] - 1])
            at = text.find(leak["Secret"], start)
            if at < 0:
                at = max(text.find(leak["Secret"]), 0)
            found[number].append([at, at + len(leak["Secret"]), leak["RuleID"], 1.0])
        return found
    return read


class Secrets(Rival):
    """A scanner whose every finding is a secret."""

    def __init__(self, name, version):
        super().__init__(name, version, {})
        self.covers = {"secret"}

    def findings(self, raw, texts):
        self.kinds = {f[2]: "secret" for found in raw for f in found}
        return super().findings(raw, texts)


def sides():
    """(reader, the rivals that its output is judged as); those that cannot be had are named and left out."""
    found, missing = [], []
    python = environments.rival("presidio")
    if python:
        kinds = kinds_of(PRESIDIO, PRESIDIO_NATIONAL)
        found.append((by_worker(python, "presidio", kinds), [Rival("Presidio", "2.2.366", kinds, PRESIDIO_NATIONAL),
                                                      Rival("Presidio, score 0.5 and more", "2.2.366", kinds, PRESIDIO_NATIONAL, 0.5)]))
    else:
        missing.append("Presidio")
    python = environments.rival("litellm")
    if python:
        found.append((by_worker(python, "litellm"), [Rival("LiteLLM's content filter", "1.110.2", kinds_of(LITELLM, LITELLM_NATIONAL), LITELLM_NATIONAL)]))
    else:
        missing.append("LiteLLM")
    program = environments.gitleaks()
    if program:
        found.append((by_gitleaks(program), [Secrets("gitleaks", environments.GITLEAKS)]))
    else:
        missing.append("gitleaks")
    python = environments.rival("detect-secrets")
    if python:
        found.append((by_worker(python, "detect-secrets"), [Secrets("detect-secrets", "1.5.0")]))
    else:
        missing.append("detect-secrets")
    return found, missing


def rows_for(rival, rows):
    """National numbers that the rival does not know are not asked of it."""
    return [number for number, row in enumerate(rows) if row["kind"] != "national" or row["detail"] in rival.numbers]


FALSE_IN_PACKAGES = ("card", "national", "ssn", "iban", "phone", "ip", "wallet", "mac")


def false_ones(kind, counts):
    """Of a class nobody of which stands in packages, everything found; else what the independent check refutes. Telephone
    numbers count as the former: the check is libphonenumber, which is Presidio's recogniser itself."""
    one = counts.get(kind, {"found": 0, "refuted": 0})
    return one["found"] if kind in ("card", "national", "ssn", "iban", "phone") else one["refuted"]


def slices(texts, wanted):
    """Evenly spread over the texts, not more than so many characters."""
    share = max(2_000, wanted // max(1, len(texts)))
    return [text[:share] for text in texts[:max(1, wanted // share)]]


def compare(python, data, rows, ours_found, sets, wanted_characters, read_ours, verdicts):
    found, missing = sides()
    result = {"missing": missing, "sides": {}}
    result["characters of distractors"] = sum(len(text) for name in sets for text in slices(sets[name], wanted_characters // len(sets)))
    for name in missing:
        say(f"rivals: {name} is not to be had here, left out")
    texts = [row["text"] for row in rows]
    everything = [text for name in sets for text in slices(sets[name], wanted_characters // len(sets))]
    ours_nothing = nothing_there.by_kind(nothing_there.checked(python, everything, read_ours(everything)))
    characters = sum(len(text) for text in everything)
    small_rows, _, small_kinds = presidio_research(data / "dlp/presidio-research") if (data / "dlp").is_dir() else ([], {}, [])
    secret_rows = labelled_secrets(data / "dlp/secrets")[0] if (data / "dlp").is_dir() else []
    lines = []
    for reader, judged in found:
        begin = time.monotonic()
        wanted = sorted({number for rival in judged for number in rows_for(rival, rows)})
        raw = dict(zip(wanted, reader([texts[number] for number in wanted])))
        raw_nothing = reader(everything)
        raw_small, raw_secrets = reader([row["text"] for row in small_rows]), reader([row["text"] for row in secret_rows])
        print(f"  ... {judged[0].name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
        for rival in judged:
            numbers = rows_for(rival, rows)
            part = [rows[number] for number in numbers]
            theirs, _ = judge(part, rival.findings([raw[number] for number in numbers], [texts[number] for number in numbers]), rival.covers)
            ours, _ = judge(part, [ours_found[number] for number in numbers], rival.covers)
            nothing = nothing_there.by_kind(nothing_there.checked(python, everything, rival.findings(raw_nothing, everything)))
            side = {"version": rival.version, "generated": {}, "false per million": {}}
            for kind in sorted(rival.covers):
                a, b = ours[kind], theirs[kind]
                if b.true == 0:
                    say(f"rivals: {rival.name} finds none of class {kind}: not covered")
                    continue
                mine, its = false_ones(kind, ours_nothing) * 1e6 / characters, false_ones(kind, nothing) * 1e6 / characters
                mine_any, its_any = ours_nothing.get(kind, {"found": 0})["found"] * 1e6 / characters, nothing.get(kind, {"found": 0})["found"] * 1e6 / characters
                side["generated"][kind] = {"candor": a.row(), "rival": b.row(), "f1": [round(a.f1(), 4), round(b.f1(), 4)]}
                side["false per million"][kind] = [round(mine, 2), round(its, 2)]
                good = a.f1() >= b.f1() and (mine <= its or kind not in FALSE_IN_PACKAGES)
                verdicts.add(f"at least as good as {rival.name}: {kind}", f"F1 {a.f1():.4f} and {b.f1():.4f}, false per million {mine:.2f} and {its:.2f}", "not worse", good)
                lines.append([f"{kind}: {rival.name}", a.true + a.missed, f"{a.recall():.3f} / {a.precision():.3f}", f"{b.recall():.3f} / {b.precision():.3f}",
                              f"{mine:.1f} of {mine_any:.1f}", f"{its:.1f} of {its_any:.1f}", "" if good else "WORSE"])
            if small_rows:
                scores, _ = judge(small_rows, rival.findings(raw_small, [row["text"] for row in small_rows]), rival.covers & set(small_kinds))
                side["presidio-research"] = {kind: score.row() for kind, score in scores.items()}
                if "secret" in rival.covers:
                    side["secrets"] = judge_whole_texts(secret_rows, rival.findings(raw_secrets, [row["text"] for row in secret_rows])).row()
            result["sides"][rival.name] = side
    say("rivals, on the same texts: generated set (recall / precision), distractors (false of all found, per million characters)")
    table(["class: beside", "n", "candor", "rival", "candor: false of found", "rival: false of found", ""], sorted(lines))
    return result
