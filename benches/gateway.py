"""What Candor adds to an upstream's latency, and how many requests it carries (A22).

Pairs of runs, candor and the disk's floor in turn (A B, B A, ...), each beside a direct run to the
canned upstream; then the ledger in memory; then 32 connections; then nginx and Go's httputil proxy;
then streams, event by event (streams.py).
"""

from lib import (PROGRAMS, ROOT, TOOLS, Process, Scratch, accepts, arguments, canned_upstream, finish,
                 free_port, load, lower_bound, median, need, run_json, say, table)
from rivals import httputil, nginx
from server import Candor, entry_sizes
from streams import streams_result

EXPECT = "is Paris"
RATE = 2000


def paced(connect, seconds, **more):
    return load(connect, rate=RATE, seconds=seconds, warmup=0.3, expect=EXPECT, **more)


def full(connect, seconds, **more):
    return load(connect, connections=32, seconds=seconds, warmup=0.5, body_bytes=1024, expect=EXPECT, **more)


def floor(folder, sizes, seconds, method="flush"):
    return run_json([TOOLS / "bench_append_floor", "--dir", folder, "--rate", RATE, "--seconds", seconds, "--warmup",
                     0.3, "--first", sizes[0], "--second", sizes[1], "--method", method])


def pairs_against_floor(candor, direct_to, folder, count, seconds):
    """The pairs and, apart from them, those whose floor was too unsteady to compare with."""
    sizes = entry_sizes(candor.data)
    good, apart = [], []
    for i in range(count):
        direct = paced(direct_to, 1)
        runs = {}
        for side in ("candor", "floor") if i % 2 == 0 else ("floor", "candor"):
            if side == "candor":
                runs[side] = paced(candor.address, seconds, **candor.client)
            else:
                runs[side] = floor(folder, sizes, seconds)
        pair = {"direct_p50_us": direct["p50_us"], "direct_p99_us": direct["p99_us"],
                "candor_p50_us": runs["candor"]["p50_us"], "candor_p99_us": runs["candor"]["p99_us"],
                "floor_p50_us": runs["floor"]["p50_us"], "floor_p99_us": runs["floor"]["p99_us"],
                "flush_p50_us": runs["floor"]["flush_p50_us"], "flush_p99_us": runs["floor"]["flush_p99_us"]}
        for p in ("p50", "p99"):
            pair[f"added_{p}_us"] = pair[f"candor_{p}_us"] - pair[f"direct_{p}_us"]
            pair[f"ratio_{p}"] = pair[f"added_{p}_us"] / pair[f"floor_{p}_us"]
        (good if pair["floor_p99_us"] <= 1000 else apart).append(pair)
        say(f"  pair {i + 1}: candor adds p50 {pair['added_p50_us']:.0f}, p99 {pair['added_p99_us']:.0f} us; floor "
            f"{pair['floor_p50_us']:.0f}, {pair['floor_p99_us']:.0f} us"
            + ("" if pair["floor_p99_us"] <= 1000 else "  (apart: the floor's p99 is above 1 ms)"))
    return sizes, good, apart


def memory_ledger(upstream, seconds, rounds):
    """Added latency with the data folder in memory: Candor's own time, without a disk."""
    with Scratch("/dev/shm") as folder, Candor(folder, upstream=upstream) as candor:
        paced(candor.address, 1, **candor.client)
        added = {"p50": [], "p99": []}
        for i in range(rounds):
            runs = {}
            for side in ("direct", "candor") if i % 2 == 0 else ("candor", "direct"):
                runs[side] = (paced(upstream, seconds) if side == "direct"
                              else paced(candor.address, seconds, **candor.client))
            for p, list_of in added.items():
                list_of.append(runs["candor"][p + "_us"] - runs["direct"][p + "_us"])
    return {p: median(values) for p, values in added.items()}


def throughput(candor, folder, seconds, rounds):
    """Closed loop, 32 connections, 1 KiB bodies, sealed content; the disk's flush is taken around it."""
    per_second, flushes = [], []
    for _ in range(rounds):
        flushes.append(floor(folder, (1500, 1000), 1)["flush_p50_us"])
        per_second.append(full(candor.address, seconds, **candor.client))
    return median([run["per_s"] for run in per_second]), median([run["p99_us"] for run in per_second]), median(flushes)


def rivals(folder, upstream, upstream_port, seconds, rounds):
    rows = {}
    for name, start in (("nginx", nginx), ("go_httputil", httputil)):
        port = free_port()
        process = start(folder, port, upstream_port)
        if process is None:
            say(f"  {name}: not to be had here; skipped")
            continue
        with process:
            address = f"tcp:127.0.0.1:{port}"
            paced(address, 0.5)
            p50, p99, per_second = [], [], []
            for _ in range(rounds):
                direct, through = paced(upstream, seconds), paced(address, seconds)
                p50.append(through["p50_us"] - direct["p50_us"])
                p99.append(through["p99_us"] - direct["p99_us"])
                per_second.append(full(address, seconds)["per_s"])
        rows[name] = {"added_p50_us": median(p50), "added_p99_us": median(p99), "requests_per_s_32": median(per_second)}
    return rows


