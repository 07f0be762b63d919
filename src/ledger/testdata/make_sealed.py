#!/usr/bin/env python3
"""Known answers of docs/formats/sealed.md, sealed-packs.md and receipt.md, byte by byte, without Candor.

usage: make_sealed.py   (writes sealed-v1.bin, pack-v1.bin, field-keys-v1.bin, receipt-v1.tlog-proof and sealed-v1.json beside
itself: one exchange, sealed, packed and proven). Needs `cryptography` from PyPI for ChaCha20-Poly1305 and
Ed25519; XChaCha20 (draft-irtf-cfrg-xchacha-03) is made of it here, and checked against the draft's answer.
"""
import base64
import hashlib
import json
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import make_commitments as c

here = pathlib.Path(__file__).parent


def canonical(value):  # RFC 8785 for what entries hold: no fractions, ASCII keys
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def b64(data):
    return base64.b64encode(data).decode()


def sha(data):
    return hashlib.sha256(data).digest()


# --- XChaCha20-Poly1305

def hchacha20(key, nonce):
    words = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))

    def quarter(i, j, k, m):
        for first, second, third, turn in ((i, j, m, 16), (k, m, j, 12), (i, j, m, 8), (k, m, j, 7)):
            words[first] = (words[first] + words[second]) & 0xFFFFFFFF
            mixed = words[third] ^ words[first]
            words[third] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for at in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                   (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(*at)
    return struct.pack("<8I", *words[:4], *words[12:])


def seal(key, nonce, text, context):
    return nonce + ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], text, context)


assert hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")).hex() == \
    "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"

# --- one exchange

SAME = "What is the capital of France?"  # in both transcripts, so it is sealed once
TRANSCRIPTS = {
    "request.received": [["model", "smollm2"], ["messages/0/role", "user"], ["messages/0/parts/0/text", SAME],
                         ["parameters", "{}"], ["nonce", "of-this-client"]],
    "request.forwarded": [["model", "smollm2"], ["messages/0/role", "user"], ["messages/0/parts/0/text", SAME],
                          ["parameters", "{\"max_tokens\":24,\"seed\":7}"]],
    "answer.produced": [["choices/0/content", "Paris \u2014 \u6771\u4eac"], ["choices/0/finish", "stop"]],
    "answer.released": [["choices/0/content", "Paris \u2014 \u6771\u4eac"], ["choices/0/finish", "stop"]],
}
NOT_KEPT = {("request.forwarded", "model")}  # as content mode none leaves a field


def opening_key(name):
    return c.expand(c.ROOT, "candor/v1/opening/" + name)


commitments = {name: [c.commitment(opening_key(name), name, path, text) for path, text in fields]
               for name, fields in TRANSCRIPTS.items()}
roots = {name: c.tree(values) for name, values in commitments.items()}


def named(text, width):
    return len(text).to_bytes(width, "big") + text.encode()


def record(names):
    out = b"CANDSEA1" + bytes([1, len(names), 0, 0]) + c.ID
    seen, count = {}, 0
    for t, name in enumerate(names):
        out += named(name, 1) + len(TRANSCRIPTS[name]).to_bytes(4, "big")
        for f, (path, text) in enumerate(TRANSCRIPTS[name]):
            out += named(path, 2) + commitments[name][f]
            if (name, path) in NOT_KEPT:
                out += b"\x00"
            elif text in seen and len(text.encode()) >= 16:
                out += b"\x02" + bytes([seen[text][0]]) + seen[text][1].to_bytes(4, "big")
            else:
                seen[text] = (t, f)
                count += 1
                context = b"candor/v1/sealed\x00" + c.ID + named(name, 4) + named(path, 4)
                sealed = seal(c.expand(c.ROOT, f"candor/v1/content/{name}/{path}"), bytes([count] * 24),
                              text.encode(), context)
                out += b"\x01" + len(sealed).to_bytes(4, "big") + sealed
    return out


request, answer = record(["request.received", "request.forwarded"]), record(["answer.produced", "answer.released"])
(here / "sealed-v1.bin").write_bytes(request)


def packed(ident, state, payload):
    shown = payload if state == 1 else bytes(len(payload))
    return len(payload).to_bytes(4, "big") + bytes([state, 0, 0, 0]) + ident + shown


