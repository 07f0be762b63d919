#!/usr/bin/env python3
"""Candor under mixed clients for a long time while engines and monitors are killed and the disk fills up (B10).

Every exchange that a client began is then held against the exported log: one intent and one outcome or abort, or a refusal.
usage: .cache/venv/bin/python tests/soak/soak.py [--minutes 60] [--seed N] [--folder DIR] [--json]
Exit code 1 when anything disagrees. Disk-full episodes need the right to mount a tmpfs (root)."""
import argparse
import concurrent.futures
import dataclasses
import faulthandler
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
from callers import Anthropic, Gate, Hostile, Ollama, OpenAi, Raw, Sample  # noqa: E402
from records import Log, published_entries, reconcile  # noqa: E402
from server import Kept  # noqa: E402
from world import PATIENCE_S, World, flatness, schedule  # noqa: E402

# What a quiet monitor may hold more than it did at its first quiet moment: allocator and caches that fill slowly.
GROWTH_KIB = 6 * 1024
DESCRIPTORS = 6  # other than sockets: journal segments made ahead, an engine that was down at the first such moment
SOCKETS = 40  # listeners, signer, engine, and connections to engine and upstream that are kept for the next exchange


def clients(world, sample, think_s):
    gate = world.gate = Gate()
    common = {"server": world.server, "models": world.models, "gate": gate, "sample": sample, "think_s": think_s}
    kinds = [OpenAi, Anthropic, Ollama, Raw, Hostile] + [OpenAi, Anthropic, Ollama, Raw, Raw, Raw]
    for number, kind in enumerate(kinds):
        name = f"{kind.__name__.lower()}-{number}"
        world.callers.append(kind(name, key=world.server.json("key", "create", name)["key"], **common))
    world.callers.append(Raw("raw-unix", key=None, unix=True, **common))  # known by its user


def run(folder, seconds, seed=10, receipts=400, think_s=0.05, disk_mib=2048, say=print):
    begin = time.monotonic()
    world = World(folder, disk_mib)
    sample = Sample(receipts, seed)
    try:
        world.start()
        clients(world, sample, think_s)
        threading.Thread(target=world.watch, daemon=True).start()
        started = time.monotonic()
        for caller in world.callers:
            caller.start()
        world.gate.open.set()
        for moment, what in schedule(seconds, seed):
            while (left := started + moment - time.monotonic()) > 0:
                time.sleep(min(left, 0.5))
            world.befall(what)
            say(f"{time.monotonic() - started:7.1f} s  {what:8} {sum(len(c.seen) for c in world.callers):8} exchanges")
            world.failed()
        time.sleep(max(0, started + seconds - time.monotonic()))
        world.befall("quiet")
        world.gate.over.set()
        for caller in world.callers:
            caller.join(PATIENCE_S)
            assert not caller.is_alive(), f"{caller.name} hangs"
        world.failed()
        ran = time.monotonic() - started
        world.befall("quiet")
        return result(world, sample, ran) | {"total_s": round(time.monotonic() - begin)}
    finally:
        if world.gate:
            world.gate.over.set()
        world.close()


