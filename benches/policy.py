"""1,000 rules decided about one exchange (C20): Candor, cel-go and OPA on the same rules and facts in the same run.

Rules and facts come from a generator with a fixed seed, written once as CEL and once as Rego. What fires must be the
same everywhere. A second set of rules holds nothing that an index could use. The rivals need Go; without it, or
without the module proxy, they are left out and the result says so.
"""

import json
import random
import shutil
import subprocess

from lib import ROOT, TOOLS, Scratch, arguments, finish, need, say, table

TEAMS = [f"team-{i}" for i in range(40)]
GROUPS = [f"group-{i}" for i in range(60)]
MODELS = [f"model-{i}" for i in range(25)]
CLASSES = ["personal.contact", "personal.id", "personal.birth", "financial", "health", "secret", "network", "internal.label"]
DETECTORS = [f"detector-{i}" for i in range(150)]
PURPOSES = ["support", "recruitment", "credit-scoring", "research", "marketing", "legal", "treatment", "education"]
TOOLS_OFFERED = [f"tool-{i}" for i in range(30)]
COUNTRIES = ["DE", "FR", "GB", "US", "IN", "BR", "PL", "SE"]
DIALECTS = ["openai.chat", "openai.responses", "anthropic.messages", "ollama.chat"]


class Part:
    """One condition, in both languages."""

    def __init__(self, cel, rego):
        self.cel, self.rego = cel, rego


def equal(path, text):
    return Part(f'{path} == "{text}"', f'input.{path} == "{text}"')


def one_of(path, texts):
    listed = ", ".join(f'"{text}"' for text in texts)
    return Part(f"{path} in [{listed}]", f"input.{path} in {{{listed}}}")


def holds(path, text):
    return Part(f'"{text}" in {path}', f'"{text}" in input.{path}')


def above(path, number):
    return Part(f"{path} > {number}", f"input.{path} > {number}")


def begins(path, text):
    return Part(f'{path}.startsWith("{text}")', f'startswith(input.{path}, "{text}")')


def flag(path, wanted):
    return Part(path if wanted else f"!{path}", f"input.{path} == {str(wanted).lower()}")


def found(field, text, confidence):
    return Part(f'findings.exists(f, f.{field} == "{text}" && f.confidence > {confidence})',
                f'some f in input.findings; f.{field} == "{text}"; f.confidence > {confidence}')


def typical(rng):
    """A rule as organisations write them: about a team, a group, a kind of finding, a model, a tool, a country."""
    kind = rng.random()
    if kind < 0.3:
        parts = [equal("caller.team", rng.choice(TEAMS))]
    elif kind < 0.4:
        parts = [holds("caller.groups", rng.choice(GROUPS))]
    elif kind < 0.55:
        parts = [found("class", rng.choice(CLASSES), rng.randrange(100)), equal("caller.team", rng.choice(TEAMS))]
    elif kind < 0.7:
        parts = [found("detector", rng.choice(DETECTORS), rng.randrange(100))]
    elif kind < 0.8:
        parts = [one_of("model.name", rng.sample(MODELS, 2))]
    elif kind < 0.9:
        parts = [holds("request.tools", rng.choice(TOOLS_OFFERED))]
    elif kind < 0.97:
        parts = [equal("place.country", rng.choice(COUNTRIES)), equal("caller.purpose", rng.choice(PURPOSES))]
    else:
        parts = [above("budget.used_percent", rng.randrange(101)), begins("caller.name", f"user-{rng.randrange(10)}")]
    for more in range(rng.randrange(3)):
        parts.append([flag("request.stream", rng.random() < 0.5), above("request.max_tokens", rng.randrange(4096)),
                      flag("model.local", rng.random() < 0.5), above("request.messages", rng.randrange(20)),
                      equal("request.dialect", rng.choice(DIALECTS))][rng.randrange(5)])
    return parts


def unindexable(rng):
    """Numbers and prefixes alone, different in every rule."""
    return [above("request.max_tokens", rng.randrange(100_000)), begins("caller.name", f"user-{rng.randrange(500)}"),
            above("request.characters", rng.randrange(1_000_000))]


def make_rules(rng, count, maker):
    return [(f"r{i}", maker(rng)) for i in range(count)]


