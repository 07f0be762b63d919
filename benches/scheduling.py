"""Which scheduling class leaves the ledger's flushes alone while the engine works (A6).

The bare engine generates on every processor in SCHED_OTHER, SCHED_BATCH and SCHED_IDLE in turn, while
exchanges of two durable appends arrive at a steady rate. Idle costs nothing if the tokens stay.
"""

import os
import threading

from lib import (ROOT, TOOLS, Process, Scratch, answers, arguments, finish, free_port, load, median, need, run_json, say,
                 table)

CLASSES = {"other": os.SCHED_OTHER, "batch": os.SCHED_BATCH, "idle": os.SCHED_IDLE}


def appends(folder, seconds, rate):
    return run_json([TOOLS / "bench_append_floor", "--dir", folder, "--rate", rate, "--seconds", seconds])


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(ROOT / ".cache/models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    parser.add_argument("--rate", type=int, default=200)
    options = parser.parse_args()
    binary = ROOT / "build/engine/bin/llama-server"
    need(binary, TOOLS / "bench_load", options.model)
    rounds, seconds = (1, 2) if options.quick else (5, 6)
    runs = {name: [] for name in CLASSES}
    quiet = []
    with Scratch() as folder:
        servers, ports = [], {}
        for name, policy in CLASSES.items():
            ports[name] = free_port()

            def set_class(policy=policy):
                os.sched_setscheduler(0, policy, os.sched_param(0))
            servers.append(Process([binary, "-m", options.model, "--host", "127.0.0.1", "--port", ports[name], "-np", 4,
                                    "-c", 4096, "-t", os.cpu_count()], folder / f"{name}.log", preexec=set_class,
                                   wait_for=answers(f"http://127.0.0.1:{ports[name]}/health")))
        try:
            for i in range(rounds):
                quiet.append(appends(folder, seconds, options.rate))
                names = list(CLASSES)
                for name in names if i % 2 == 0 else reversed(names):
                    generated = {}

                    def generate(port=ports[name]):
                        generated.update(load(f"tcp:127.0.0.1:{port}", connections=4, seconds=seconds + 1.5, stream=True,
                                              max_tokens=64, prompts=f"s{i}",
                                              members='"temperature":0,"cache_prompt":false,'))
                    worker = threading.Thread(target=generate)
                    worker.start()
                    run = appends(folder, seconds, options.rate)
                    worker.join()
                    if not generated:
                        raise SystemExit(f"bench: the load on the {name} engine failed, see above")
                    run["tokens_per_s"] = generated["tokens_per_s"]
                    runs[name].append(run)
                    say(f"  round {i + 1}, {name}: exchange p50 {run['p50_us']:.0f}, p99 {run['p99_us']:.0f}; flush "
                        f"p99.9 {run['flush_p999_us']:.0f} us; {run['tokens_per_s']:.1f} tokens/s")
        finally:
            for server in servers:
                server.__exit__()
    keys = ("p50_us", "p99_us", "p999_us", "flush_p50_us", "flush_p99_us", "flush_p999_us")
    result = {"benchmark": "scheduling", "rate_per_s": options.rate, "rounds": rounds,
              "quiet": {key: median([run[key] for run in quiet]) for key in keys}}
    for name, list_of in runs.items():
        result[name] = {key: median([run[key] for run in list_of]) for key in (*keys, "tokens_per_s")}
    result["idle_to_other_p99"] = round(result["idle"]["p99_us"] / result["other"]["p99_us"], 3)
    result["idle_to_other_tokens"] = round(result["idle"]["tokens_per_s"] / result["other"]["tokens_per_s"], 3)
    say()
    table(["engine's class", "exchange p50 us", "p99", "p99.9", "flush p50", "p99", "p99.9", "tokens/s"],
          [[name, *(row[key] for key in keys), row.get("tokens_per_s", "-")]
           for name, row in [("(engine at rest)", result["quiet"]), *((n, result[n]) for n in CLASSES)]])
    finish(result, options)


if __name__ == "__main__":
    main()
