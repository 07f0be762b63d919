"""What a person waits for (B12): from starting the server to its first answered request, with the model cold and in the page
cache; switching to another model; the next answer after the engine was killed. Beside bare llama-server and Ollama.

Each side gets the same file, question and context and is asked over the API that all of them speak, again and again from the
moment it is started, until it answers. The sides take turns within each round.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from engine import engine_process
from lib import PROGRAMS, ROOT, Process, Scratch, arguments, finish, free_port, median, need, say, table

QUESTION = "What is the capital of France? Answer in one sentence."
CONTEXT = 4096
SLOTS = 4


def ask(port, model, seconds=120):
    """Asks until there is an answer; its text."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 12})
    end = time.monotonic() + seconds
    last = "nothing"
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        try:
            connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            text = reply.read()
            if reply.status == 200:
                return json.loads(text)["choices"][0]["message"]["content"]
            last = text[:300]
        except (OSError, http.client.HTTPException) as error:
            last = repr(error)
        finally:
            connection.close()
        time.sleep(0.002)
    raise SystemExit(f"bench: no answer within {seconds} s; the last one was {last}")


def timed(work):
    begin = time.monotonic()
    answer = work()
    taken = 1000 * (time.monotonic() - begin)
    if "Paris" not in answer:
        raise SystemExit(f"bench: a wrong answer: {answer!r}")
    return taken


def out_of_page_cache(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    done = subprocess.run(["fincore", "--bytes", "--noheadings", "--output", "RES", path], capture_output=True, text=True, check=True)
    if int(done.stdout) > 0:
        raise SystemExit(f"bench: {done.stdout.strip()} bytes of {path} stayed in the page cache")


def into_page_cache(path):
    with open(path, "rb") as file:
        while file.read(1 << 22):
            pass


class Candor:
    """A data folder that has served before, so that what is done once for each build (the kernel probe) is done."""

    name, models = "candor", ("one", "two")

    def __init__(self, folder, files):
        self.folder, self.files = folder, files
        self.port = free_port()
        data = folder / "data"
        data.mkdir(parents=True, mode=0o700)
        budget = 1.5 * os.path.getsize(files[0])  # one of the two fits, so that the other has to go
        lines = [f'data_dir = "{data}"', f'[listen]\naddress = "127.0.0.1:{self.port}"', '[log]\nlevel = "warning"',
                 f'[engine]\nmemory_budget = "{int(budget)}B"']
        for name, file in zip(self.models, files):
            lines.append(f'[[model]]\nname = "{name}"\npath = "{file}"\ncontext = {CONTEXT}\nslots = {SLOTS}\n'
                         f'memory = "{os.path.getsize(file)}B"')
        self.config = folder / "candor.toml"
        self.config.write_text("\n".join(lines) + "\n")
        # On a busy machine an idle engine starves; CANDOR_ENGINE_SCHEDULING=other lets the run at least be seen.
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | {
            k: v for k, v in os.environ.items() if k == "CANDOR_ENGINE_SCHEDULING"}
        subprocess.run([PROGRAMS / "candor", "--config", self.config, "key", "auditor"], env=self.environment, check=True,
                       capture_output=True)

    def start(self):
        return Process([PROGRAMS / "candor", "serve", "--config", self.config], self.folder / "log", environment=self.environment)

    def first(self, process):
        return ask(self.port, "one")

    def switch(self, process):
        return ask(self.port, "two")

    def kill_engine(self, process):
        os.kill(engine_process(process.pid)[0], signal.SIGKILL)

    def cold_files(self):
        return self.files[:1]


class Bare:
    """llama-server of the same build with the engine's flags, without anything around it. Who runs it bare has to start it again
    for another model or after a crash; that is done at once here, which is the least that it can take."""

    name = "llama-server"

    def __init__(self, folder, files, flags):
        self.folder, self.files, self.flags = folder, files, flags
        self.folder.mkdir()
        self.port = free_port()

    def start(self, file=None):
        command = [ROOT / "build/engine/bin/llama-server", "-m", file or self.files[0], "--host", "127.0.0.1", "--port", self.port,
                   *self.flags]
        return Process(command, self.folder / "log", environment={"PATH": os.environ["PATH"]})

    def first(self, process):
        return ask(self.port, "one")

    def switch(self, process):
        process.__exit__()
        self.second = self.start(self.files[1])
        return ask(self.port, "two")

    def kill_engine(self, process):
        process.child.kill()
        process.child.wait()
        self.second = self.start()

    def cold_files(self):
        return self.files[:1]


class Ollama:
    name, models = "ollama", ("one", "two")

    def __init__(self, folder, files, program):
        self.folder, self.program = folder, program
        self.port = free_port()
        folder.mkdir()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OLLAMA_HOST": f"127.0.0.1:{self.port}",
                            "OLLAMA_MODELS": str(folder / "models"), "OLLAMA_MAX_LOADED_MODELS": "1",
                            "OLLAMA_NUM_PARALLEL": str(SLOTS), "OLLAMA_CONTEXT_LENGTH": str(CONTEXT), "OLLAMA_NO_CLOUD": "1"}
        with self.start() as process:
            process.wait_until(lambda _: self.cli("list", may_fail=True).returncode == 0)
            for name, file in zip(self.models, files):
                recipe = folder / f"{name}.modelfile"
                recipe.write_text(f"FROM {file}\n")
                self.cli("create", name, "-f", str(recipe))
            ask(self.port, "one")

    def cli(self, *words, may_fail=False):
        done = subprocess.run([self.program, *words], env=self.environment, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode and not may_fail:
            raise SystemExit(f"bench: ollama {words} failed: {done.stderr[-1500:]}")
        return done

    def start(self):
        return Process([self.program, "serve"], self.folder / "log", environment=self.environment)

    def first(self, process):
        return ask(self.port, "one")

    def switch(self, process):
        return ask(self.port, "two")

    def kill_engine(self, process):
        killed = 0
        for entry in os.listdir("/proc"):
            try:
                parent = int(pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1]) if entry.isdigit() else 0
            except OSError:
                continue
            if parent == process.pid:
                os.kill(int(entry), signal.SIGKILL)
                killed += 1
        if killed != 1:
            raise SystemExit(f"bench: Ollama has {killed} runners")

    def cold_files(self):
        blobs = [b for b in (self.folder / "models/blobs").iterdir() if b.stat().st_size > 10_000_000]
        return blobs


