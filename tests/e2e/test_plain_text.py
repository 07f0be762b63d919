"""Text is not a command (S19): what models, names and errors say is shown without what a terminal would obey."""
import json
import os
import pty
import re
import subprocess

from server import BIN, ROOT
from upstream import Upstream

# ESC, CSI in one byte (C1), bidirectional overrides and isolates, DEL, backspace, a bell, an OSC that sets the title.
EVIL = "a\x1b[2Jb\x9b31mc\u202ed\u2066e\x7f\bf\x07g\x1b]0;owned\x07h\rz"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def on_a_terminal(server, *words):
    """What the command writes to a terminal, which is told apart from a pipe."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([str(BIN / "candor"), *words], env=server.environment, stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:  # the other end is closed
        pass
    process.wait(60)
    os.close(ours)
    # The terminal's own line ends, and what a progress line draws: erase and return.
    return re.sub("\r|\x1b\\[[0-9;]*[mK]|\x1b\\[\\?25[lh]", "", said.decode(errors="surrogateescape"))


def test_S19_an_answer_is_shown_without_what_a_terminal_obeys(own):
    upstream = Upstream(words=[EVIL, " end"])
    with own.configure(upstream.toml()) as server:
        shown = on_a_terminal(server, "chat", "--model", "canned", "-m", "hello")
        assert "end" in shown and "a\ufffd" in shown and not OBEYED.search(shown), ascii(shown)
        raw = server.run("--raw", "chat", "--model", "canned", "-m", "hello").stdout
        assert "\u202e" in raw and "\x1b]0;owned\x07" in raw
        asjson = on_a_terminal(server, "--json", "chat", "--model", "canned", "-m", "hello")
        assert not OBEYED.search(asjson), ascii(asjson)
    upstream.close()


def test_S19_opened_content_and_names_are_shown_without_it_too(own):
    upstream = Upstream(words=[EVIL])
    with own.configure(upstream.toml()) as server:
        server.run("key", "auditor")
        reply = server.post("/v1/completions", {"model": "canned", "prompt": "ask " + EVIL, "max_tokens": 8})
        assert reply.status == 200
        opened = on_a_terminal(server, "ledger", "open", "--exchange", reply.headers["candor-exchange"])
        assert "ask a" in opened and not OBEYED.search(opened), ascii(opened)
        server.run("key", "create", "evil \u202eyek")
        for words in (("key", "list"), ("--json", "key", "list"), ("ledger", "status"), ("doctor",), ("no-such-\x1b[31mverb",)):
            assert not OBEYED.search(on_a_terminal(server, *words)), words
    upstream.close()


def test_S19_refusals_are_sentences_of_ours_with_stripped_and_capped_arguments(own, upstream):
    with own.configure(upstream.toml()) as server:
        for field in (EVIL, "x" * 100_000, "candor-nonce: \r\nset-cookie: a"):
            for body in ({"model": field, "prompt": "a"}, {"model": "canned", "prompt": "a", field: 1},
                         {"model": "canned", "prompt": "a", "stop": [field] * 99}, {"model": "canned", "prompt": [{field: field}]}):
                reply = server.post("/v1/completions", body)
                text = json.dumps(reply.json(), ensure_ascii=False) if reply.status != 200 else ""
                assert not OBEYED.search(text) and len(text) < 2_000, ascii(text[:500])
                dropped = reply.headers.get("candor-dropped-fields", "")
                assert not OBEYED.search(dropped) and len(dropped) < 2_000


def test_S19_every_refusal_is_made_of_literals():
    """make_error's sentence is a literal, or one of the few that are put together from literals beside it."""
    composed = {"std::move(caller.error()", "caller.error()", "caller.error().message", "std::string(reason)", "std::move(message)", "message",
                "std::move(sentence)"}  # of the policy: the operator's own rules, whose texts hold no controls (rule_file.cc)
    seen = 0
    for file in sorted((ROOT / "src").rglob("*.cc")):
        if file.name.endswith(("_test.cc", "_fuzz.cc", "_bench.cc")):
            continue
        for call in re.finditer(r"make_error\(\s*(?:dialect::)?ErrorKind::\w+,\s*(\"|[^,)]+\)?)", file.read_text()):
            seen += 1
            assert call[1].startswith('"') or call[1].strip() in composed or "template" in call[1], f"{file}: {call[0]}"
    assert seen > 20
