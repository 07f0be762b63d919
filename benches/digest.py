#!/usr/bin/env python3
"""./bench digest: how fast a model is held against its passport, beside the limit that the machine sets and two programs that people use (D19).

A file of random bytes is read by
  candor passport verify --quick   every byte by its shards, on all processors; from the disk, and from the page cache
  sha256sum                        the whole file, on one processor
  model_signing verify             OpenSSF's reference, with a key (tests/e2e/setup.sh has it; else it is left out)
The others read from the page cache. The limit is the smaller of what the disk reads (O_DIRECT) and what OpenSSL's SHA-256 does on all
processors at once; what is held against it is the run from the disk. Each side runs in turn, several times; the best counts, since all else that runs here only makes it slower. Then one byte is changed, and all must notice.
"""
import hashlib
import json
import mmap
import multiprocessing
import os
import pathlib
import subprocess
import tempfile
import time

from lib import PROGRAMS, ROOT, arguments, finish, need, say, table

REFERENCE = ROOT / ".cache/clients/model-signing/bin/model_signing"
BLOCK = 1 << 20


def write_random(path, size):
    with path.open("wb") as file:
        for _ in range(size // BLOCK):
            file.write(os.urandom(BLOCK))
        file.flush()
        os.fsync(file.fileno())


def seconds(command, code=0):
    begin = time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    took = time.perf_counter() - begin
    if (done.returncode == 0) != (code == 0):
        raise SystemExit(f"bench: {command[0]} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return took


def disk_rate(path):
    """Bytes a second past the page cache."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    buffer = mmap.mmap(-1, 8 * BLOCK)  # aligned, as O_DIRECT wants it
    done, begin = 0, time.perf_counter()
    try:
        while read := os.readv(fd, [buffer]):
            done += read
    finally:
        os.close(fd)
    return done / (time.perf_counter() - begin)


def forget(path):
    """Out of the page cache."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def hash_for(duration, start, queue):
    block, done = os.urandom(8 * BLOCK), 0
    start.wait()
    begin = time.perf_counter()
    while time.perf_counter() < begin + duration:
        hashlib.sha256(block).digest()
        done += len(block)
    queue.put(done / (time.perf_counter() - begin))


def sha_rate(duration):
    """Bytes a second of OpenSSL's SHA-256, all processors together."""
    count = os.cpu_count()
    start, queue = multiprocessing.Barrier(count), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=hash_for, args=(duration, start, queue)) for _ in range(count)]
    for worker in workers:
        worker.start()
    rates = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    return sum(rates)


def main():
    options = arguments(__doc__.splitlines()[0]).parse_args()
    size, rounds = ((256 << 20), 2) if options.quick else ((2 << 30), 5)
    candor = PROGRAMS / "candor"
    need(candor)
    with tempfile.TemporaryDirectory(dir=os.environ.get("CANDOR_BENCH_FOLDER")) as made:
        folder = pathlib.Path(made)
        model = folder / "model.safetensors"
        write_random(model, size)
        key, public = folder / "key.pem", folder / "key.pub"
        seconds(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key])
        seconds(["openssl", "pkey", "-in", key, "-pubout", "-out", public])
        sides = {}
        seconds([candor, "passport", "make", model])
        sides["candor"] = [candor, "passport", "verify", model, "--quick", "--files-only"]
        sums = folder / "sums"
        sums.write_text(subprocess.run(["sha256sum", model], capture_output=True, text=True, check=True).stdout)
        sides["sha256sum"] = ["sha256sum", "--check", "--quiet", sums]
        passport = json.loads((folder / "model.safetensors.passport.json").read_text())
        if sums.read_text().split()[0] not in json.dumps(passport):
            raise SystemExit("bench: the passport's digest is not sha256sum's")
        if REFERENCE.exists():
            signature = folder / "model.sig"
            seconds([REFERENCE, "sign", "key", model, "--private_key", key, "--signature", signature])
            sides["model_signing"] = [REFERENCE, "verify", "key", model, "--public_key", public, "--signature", signature]
        else:
            say("  model_signing is left out: tests/e2e/setup.sh has not been run")
        rates = {name: 0.0 for name in sides}
        disk = sha = cold = 0.0
        for number in range(rounds):
            say(f"  ... round {number + 1} of {rounds}")
            disk, sha = max(disk, disk_rate(model)), max(sha, sha_rate(0.5 if options.quick else 2))
            forget(model)
            cold = max(cold, size / seconds(sides["candor"]))
            for name, command in sides.items():
                rates[name] = max(rates[name], size / seconds(command))
        with model.open("r+b") as file:
            file.seek(size // 2)
            byte = file.read(1)
            file.seek(size // 2)
            file.write(bytes([byte[0] ^ 1]))
        for command in sides.values():
            seconds(command, code=1)
    limit = min(disk, sha)
    table(["", "GB/s", "of the limit"],
          [["disk, past the cache", disk / 1e9, ""], ["SHA-256, all processors", sha / 1e9, ""],
           ["candor, from the disk", cold / 1e9, f"{cold / limit:.2f}"]] +
          [[name, rate / 1e9, f"{rate / limit:.2f}"] for name, rate in rates.items()])
    finish({"benchmark": "digest", "bytes": size, "disk_bytes_per_s": round(disk), "sha256_bytes_per_s": round(sha),
            "bytes_per_s": {name: round(rate) for name, rate in rates.items()}, "cold_bytes_per_s": round(cold), "ratio_to_limit": round(cold / limit, 3),
            "ratio_to_sha256": round(rates["candor"] / sha, 3),
            "ratio_to_sha256sum": round(rates["candor"] / rates["sha256sum"], 2),
            "ratio_to_model_signing": round(rates["candor"] / rates["model_signing"], 2) if "model_signing" in rates else None,
            "answers_right": True}, options)


if __name__ == "__main__":
    main()