def make_facts(rng):
    return {
        "phase": rng.choice(["request", "answer"]),
        "caller": {"name": f"user-{rng.randrange(500)}", "team": rng.choice(TEAMS), "groups": rng.sample(GROUPS, rng.randrange(5)),
                   "method": "key", "purpose": rng.choice(PURPOSES)},
        "model": {"name": rng.choice(MODELS), "measured": rng.random() < 0.9, "local": rng.random() < 0.7},
        "request": {"dialect": rng.choice(DIALECTS), "stream": rng.random() < 0.6,
                    "tools": rng.sample(TOOLS_OFFERED, rng.randrange(4)), "messages": rng.randrange(1, 20),
                    "characters": rng.randrange(20_000), "max_tokens": rng.randrange(1, 4096)},
        "findings": [{"detector": rng.choice(DETECTORS), "class": rng.choice(CLASSES), "severity": "high",
                      "confidence": rng.randrange(101), "field": "messages/0/content", "direction": "request"}
                     for _ in range(rng.choice([0, 0, 1, 1, 2, 4]))],
        "place": {"country": rng.choice(COUNTRIES), "network": "private"},
        "jurisdiction": ["EU"],
        "budget": {"used_percent": rng.randrange(101)},
    }


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(member)}" for key, member in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def write(folder, rules, facts):
    """The files of each contestant."""
    rules_toml, cases, rivals = folder / "rules.toml", folder / "facts.cases.toml", folder / "input.json"
    whole = [(name, " && ".join(part.cel for part in parts)) for name, parts in rules]
    rules_toml.write_text('format = 1\npolicy = "bench"\n' + "".join(
        f"[[rule]]\nid = \"{name}\"\neffect = \"warn\"\nwhen = '{cel}'\nmessage = \"{name}\"\n" for name, cel in whole))
    cases.write_text("format = 1\n" + "".join(
        f"[[case]]\nname = \"{i}\"\ngiven = {toml(one)}\nexpect.effect = \"allow\"\n" for i, one in enumerate(facts)))
    rego = "package candor\n" + "".join(
        f'fired contains "{name}" if {{ {"; ".join(part.rego for part in parts)} }}\n' for name, parts in rules)
    rivals.write_text(json.dumps({"rules": [{"id": name, "when": cel} for name, cel in whole], "rego": rego, "facts": facts}))
    return rules_toml, cases, rivals


def build_rivals():
    """The program, or None and why."""
    if shutil.which("go") is None:
        return None, "no Go here"
    program = ROOT / ".cache" / "policy_rivals"
    done = subprocess.run(["go", "build", "-o", str(program), "."], cwd=ROOT / "benches" / "policy_rivals",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return (program, "") if done.returncode == 0 else (None, done.stdout.strip().splitlines()[-1])


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def candor(rules_toml, cases, rounds):
    done = subprocess.run([TOOLS / "bench_policy", rules_toml, cases, str(rounds)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def rival(program, which, input_json, rounds):
    done = subprocess.run([program, which, input_json, str(rounds)], stdout=subprocess.PIPE, check=True)
    result = json.loads(done.stdout)
    micros = result.pop("micros")
    return result | {"decisions": len(micros), "p50_us": percentile(micros, 0.5), "p99_us": percentile(micros, 0.99),
                     "p999_us": percentile(micros, 0.999)}


def main():
    options = arguments(__doc__.splitlines()[0]).parse_args()
    need(TOOLS / "bench_policy")
    program, why_not = build_rivals()
    if program is None:
        say(f"  the rivals were not built: {why_not}")
    rng = random.Random(20)
    facts = [make_facts(rng) for _ in range(100 if options.quick else 500)]
    rounds = 4 if options.quick else 100
    result = {"benchmark": "policy", "answers_right": True, "rivals": program is not None}
    rows = []
    for name, maker in (("typical", typical), ("unindexable", unindexable)):
        with Scratch() as folder:
            files = write(folder, make_rules(rng, 1000, maker), facts)
            runs = {"candor": candor(*files[:2], rounds)}
            if program is not None:
                for which in ("cel", "opa"):
                    runs[which] = rival(program, which, files[2], 1 if options.quick else 4)
        mine = runs["candor"]
        for who, run in runs.items():
            if run["fired"] != mine["fired"]:
                result["answers_right"] = False
                say(f"  WRONG: {who} decides otherwise than candor ({name})")
            title = {"candor": "candor", "cel": "cel-go", "opa": "OPA"}[who]
            rows.append([f"{name}: {title}", run["decisions"], f"{run['p50_us']:.2f}", f"{run['p99_us']:.2f}",
                         f"{run['p999_us']:.2f}", "-" if who == "candor" else f"{run['p99_us'] / mine['p99_us']:.0f}"])
            prefix = "" if name == "typical" else "unindexable_"
            prefix += "" if who == "candor" else f"{who}_"
            result |= {f"{prefix}{key}": round(run[key], 3) for key in ("p50_us", "p99_us", "p999_us", "prepare_s")}
        fired = [len(ids.split(",")) if ids else 0 for ids in mine["fired"]]
        result[f"{name}_rules_fired_mean"] = round(sum(fired) / len(fired), 2)
        result[f"{name}_unindexed"] = mine["unindexed"]
        if name == "typical" and not any(fired):
            result["answers_right"] = False
            say("  WRONG: no rule ever fired")
    result["rules"] = 1000
    result["state"] = "true" if result["p99_us"] < 20 and result["answers_right"] and program is not None else "partial"
    table(["1,000 rules, one decision", "decisions", "p50 us", "p99 us", "p99.9 us", "times candor's p99"], rows)
    finish(result, options)


if __name__ == "__main__":
    main()