def result(world, sample, ran):
    server = world.server
    world.gate.open.clear()
    server.admin("POST", "/v1/publish", {})
    key = server.folder / "log.vkey"
    key.write_text(server.run("key", "log").stdout)
    world.end("stop")
    export = server.folder / "export"
    server.run("ledger", "export", export, timeout=PATIENCE_S)
    checked = server.run("log", export, "--log-key", key, program="candor-verify", code=None, timeout=PATIENCE_S)
    log = Log(published_entries(export))
    seen = [r for c in world.callers for r in c.seen]
    with (server.folder / "seen.jsonl").open("w") as file:  # beside the export: whoever doubts can compare again
        file.writelines(json.dumps(dataclasses.asdict(r)) + "\n" for r in [*world.lives, *seen])
    counts, problems = reconcile(seen, log, world.lives)
    problems += world.problems
    if checked.returncode != 0:
        problems.append("candor-verify log: " + checked.stdout + checked.stderr)
    verified, failed = verify(server, sample, export, key)
    problems += failed
    flat = flatness(world.quiet)
    if flat is None:
        problems.append("no run was measured twice")
    elif flat["growth_kib"] > GROWTH_KIB:
        problems.append(f"the monitor grew by {flat['growth_kib']} KiB: {flat['anon_kib']}")
    if flat and max(flat["files"]) > flat["files"][0] + DESCRIPTORS:
        problems.append(f"files: {flat['files']}: {[p['open'] for p in world.quiet]}")
    if flat and max(flat["sockets"]) > SOCKETS:
        problems.append(f"sockets without a client: {flat['sockets']}")
    befell = {}
    for what, took in world.befell:
        befell.setdefault(what, []).append(took)
    by_client = {c.name: len(c.seen) for c in world.callers}
    apis, statuses = {}, {}
    for record in seen:
        apis[record.api] = apis.get(record.api, 0) + 1
        statuses[str(record.status)] = statuses.get(str(record.status), 0) + 1
    return {"seconds": round(ran), "runs": len(world.lives), "killed": sum(life.killed for life in world.lives), "entries": log.entries,
            "counts": dict(sorted(counts.items())), "clients": by_client, "apis": apis, "statuses": statuses,
            "befell": {what: {"times": len(took), "longest_s": max(took)} for what, took in befell.items()},
            "receipts": {"offered": sample.offered, "verified": verified}, "quiet": world.quiet, "flat": flat,
            "greatest": {"rss_kib": max((s[1] for s in world.samples), default=0), "descriptors": max((s[2] for s in world.samples), default=0)},
            "problems": problems}


def verify(server, sample, export, key):
    """What clients kept, with candor-verify; and the head in it is one that the exported log extends."""
    failed = []

    def one(item):
        exchange, request, response = item
        kept = Kept(server, server.folder / "kept" / exchange, request, response, key=key)
        code, words = kept.verify()
        if code != 0:
            failed.append(f"the receipt of {exchange}: {words}")
        return code == 0

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return sum(pool.map(one, sample.kept)), failed


def table(found):
    flat, lines = found["flat"] or {}, []
    lines.append(f"soak: {found['seconds']} s, {found['runs']} runs of the monitor ({found['killed']} killed), {found['entries']} entries")
    lines += [f"  {name:48} {value:>9}" for name, value in found["counts"].items()]
    for name in ("apis", "statuses", "clients"):
        lines.append(f"{name}: " + ", ".join(f"{k} {v}" for k, v in sorted(found[name].items())))
    lines.append("befell: " + ", ".join(f"{what} {v['times']} (longest {v['longest_s']} s)" for what, v in found["befell"].items()))
    lines.append(f"receipts: {found['receipts']['verified']} verified of {found['receipts']['offered']} whole answers")
    if flat:
        lines.append(f"the longest run: {flat['seconds']} s and {flat['exchanges']} exchanges between {flat['measured']} quiet moments")
        lines.append(f"  monitor, anonymous memory KiB {flat['anon_kib']}")
        lines.append(f"  monitor, resident KiB {flat['rss_kib']}")
        lines.append(f"  signer, resident KiB {flat['signer_kib']}")
        lines.append(f"  descriptors: sockets {flat['sockets']}, others {flat['files']}")
    lines.append(f"greatest under load: {found['greatest']['rss_kib']} KiB resident, {found['greatest']['descriptors']} descriptors")
    lines += [f"PROBLEM {p}" for p in found["problems"][:40]]
    lines.append("every exchange is accounted for" if not found["problems"] else f"{len(found['problems'])} problems")
    return "\n".join(lines)


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--minutes", type=float, default=60)
    ask.add_argument("--seed", type=int, default=10)
    ask.add_argument("--receipts", type=int, default=400, help="how many to verify, at most")
    ask.add_argument("--think", type=float, default=0.05, help="mean pause of a client between two requests, in seconds")
    ask.add_argument("--folder", help="kept afterwards; default: a temporary one")
    ask.add_argument("--json", action="store_true")
    words = ask.parse_args()
    faulthandler.register(signal.SIGUSR1)  # where does it wait?
    with tempfile.TemporaryDirectory() as made:
        folder = words.folder or made
        os.makedirs(folder, exist_ok=True)
        found = run(folder, words.minutes * 60, words.seed, words.receipts, words.think, say=lambda t: print(t, file=sys.stderr, flush=True))
    print(json.dumps(found) if words.json else table(found))
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
