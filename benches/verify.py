"""candor-verify over a whole log of 10 million entries (A21): every entry parsed, hashed and paired.

The log is synthetic and lawful (candor-make-log). Beside it, in the same run: SHA-256 of the same
bytes by sha256sum on all processors, which is less work; and the same log with one byte changed, which must fail.
"""

import os
import subprocess
import time

from lib import PROGRAMS, Scratch, arguments, finish, need, say, table


def timed(command, **more):
    begin = time.monotonic()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **more)
    return time.monotonic() - begin, done


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int)
    options = parser.parse_args()
    entries = options.entries or (200_000 if options.quick else 10_000_000)
    maker, verifier = PROGRAMS / "candor-make-log", PROGRAMS / "candor-verify"
    need(maker, verifier)
    with Scratch() as folder:
        log = folder / "log"
        log.mkdir()
        made_s, done = timed([maker, log, entries])
        if done.returncode != 0:
            raise SystemExit(f"bench: candor-make-log failed: {done.stderr}")
        command = [verifier, "log", log, "--log-key", log / "log.vkey", "--pin", log / "pin.json"]
        verify_s, right = timed(command)
        say("  " + "\n  ".join(right.stdout.strip().splitlines()[:6]))
        hash_s, _ = timed(["bash", "-c", f"find '{log}/tile' -type f -print0 | xargs -0 -n 2000 -P {os.cpu_count()} "
                           "sha256sum >/dev/null"])
        size = int(subprocess.run(["du", "-sb", str(log)], capture_output=True, text=True, check=True).stdout.split()[0])
        # One byte in the middle of the log.
        bundles = sorted((log / "tile/entries").rglob("*"))
        victim = [path for path in bundles if path.is_file()][len(bundles) // 2]
        bytes_ = bytearray(victim.read_bytes())
        bytes_[len(bytes_) // 2] ^= 1
        victim.chmod(0o600)
        victim.write_bytes(bytes_)
        _, wrong = timed(command)
    answers_right = right.returncode == 0 and wrong.returncode == 1
    result = {"benchmark": "verify", "entries": entries, "seconds": round(verify_s, 2), "bytes": size,
              "entries_per_s": round(entries / verify_s), "sha256sum_seconds": round(hash_s, 2),
              "ratio_to_sha256sum": round(verify_s / hash_s, 2), "make_seconds": round(made_s, 1),
              "changed_byte_found": wrong.returncode == 1, "answers_right": answers_right,
              "state": "true" if answers_right and entries >= 10_000_000 and verify_s < 60 else "partial"}
    table(["", "seconds", "entries/s", "GB/s"],
          [["candor-verify log", verify_s, entries / verify_s, f"{size / verify_s / 1e9:.2f}"],
           ["sha256sum of the same files", hash_s, entries / hash_s, f"{size / hash_s / 1e9:.2f}"]])
    if not answers_right:
        say(f"  WRONG: exit {right.returncode} for the right log, {wrong.returncode} for the changed one\n"
            f"{right.stdout[-800:]}{right.stderr[-400:]}")
    finish(result, options)


if __name__ == "__main__":
    main()
