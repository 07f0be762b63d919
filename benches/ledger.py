"""Durable entries of 512 bytes from 64 writers (A21): Candor's ledger with Merkle tree, signed heads, the signer
process and publication, beside a raw group commit into a preallocated file (written and flushed; written past the
page cache), RocksDB's synced WAL and SQLite (WAL, FULL).

Turns alternate on one disk; each contestant's records are counted after its turn, Candor's log is verified whole.
"""

import json
import subprocess

from lib import PROGRAMS, TOOLS, Scratch, arguments, finish, need, say, table


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    program, signer = TOOLS / "bench_ledger", PROGRAMS / "candor-signer"
    need(program, signer)
    seconds, rounds = (0.5, 1) if options.quick else (options.seconds or 2.0, options.pairs or 5)
    with Scratch() as folder:
        done = subprocess.run([str(program), "--folder", str(folder), "--signer", str(signer), "--seconds", str(seconds),
                               "--rounds", str(rounds)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        say("  WRONG: a contestant failed or its answer was wrong (see above)")
        finish({"benchmark": "ledger", "answers_right": False, "state": "partial"}, options)
    result = json.loads(done.stdout)
    wanted = result["ratio_to_raw_group_commit"] >= 0.67 or (
        max(result["raw_per_s"], result["raw_direct_per_s"]) >= 150_000 and result["entries_per_s_64"] >= 100_000)
    result["state"] = "true" if wanted and result["ratio_to_rocksdb"] >= 2 else "partial"
    rows = [[name, result[f"{key}_per_s"], result[f"{key}_p50_us"], result[f"{key}_p99_us"], ratio]
            for name, key, ratio in (("raw group commit", "raw", result["ratio_to_raw"]),
                                     ("raw group commit, direct", "raw_direct", result["ratio_to_raw_direct"]),
                                     ("RocksDB, synced WAL", "rocksdb", result["ratio_to_rocksdb"]),
                                     ("SQLite, WAL, FULL", "sqlite", result["ratio_to_sqlite"]))]
    for row in rows:
        row[-1] = f"{row[-1]:.2f}"
    table(["64 writers, 512 bytes", "entries/s", "p50 us", "p99 us", "candor's ratio to it"],
          [["candor ledger", result["entries_per_s_64"], result["p50_us"], result["p99_us"], "-"], *rows])
    finish(result, options)


if __name__ == "__main__":
    main()
