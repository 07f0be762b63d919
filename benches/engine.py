"""Tokens per second behind everything against the bare engine (A23).

Same llama.cpp build, flags, threads, scheduling class and prompts, no prompt cache; 1, 4 and 16
streams. Both servers are up throughout, only one works at a time. A pair is A B B A: of two runs in
turn the first is some 4 % faster here, whichever side it is, and the order cancels that.
"""

import json
import os

from lib import (PROGRAMS, ROOT, TOOLS, Process, Scratch, answers, arguments, bootstrap_lower_bound, finish, free_port,
                 load, lower_bound, median, need, say, table)
from server import Candor

STREAMS = (1, 4, 16)
TOKENS = {1: 192, 4: 128, 16: 64}  # each stream's, so that a run takes two to five seconds
FIRSTS = 6                         # requests for each stream, two tokens each, to see the first one
MEMBERS = '"temperature":0,"seed":7,'
BARE_MEMBERS = MEMBERS + '"cache_prompt":false,'


def engine_process(candor_pid):
    """The running candor-engine below this monitor: its id and llama-server flags."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            words = open(f"/proc/{entry}/cmdline", "rb").read().split(b"\0")[:-1]
        except OSError:
            continue
        if not words or b"--control-fd" not in words or b"--" not in words:
            continue
        ancestor = int(entry)
        while ancestor > 1 and ancestor != candor_pid:
            try:
                status = open(f"/proc/{ancestor}/status", encoding="utf-8").read()
            except OSError:
                break
            ancestor = int(status.split("PPid:")[1].split()[0])
        if ancestor == candor_pid:
            return int(entry), [word.decode() for word in words[words.index(b"--") + 1:]]
    raise SystemExit("bench: the monitor has no candor-engine; is the model loaded?")


def same_class(pid):
    """A function for the child that gives it the scheduling class of process pid."""
    policy, parameter = os.sched_getscheduler(pid), os.sched_getparam(pid)
    nice = os.getpriority(os.PRIO_PROCESS, pid)

    def apply():
        os.sched_setscheduler(0, policy, parameter)
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    return apply, policy


def measure(side, streams, prompts, tokens, requests=1):
    address, members, more = side
    return load(address, connections=streams, requests=requests * streams, stream=True, max_tokens=tokens,
                members=members, prompts=prompts, **more)


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(ROOT / ".cache/models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    parser.add_argument("--streams", type=int, nargs="+", choices=STREAMS, help="only these")
    options = parser.parse_args()
    bare_binary = ROOT / "build/engine/bin/llama-server"
    need(PROGRAMS / "candor", bare_binary, TOOLS / "bench_load", options.model)
    count = options.pairs or (2 if options.quick else 12)
    levels = options.streams or (STREAMS[:2] if options.quick else STREAMS)
    result = {"benchmark": "engine", "model": os.path.basename(options.model), "pairs": count, "answers_right": True}
    rows, lowest = [], None
    with Scratch() as folder, Candor(folder / "candor", model=options.model, slots=16) as candor:
        load(candor.address, connections=1, requests=1, max_tokens=2, **candor.client)
        pid, flags = engine_process(candor.pid)
        apply, policy = same_class(pid)
        port = free_port()
        command = [bare_binary, "-m", options.model, "--host", "127.0.0.1", "--port", port, *flags]
        with Process(command, folder / "bare.log", environment={}, preexec=apply,
                     wait_for=answers(f"http://127.0.0.1:{port}/health")):
            say(f"flags of both: {' '.join(flags)}; scheduling class {policy}")
            sides = {"candor": (candor.address, MEMBERS, candor.client),
                     "bare": (f"tcp:127.0.0.1:{port}", BARE_MEMBERS, {})}
            for streams in levels:
                ratios, firsts = [], []
                speeds = {"candor": [], "bare": []}
                for i in range(count):
                    tokens, seconds, quick = ({side: [] for side in sides} for _ in range(3))
                    for turn, name in enumerate(("candor", "bare", "bare", "candor")):
                        prompts = f"{streams}/{i}/{turn // 2}"
                        run = measure(sides[name], streams, prompts, TOKENS[streams])
                        tokens[name].append(run["tokens"])
                        seconds[name].append(run["tokens"] / run["tokens_per_s"])
                        quick[name].append(measure(sides[name], streams, f"first {prompts}", 2, FIRSTS)["first_p50_us"])
                    if sum(tokens["candor"]) != sum(tokens["bare"]):
                        say(f"  not the same number of tokens: {tokens}")
                        result["answers_right"] = False
                    for name, values in speeds.items():
                        values.append(sum(tokens[name]) / sum(seconds[name]))
                    ratios.append(speeds["candor"][-1] / speeds["bare"][-1])
                    firsts.append((sum(quick["candor"]) - sum(quick["bare"])) / 2000)
                    say(f"  {streams} streams, pair {i + 1}: {speeds['candor'][-1]:.1f} against "
                        f"{speeds['bare'][-1]:.1f} tokens/s, ratio {ratios[-1]:.4f}; first token "
                        f"{sum(quick['candor']) / 2000:.2f} against {sum(quick['bare']) / 2000:.2f} ms, "
                        f"{firsts[-1]:+.2f}")
                row = {"tokens_per_s": median(speeds["candor"]), "bare_tokens_per_s": median(speeds["bare"]),
                       "ratio": round(median(ratios), 4), "lower_bound": round(lower_bound(ratios), 4),
                       "lower_bound_bootstrap": round(bootstrap_lower_bound(ratios), 4),
                       "first_token_added_ms": round(median(firsts), 3), "ratios": [round(r, 4) for r in ratios]}
                result[f"streams_{streams}"] = row
                result[f"first_token_added_ms_{streams}"] = row["first_token_added_ms"]
                rows.append([f"{streams} streams", row["tokens_per_s"], row["bare_tokens_per_s"], f"{row['ratio']:.4f}",
                             f"{row['lower_bound']:.4f}", f"{row['first_token_added_ms']:+.2f}"])
                if lowest is None or row["ratio"] < lowest["ratio"]:
                    lowest = row
    result["tokens_ratio_min"] = lowest["ratio"]
    result["tokens_ratio_lower_bound"] = min(result[f"streams_{s}"]["lower_bound"] for s in levels)
    result["bound_method"] = "one-sided 95 % bound of the median by order statistics (sign test)"
    result["state"] = "true" if (lowest["ratio"] >= 0.99 and result["tokens_ratio_lower_bound"] >= 0.97
                                 and result.get("first_token_added_ms_1", 99) <= 1 and result["answers_right"]
                                 and len(levels) == 3) else "partial"
    say()
    table(["", "candor tokens/s", "bare tokens/s", "ratio", "95 % lower bound", "first token ms"], rows)
    finish(result, options)


if __name__ == "__main__":
    main()