def whole_streams(candor, upstream, seconds, rounds):
    """64 events a stream, 100 streams a second: what a reader of a stream notices."""
    first, whole = [], []
    for _ in range(rounds):
        options = {"rate": 100, "seconds": seconds, "warmup": 0.3, "expect": EXPECT, "stream": True}
        direct, through = load(upstream, **options), load(candor.address, **options, **candor.client)
        first.append(through["first_p50_us"] - direct["first_p50_us"])
        whole.append(through["p50_us"] - direct["p50_us"])
    return median(first), median(whole)


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--streams", action="store_true", help="only the streams")
    options = parser.parse_args()
    need(PROGRAMS / "candor", TOOLS / "bench_load", TOOLS / "bench_streams")
    if options.streams:
        finish({"benchmark": "gateway", "streams": streams_result(options.quick)}, options)
    count = options.pairs or (2 if options.quick else 20)
    seconds, rounds = (1, 1) if options.quick else (3, 5)
    with Scratch() as folder:
        upstream_process, upstream_port = canned_upstream(folder)
        upstream = f"tcp:127.0.0.1:{upstream_port}"
        with upstream_process:
            with Candor(folder / "candor", upstream=upstream) as candor:
                say(f"candor serve on {candor.address}, ledger on this disk; warming up")
                paced(candor.address, 1 if options.quick else 3, **candor.client)
                sizes, good, apart = pairs_against_floor(candor, upstream, folder, count, seconds)
                first_us, whole_us = whole_streams(candor, upstream, seconds, rounds)
                per_second, full_p99, flush = throughput(candor, folder, 2 if options.quick else 5, rounds)
                candor.verify()
            direct_full = median([full(upstream, 1)["per_s"] for _ in range(rounds)])
            memory = memory_ledger(upstream, seconds, rounds)
            others = rivals(folder, upstream, upstream_port, seconds, 1 if options.quick else 3)

    use = good or apart
    result = {
        "benchmark": "gateway", "rate_per_s": RATE, "pairs": len(good), "pairs_apart": len(apart),
        "entry_bytes": sizes,
        "added_p50_us": median([pair["added_p50_us"] for pair in use]),
        "added_p99_us": median([pair["added_p99_us"] for pair in use]),
        "floor_p50_us": median([pair["floor_p50_us"] for pair in use]),
        "floor_p99_us": median([pair["floor_p99_us"] for pair in use]),
        "flush_p50_us": median([pair["flush_p50_us"] for pair in use]),
        "added_p50_ratio": round(median([pair["ratio_p50"] for pair in use]), 3),
        "added_p99_ratio": round(median([pair["ratio_p99"] for pair in use]), 3),
        "added_over_floor_p50_us": median([pair["added_p50_us"] - pair["floor_p50_us"] for pair in use]),
        "apart_added_p50_ratio": round(median([pair["ratio_p50"] for pair in apart]), 3) if apart else None,
        "apart_added_p99_ratio": round(median([pair["ratio_p99"] for pair in apart]), 3) if apart else None,
        "memory_added_p50_us": memory["p50"], "memory_added_p99_us": memory["p99"],
        "stream_added_first_us": first_us, "stream_added_whole_us": whole_us,
        "requests_per_s_32": per_second, "requests_per_s_32_p99_us": full_p99, "requests_per_s_32_flush_p50_us": flush,
        "direct_requests_per_s_32": direct_full, "rivals": others, "all_pairs": good + apart,
    }
    result["bounds"] = {
        "added_p50": result["added_p50_ratio"] <= 1.3 or result["added_over_floor_p50_us"] <= 150,
        "added_p99": result["added_p99_ratio"] <= 2,
        "memory": memory["p50"] <= 150 and memory["p99"] <= 1000,
        "requests_per_s_32": per_second >= 10_000 or flush >= 1000,
        "enough_pairs": len(good) >= 5,
    }
    result["streams"] = streams_result(options.quick)
    result["bounds"] |= result["streams"]["bounds"]
    result["state"] = "true" if all(result["bounds"].values()) else "partial"
    say()
    table(["at 2,000 requests/s", "adds p50 us", "adds p99 us", "requests/s, 32 connections"],
          [["upstream itself", 0.0, 0.0, direct_full]]
          + [[name, row["added_p50_us"], row["added_p99_us"], row["requests_per_s_32"]] for name, row in others.items()]
          + [["floor: two appends in series", result["floor_p50_us"], result["floor_p99_us"], "-"],
             ["candor, ledger on disk", result["added_p50_us"], result["added_p99_us"], per_second],
             ["candor, ledger in memory", memory["p50"], memory["p99"], "-"]])
    say(f"  candor to floor: p50 {result['added_p50_ratio']}, p99 {result['added_p99_ratio']} "
        f"(medians of {len(good)} pairs; {len(apart)} apart); bounds {result['bounds']}")
    finish(result, options)


if __name__ == "__main__":
    main()
