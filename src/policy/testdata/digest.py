#!/usr/bin/env python3
"""The digest of a policy, from docs/formats/policy.md and nothing of Candor's code. usage: digest.py FILE.toml ..."""
import hashlib
import json
import sys
import tomllib


def both(value):
    if value is None:
        return {"de": "", "en": ""}
    return {"de": value, "en": value} if isinstance(value, str) else {"de": value["de"], "en": value["en"]}


policies = []
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        policy = tomllib.load(file)
    policies.append({"default": policy.get("default", "allow"), "jurisdiction": policy.get("jurisdiction", ""),
                     "policy": policy["policy"],
                     "rules": [{"break_glass": rule.get("break_glass", "approved"), "effect": rule["effect"], "id": rule["id"], "instead": both(rule.get("instead")),
                                "message": both(rule.get("message")), "references": rule.get("references", []),
                                "select": rule.get("select", ""), "to": rule.get("to", ""), "when": rule.get("when", "")}
                               for rule in policy.get("rule", [])]})
# Keys are ASCII and there are no numbers but 1, so this is RFC 8785.
text = json.dumps({"format": 1, "policies": policies}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
print(hashlib.sha256(text.encode()).hexdigest())
