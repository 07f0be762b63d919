#!/usr/bin/env python3
"""Known answers of docs/formats/commitments.md, made with Python's hmac and hashlib alone.

usage: make_commitments.py   (writes commitments-v1.json beside itself)
"""
import hashlib
import hmac
import json
import pathlib

here = pathlib.Path(__file__).parent
ROOT = bytes(range(32))
ID = bytes(range(100, 116))


def expand(key, info):  # HKDF-Expand, one block (RFC 5869 section 2.3)
    return hmac.new(key, info.encode() + b"\x01", hashlib.sha256).digest()


def u32(number):
    return number.to_bytes(4, "big")


def commitment(opening_key, name, path, text):
    opening = expand(opening_key, "candor/v1/field/" + path)
    message = (b"candor/v1/commitment\x00" + ID + u32(len(name)) + name.encode()
               + u32(len(path)) + path.encode() + text.encode())
    return hmac.new(opening, message, hashlib.sha256).digest()


def tree(leaves):  # RFC 9162 section 2.1.1
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:])).digest()


TRANSCRIPTS = {
    "request.received": [["messages/0/role", "user"],
                         ["messages/0/parts/0/text", "What is the capital of France?"],
                         ["parameters", "{\"stream\":true}"]],
    "answer.released": [["choices/0/text", "Paris \u2014 \u6771\u4eac \u043c\u0438\u0440 \U0001f680"],
                        ["choices/0/finish", "stop"]],
    "answer.produced": [],
    "note": [["reason", "asked by the person"]],
}
out = {"root": ROOT.hex(), "id": ID.hex(), "transcripts": []}
for name, fields in TRANSCRIPTS.items():
    key = expand(ROOT, "candor/v1/opening/" + name)
    values = [commitment(key, name, path, text) for path, text in fields]
    out["transcripts"].append({
        "name": name,
        "opening_key": key.hex(),
        "fields": [{"path": path, "text": text, "commitment": value.hex(),
                    "content_key": expand(ROOT, f"candor/v1/content/{name}/{path}").hex()}
                   for (path, text), value in zip(fields, values)],
        "commitment": tree(values).hex(),
    })
(here / "commitments-v1.json").write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
