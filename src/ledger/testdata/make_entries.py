#!/usr/bin/env python3
"""Known answers of docs/formats/entries.md, made without Candor: <type>.json is an entry's canonical
text, entries.txt its leaf hash, SHA-256(0x00 || text). For these values (ASCII keys and strings,
integers below 2^53) Python's sorted, separator-free JSON is RFC 8785.

usage: make_entries.py   (writes beside itself; the files are committed)
"""
import base64
import hashlib
import json
import pathlib

here = pathlib.Path(__file__).parent


def digest(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def ident(number):
    return bytes([number] * 16).hex()


AT = {"boot": ident(1), "mono_us": 4_000_000, "time_us": 1_767_225_604_000_000}
NAME = "candor/66687aadf862bd776c8fc18b8e9f8e20"
KEY = bytes(32)


def vkey(key):
    kind = b"\x01"
    key_id = hashlib.sha256(NAME.encode() + b"\n" + kind + key).digest()[:4]
    return f"{NAME}+{key_id.hex()}+{base64.b64encode(kind + key).decode()}"


PROVENANCE = {
    "adapters": [digest("adapter one"), digest("adapter two")],
    "chat_template": digest("template"),
    "engine": digest("engine"),
    "engine_basis": "measured",
    "model": "smollm2-135m/q4_1",
    "template_basis": "measured",
    "usage_basis": "declared",
    "weights": digest("weights"),
    "weights_basis": "measured",
}

POLICY = {
    "approved": False, "characters": 1234, "digest": digest("policy"), "effect": "redact",
    "exceptions": [ident(9)],
    "findings": [
        {"action": "redact", "class": "financial", "confidence": 95, "count": 2, "detector": "iban",
         "field": "messages/0/content"},
        {"action": "", "class": "personal.contact", "confidence": 80, "count": 1,
         "detector": "email", "field": "messages/1/tool_calls/0/arguments"},
    ],
    "groups": ["hr", "works-council"], "jurisdictions": ["EU"],
    "justified": True, "local": True, "messages": 2, "model": "smollm2", "network": "loopback", "purpose": "support",
    "rules": ["house.bank-data", "base.unmeasured"], "team": "hr", "tools": 1,
}

ENTRIES = {
    "start": {
        "continues": {"origin": "candor/0123", "root": digest("closed"), "size": "18446744073709551615"},
        "log_id": ident(2),
        "log_key": vkey(KEY),
        "machine_boot": "3f0f1a3e-5c2e-4a52-9d2e-0f3a5b6c7d8e",
        "mode": "service",
        "previous_root": base64.b64encode(hashlib.sha256(b"").digest()).decode(),
        "previous_size": "0",
        "version": "0.1.0",
    },
    "stop": {"reason": "signal"},
    "key_change": {"new_key": vkey(bytes([7] * 32)), "old_key": vkey(KEY), "overlap_until": "1000"},
    "clock_step": {"back_us": 9_007_199_254_740_991},
    "load": {
        "confinement": {
            "confined": True, "landlock_abi": 7, "memory_limit": True, "mount_namespace": False,
            "network_namespace": True, "no_new_privs": True, "pid_namespace": False, "seccomp": True,
        },
        "context": 8192, "cpu": digest("cpu"), "engine_build": "llama.cpp-v0.5.0",
        "kernel_probe": "passed", "load": ident(3), "model_probe": digest("probe"),
        "model_probe_result": "same", "parameters": digest("parameters"), "provenance": PROVENANCE,
        "slots": 4, "threads": 2, "weights_bytes": 98_362_432,
    },
    "unload": {"load": ident(3), "reason": "idle"},
    "intent": {
        "api": "openai.chat", "caller": "00112233445566778899aabbccddeeff",
        "caller_known_by": "api_key", "content": "sealed", "dropped_fields": 2, "exchange": ident(4),
        "forwarded": digest("forwarded"), "load": ident(3),
        "parameters": {
            "choices": 1, "logprobs": True, "max_tokens": 256, "seed": "18446744073709551615",
            "seed_by_caller": True, "stops": 1, "temperature": "0.7", "top_k": 40, "top_p": "0.95",
        },
        "provenance": PROVENANCE, "received": digest("received"), "received_bytes": 321,
        "repeatable": "best_effort", "stream": True,
    },
    "progress": {"exchange": ident(4), "intent_index": "6", "released_bytes": 4096},
    "outcome": {
        "cached_tokens": 0, "completion_tokens": 9, "exchange": ident(4), "finish": "stop",
        "first_token_us": 150_000, "intent_index": "6", "intent_leaf": digest("not really"),
        "produced": digest("produced"), "prompt_tokens": 25, "queued_us": 12,
        "released": digest("released"), "released_bytes": 4711, "result": "complete", "status": 200,
        "total_us": 900_000,
    },
    "abort": {"exchange": ident(4), "intent_index": "6", "intent_leaf": digest("not really"),
              "reason": "crash", "released_bytes": 4096},
    "refusal": {"api": "", "caller": "", "cause": "not_authenticated", "count": 17, "status": 401,
                "window_us": 60_000_000},
    "configuration": {"changed": ["listen", "models.default"], "digest": digest("configuration"),
                      "note": ident(5)},
    "erasure": {"act": ident(6), "actor": "ffeeddccbbaa99887766554433221100",
                "approver": "00000000000000000000000000000001",
                "caller": "00112233445566778899aabbccddeeff", "exchanges": [ident(4), ident(7)],
                "reason": digest("reason"), "scope": "caller"},
    "decision": {"api": "openai.chat", "caller": "00112233445566778899aabbccddeeff",
                 "caller_known_by": "api_key", "exchange": ident(4), "model": "smollm2-135m",
                 "phase": "request", "policy": POLICY, "stream": True},
    "policy": {"detectors": digest("detectors"), "digest": digest("policy"),
               "previous": digest("the policy before"), "rules": 12},
    "admin": {"act": ident(8), "actor": "ffeeddccbbaa99887766554433221100", "object": "key-1",
              "reason": digest("reason"), "result": "done", "verb": "key.create"},
}
# A second answer for a type: with what the first leaves out.
ENTRIES["decision.answer"] = ENTRIES["decision"] | {"intent_index": "6", "phase": "answer"}
ENTRIES["intent.policy"] = ENTRIES["intent"] | {"policy": POLICY}
ENTRIES["load.upstream"] = ENTRIES["load"] | {"cache": "not_assured", "engine_build": "upstream"}

lines = []
for name, fields in ENTRIES.items():
    entry = {"at": AT, "type": name.split(".")[0], "v": 1, **fields}
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    (here / f"{name}.json").write_text(text)
    lines.append(f"{name} {hashlib.sha256(bytes(1) + text.encode()).hexdigest()}\n")
(here / "entries.txt").write_text("".join(lines))

# What a type may hold besides, in a file of its own.
MORE = {"erasure-field": ("erasure", {"act": ident(9), "actor": "ffeeddccbbaa99887766554433221100", "caller": "",
                                      "exchanges": [ident(4)], "fields": ["messages/0/parts/0/text", "nonce"],
                                      "reason": digest("reason"), "scope": "field"})}
for name, (kind, fields) in MORE.items():
    text = json.dumps({"at": AT, "type": kind, "v": 1, **fields}, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    (here / f"{name}.json").write_text(text)
