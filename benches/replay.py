"""Other rules over what the log holds of 100,000 decisions (C11): `candor policy replay`, seconds. The log is made by real
exchanges with a canned upstream, whose answers are checked; what the replay says of them is checked too."""
import json
import os
import subprocess
import time

from lib import PROGRAMS, TOOLS, Scratch, arguments, canned_upstream, finish, load, need, say, table
from server import Candor

RULES = """format = 1
policy = "{name}"

[[rule]]
id = "{name}.mail"
effect = "redact"
select = 'finding.detector == "email"'
message = "Addresses are masked."
"""
STRICTER = """
[[rule]]
id = "new.streams"
effect = "deny"
when = 'phase == "request" && !request.stream'
message = "Only streams."
"""


def main():
    options = arguments(__doc__).parse_args()
    need(PROGRAMS / "candor", TOOLS / "bench_load")
    wanted = 2_000 if options.quick else 100_000
    with Scratch() as folder:
        upstream, port = canned_upstream(folder)
        (folder / "old.toml").write_text(RULES.format(name="old"))
        (folder / "new.toml").write_text(RULES.format(name="new") + STRICTER)
        with upstream, Candor(folder / "candor", upstream=f"tcp:127.0.0.1:{port}",
                              settings=f'[policy]\npacks = []\nfiles = ["{folder / "old.toml"}"]\n') as candor:
            run = load(candor.address, connections=32, requests=wanted + 31, expect="is Paris", **candor.client)
            say(f"  {run['requests']} exchanges, {run['per_s']:.0f} a second")
            begun = time.monotonic()
            said = subprocess.run([PROGRAMS / "candor", "--config", candor.folder / "candor.toml", "--json", "policy", "replay", folder / "new.toml"],
                                  env={"PATH": os.environ["PATH"], "HOME": str(folder)}, capture_output=True, text=True, check=False)
            seconds = time.monotonic() - begun
            if said.returncode not in (0, 3):
                raise SystemExit(f"bench: {said.stderr}")
            result = json.loads(said.stdout)
            candor.verify()
    table(["", "exchanges", "seconds"], [["candor policy replay", result["exchanges"], f"{seconds:.1f}"]])
    finish({"exchanges": result["exchanges"], "seconds": seconds,
            "answers_right": result["exchanges"] >= wanted and result["different"] == result["exchanges"]}, options)


if __name__ == "__main__":
    main()
