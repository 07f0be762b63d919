#!/usr/bin/env python3
"""Known answers of docs/formats/journal.md and key-table.md, byte by byte, without Candor.

usage: make_binary.py   (writes journal-v1.bin, key-slot-v1.bin and key-slot-erased-v1.bin beside itself)
"""
import hashlib
import pathlib

here = pathlib.Path(__file__).parent
PAGE = 4096


def sha(data):
    return hashlib.sha256(data).digest()


def pad(data):
    return data + bytes(-len(data) % PAGE)


def header(first, root, origin):
    page = b"CANDJRN1" + PAGE.to_bytes(4, "big") + bytes(4) + first.to_bytes(8, "big") + root
    page += len(origin).to_bytes(2, "big") + origin
    return pad(page + sha(page))


def aux(kind, state, payload):
    length = len(payload).to_bytes(4, "big")
    check = sha(b"candor/v1/aux\x00" + bytes([kind]) + length + payload)[:8]
    shown = payload if state == 1 else bytes(len(payload))
    return bytes([kind, state, 0, 0]) + length + check + shown


def batch(first, entries, head, records):
    part = b"".join(len(e).to_bytes(2, "big") + e for e in entries)
    extra = b"".join(records)
    start = b"CANDBAT1" + first.to_bytes(8, "big") + len(entries).to_bytes(4, "big")
    start += b"".join(len(p).to_bytes(4, "big") for p in (part, head, extra))
    return pad(start + sha(b"candor/v1/batch\x00" + start + part + head) + part + head + extra)


journal = header(7, bytes(range(32)), b"candor/66687aadf862bd776c8fc18b8e9f8e20")
journal += batch(7, [b"one", b"two"], b"head of nine", [aux(1, 1, b"slot"), aux(2, 2, b"sealed")])
journal += batch(9, [b"x" * 5000], b"head of ten", [])
journal += bytes(2 * PAGE)
(here / "journal-v1.bin").write_bytes(journal)


def slot(body):
    body += bytes(248 - len(body))
    return body + sha(b"candor/v1/slot\x00" + body)[:8]


ident, subject = bytes([4] * 16), bytes([9] * 16)
live = bytes([1, 1, 0, 1]) + ident + subject + (6).to_bytes(8, "big") + (3).to_bytes(4, "big")
live += bytes([72, 104]) + bytes([0xA1] * 72) + bytes([0xB2] * 104)
(here / "key-slot-v1.bin").write_bytes(slot(live))
(here / "key-slot-erased-v1.bin").write_bytes(slot(bytes([1, 2, 0, 1]) + ident))