def one_round(side):
    """Cold start, switch, warm start, crash, of one side; milliseconds."""
    taken = {}
    for file in side.cold_files():
        out_of_page_cache(file)
    taken["cold"] = timed(lambda: serve(side))
    with side.running:
        taken["switch"] = timed(lambda: side.switch(side.running))
    end_second(side)
    for file in side.cold_files():
        into_page_cache(file)
    taken["warm"] = timed(lambda: serve(side))
    with side.running:
        side.first(side.running)

        def crash():
            side.kill_engine(side.running)
            return side.first(side.running)
        taken["crash"] = timed(crash)
    end_second(side)
    return taken


def serve(side):
    side.running = side.start()
    try:
        return side.first(side.running)
    except BaseException:
        side.running.__exit__()
        raise


def end_second(side):
    second = getattr(side, "second", None)
    if second:
        second.__exit__()
        side.second = None


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(ROOT / ".cache/models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    parser.add_argument("--ollama", default=os.environ.get("CANDOR_OLLAMA", ""), help="the program; without it Ollama is left out")
    options = parser.parse_args()
    need(PROGRAMS / "candor", ROOT / "build/engine/bin/llama-server", options.model)
    rounds = options.pairs or (1 if options.quick else 5)
    result = {"benchmark": "clients", "model": os.path.basename(options.model), "rounds": rounds, "answers_right": True}
    with Scratch() as folder:
        files = [folder / "one.gguf", folder / "two.gguf"]  # files that nobody else has mapped
        for file in files:
            shutil.copyfile(options.model, file)
        candor = Candor(folder / "candor", files)
        first_ever = timed(lambda: serve(candor))
        with candor.running:
            flags = engine_process(candor.running.pid)[1]
            candor.switch(candor.running)
        sides = [candor, Bare(folder / "bare", files, flags)]
        if options.ollama:
            sides.append(Ollama(folder / "ollama", files, options.ollama))
        else:
            say("  Ollama is left out: it was not built (tools/ollama.sh)")
        seen = {side.name: [] for side in sides}
        for number in range(rounds):
            for side in sides if number % 2 == 0 else reversed(sides):
                seen[side.name].append(one_round(side))
                say(f"  round {number + 1}, {side.name}: " + ", ".join(f"{k} {v:.0f} ms" for k, v in seen[side.name][-1].items()))
        done = subprocess.run([PROGRAMS / "candor-verify", "log", folder / "candor/data"], capture_output=True, text=True, check=False)
        result["answers_right"] = done.returncode == 0
        say("  " + (done.stdout.strip().splitlines() or [done.stderr])[0])
    what = {"cold": "first answer, model cold", "warm": "first answer, model in page cache", "switch": "another model",
            "crash": "after the engine was killed"}
    rows = []
    for key, text in what.items():
        row = {name: median([run[key] for run in runs]) for name, runs in seen.items()}
        rows.append([text, *row.values()])
        for name, value in row.items():
            result[f"{key}_ms_{name.replace('-', '_')}"] = round(value, 1)
        result[f"{key}_ratio_to_bare"] = round(row["candor"] / row["llama-server"], 3)
    rows.append(["first answer of a new data folder", first_ever, *["" for _ in sides[1:]]])
    result["first_ever_ms_candor"] = round(first_ever, 1)
    say()
    table(["milliseconds, medians", *seen], rows)
    finish(result, options)


if __name__ == "__main__":
    main()
