"""What Candor adds to each event of a stream, beside nginx; how many events it carries; what a connection costs (B11).

Events carry their number and the moment the upstream wrote them, so each one's delay is measured at its receipt, and none can be
missing or out of order unnoticed."""

import json
import pathlib
import resource
import subprocess

from lib import TOOLS, Scratch, canned_upstream, free_port, median, run_json, say, table
from rivals import nginx
from server import Candor

STREAMS, PACE_US, EVENTS = 32, 20_000, 100
MANY = 1000


def run(address, events, client=(), **options):
    command = [TOOLS / "bench_streams", "--connect", address, "--events", events, *client]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-")] + ([] if value is True else [value])
    done = run_json(command)
    assert done["wrong"] == 0 and done["lost"] == 0, done
    return done


LAWFUL = ("--model", "bench", "--receipt")


def added_to_events(folder, seconds, rounds):
    """Direct, through nginx and through Candor in turn, the order turned each round."""
    process, port = canned_upstream(folder / "paced", "--stamp", "--events", EVENTS, "--pace-us", PACE_US)
    direct = f"tcp:127.0.0.1:{port}"
    rows, found = [], {}
    with process, Candor(folder / "candor", upstream=direct) as candor:
        sides = {"direct": (direct, ()), "candor": (candor.address, LAWFUL)}
        proxy_port = free_port()
        proxy = nginx(folder, proxy_port, port)
        if proxy is None:
            say("  nginx: not to be had here; skipped")
        else:
            sides["nginx"] = (f"tcp:127.0.0.1:{proxy_port}", ())
        options = {"connections": STREAMS, "spread_us": PACE_US // STREAMS, "seconds": seconds, "warmup": 0.5}
        for address, client in sides.values():
            run(address, EVENTS, client, **options | {"seconds": 1})
        for number in range(rounds):
            order = list(sides)[number % len(sides):] + list(sides)[:number % len(sides)]
            rows.append({side: run(sides[side][0], EVENTS, sides[side][1], **options) for side in order})
        if proxy is not None:
            proxy.__exit__()
        candor.verify()
    for side in sides:
        found[side] = {f"{p}_us": median([row[side][f"{p}_us"] for row in rows]) for p in ("p50", "p99")}
        if side != "direct":
            found[side] |= {f"added_{p}_us": median([row[side][f"{p}_us"] - row["direct"][f"{p}_us"] for row in rows])
                            for p in ("p50", "p99")}
        found[side]["events"] = sum(row[side]["events"] for row in rows)
    found["rounds"] = [{side: {p: row[side][p + "_us"] for p in ("p50", "p99", "max")} for side in row} for row in rows]
    return found


def carried(folder, seconds, rounds):
    """As fast as they come, 8 connections."""
    process, port = canned_upstream(folder / "fast", "--stamp", "--events", 512)
    direct = f"tcp:127.0.0.1:{port}"
    per_second = {}
    with process, Candor(folder / "candor-fast", upstream=direct) as candor:
        sides = {"direct": (direct, ()), "candor": (candor.address, LAWFUL)}
        proxy_port = free_port()
        (folder / "of-nginx").mkdir()
        if proxy := nginx(folder / "of-nginx", proxy_port, port):
            sides["nginx"] = (f"tcp:127.0.0.1:{proxy_port}", ())
        for _ in range(rounds):
            for side, (address, client) in sides.items():
                done = run(address, 512, client, connections=8, seconds=seconds, warmup=0.3)
                per_second.setdefault(side, []).append(done["events_per_s"])
        if proxy:
            proxy.__exit__()
        candor.verify()
    return {side: median(values) for side, values in per_second.items()}


def anonymous_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise SystemExit("bench: no RssAnon in /proc")


def while_held(candor, *options):
    """Memory of the monitor before, and once all connections of bench_streams are under way; and what it printed at its end."""
    before = anonymous_kib(candor.pid)
    command = [TOOLS / "bench_streams", "--connect", candor.address, "--connections", MANY, *options]
    child = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if child.stdout.readline() != "all\n":
        raise SystemExit(f"bench: {MANY} connections were not under way at once")
    during = anonymous_kib(candor.pid)
    child.stdin.close()
    rest = child.stdout.read()
    if child.wait() != 0:
        raise SystemExit("bench: a stream was wrong")
    return (during - before) / MANY, json.loads(rest) if rest else None


def many(folder, quick):
    """1,000 idle connections to one monitor; 1,000 streams at once through another, each event once and in order."""
    events = 12 if quick else 40
    process, port = canned_upstream(folder / "many", "--stamp", "--events", events, "--pace-us", 250_000)
    upstream = f"tcp:127.0.0.1:{port}"
    with process:
        with Candor(folder / "candor-idle", upstream=upstream) as candor:
            run(candor.address, events, LAWFUL, connections=8, once=True)
            idle, _ = while_held(candor, "--idle")
        with Candor(folder / "candor-active", upstream=upstream) as candor:
            run(candor.address, events, LAWFUL, connections=8, once=True)
            active, done = while_held(candor, *LAWFUL, "--events", events, "--once", "--spread-us", 1500)
            candor.verify()
    return {"idle_kib": idle, "active_kib": active, "streams": done["streams"], "events": done["events"], "lost": done["lost"],
            "wrong": done["wrong"], "p50_us": done["p50_us"], "p99_us": done["p99_us"], "events_per_s": done["events_per_s"]}


def streams_result(quick):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Scratch() as folder:
        say(f"streams: {STREAMS} at {PACE_US // 1000} ms an event")
        paced = added_to_events(folder, 1 if quick else 3, 1 if quick else 9)
        fast = carried(folder, 1 if quick else 2, 1 if quick else 5)
        thousand = many(folder, quick)
    candor, rival = paced["candor"], paced.get("nginx")
    bounds = {"stream_p50": rival is not None and candor["added_p50_us"] <= rival["added_p50_us"],
              "stream_p99": candor["added_p99_us"] <= 1000,
              "stream_thousand": thousand["streams"] == MANY and thousand["lost"] == 0 and thousand["wrong"] == 0}
    say()
    table(["32 streams, 20 ms an event", "delay p50 us", "p99 us", "adds p50 us", "adds p99 us", "events/s, 8 connections"],
          [[side, paced[side]["p50_us"], paced[side]["p99_us"], paced[side].get("added_p50_us", 0.0), paced[side].get("added_p99_us", 0.0),
            fast[side]] for side in ("direct", "nginx", "candor") if side in paced])
    say(f"  memory of the monitor: {thousand['idle_kib']:.1f} KiB an idle connection, {thousand['active_kib']:.1f} KiB a stream under way")
    say(f"  {thousand['streams']} streams at once: {thousand['events']} events, {thousand['lost']} lost, {thousand['wrong']} streams wrong; "
        f"delay p50 {thousand['p50_us']:.0f}, p99 {thousand['p99_us']:.0f} us; bounds {bounds}")
    return {"paced": paced, "events_per_s_8": fast, "thousand": thousand, "bounds": bounds}