pack = b"CANDPAK1" + (1767225600000000).to_bytes(8, "big") + bytes(16)
pack += packed(c.ID, 1, request) + packed(bytes([7] * 16), 2, b"erased content") + packed(c.ID, 1, answer)
pack += (4096).to_bytes(4, "big") + bytes([1, 0, 0, 0]) + bytes([8] * 16) + b"torn by a crash"
(here / "pack-v1.bin").write_bytes(pack)

# --- what is left of the root when one field is erased (field-keys.md)

ERASED = "messages/0/parts/0/text"
FIELD_KEY = bytes(range(32, 64))
left = [(name, path) for name in TRANSCRIPTS for path, _ in TRANSCRIPTS[name] if path != ERASED]
plain = len(left).to_bytes(4, "big")
for name, path in left:
    plain += named(name, 2) + named(path, 2) + c.expand(c.ROOT, f"candor/v1/content/{name}/{path}")
    plain += c.expand(opening_key(name), "candor/v1/field/" + path)
(here / "field-keys-v1.bin").write_bytes(
    b"CANDFLD1" + bytes([1, 0, 0, 0]) + c.ID + seal(FIELD_KEY, bytes([77] * 24), plain, b"candor/v1/fields\x00" + c.ID))

# --- the log around it, and the receipt

INTENT_INDEX, OUTCOME_INDEX = 3, 5
intent = json.loads((here / "intent.json").read_text())
intent |= {"exchange": c.ID.hex(), "received": b64(roots["request.received"]), "forwarded": b64(roots["request.forwarded"])}
intent = canonical(intent)
outcome = json.loads((here / "outcome.json").read_text())
outcome |= {"exchange": c.ID.hex(), "intent_index": str(INTENT_INDEX), "intent_leaf": b64(sha(b"\x00" + intent.encode())),
            "produced": b64(roots["answer.produced"]), "released": b64(roots["answer.released"])}
outcome = canonical(outcome)
leaves = [b"entry 0", b"entry 1", b"entry 2", intent.encode(), b"entry 4", outcome.encode(), b"entry 6"]


def path(index, entries):  # RFC 9162 section 2.1.3.1
    if len(entries) == 1:
        return []
    k = 1
    while 2 * k < len(entries):
        k *= 2
    if index < k:
        return path(index, entries[:k]) + [c.tree(entries[k:])]
    return path(index - k, entries[k:]) + [c.tree(entries[:k])]


private = Ed25519PrivateKey.from_private_bytes(bytes(range(200, 232)))
public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
origin = "candor/" + sha(public).hex()[:32]
key_id = sha(origin.encode() + b"\n\x01" + public)[:4]
log_key = f"{origin}+{key_id.hex()}+" + b64(b"\x01" + public)
head = f"{origin}\n{len(leaves)}\n{b64(c.tree(leaves))}\n"
checkpoint = f"{head}\n\u2014 {origin} {b64(key_id + private.sign(head.encode()))}\n"


def opening(name):
    return {"fields": [[p, b64(value)] for (p, _), value in zip(TRANSCRIPTS[name], commitments[name])],
            "key": b64(opening_key(name))}


extra = canonical({
    "v": 1, "outcome": outcome, "intent": intent, "intent_index": str(INTENT_INDEX),
    "intent_proof": [b64(h) for h in path(INTENT_INDEX, leaves)],
    "openings": {name: opening(name) for name in ("request.received", "answer.released")},
    "nonce": "of-this-client", "log_key": log_key})
lines = ["c2sp.org/tlog-proof@v1", "extra " + b64(extra.encode()), f"index {OUTCOME_INDEX}"]
lines += [b64(h) for h in path(OUTCOME_INDEX, leaves)]
(here / "receipt-v1.tlog-proof").write_text("\n".join(lines) + "\n\n" + checkpoint)

(here / "sealed-v1.json").write_text(json.dumps({
    "root": c.ROOT.hex(), "id": c.ID.hex(), "field_key": FIELD_KEY.hex(), "erased": ERASED, "log_key": log_key, "intent": intent, "outcome": outcome,
    "not_kept": [list(field) for field in NOT_KEPT],
    "transcripts": {name: {"fields": fields, "commitment": roots[name].hex()} for name, fields in TRANSCRIPTS.items()},
}, indent=1, ensure_ascii=False) + "\n")
