"""A policy tried on sealed texts, where the auditor's key is (C11, L8): today's detectors on what was said then, on record, and nothing
of the texts is shown."""
import json
import subprocess

from conftest import add_auditor
from server import BIN
from test_governance import governed

NOW = """
format = 1
policy = "house"

[[rule]]
id = "house.names"
effect = "deny"
when = 'phase == "request" && findings.exists(f, f.class == "internal.label")'
message = "Code names stay here."

[[rule]]
id = "house.said"
effect = "redact"
select = 'finding.class == "internal.label" && finding.direction == "answer"'
message = "Code names stay here."
"""


def test_C11_L8_todays_detectors_decide_about_the_texts_of_then(own, upstream, tmp_path):
    (own.folder / "names.txt").write_text("Project Falcon\n")
    subprocess.run([BIN / "candor", "detector", "words", "--id", "names", "names.txt"], cwd=own.folder, check=True, capture_output=True)
    new = tmp_path / "new.toml"
    new.write_text(NOW)
    toml = f'[policy]\npacks = []\nfiles = ["house.toml"]\n{{}}\n' + upstream.toml()
    with governed(own, upstream) as server:
        add_auditor(server)
        asked = [server.chat(text, model="canned") for text in ("What of Project Falcon?", "Good morning", "And project-falcon again?")]
        upstream.words = ["It is ", "Project Fal", "con."]
        said = server.chat("What is it?", model="canned")
        assert all(reply.status == 200 for reply in [*asked, said])
        server.configure(toml.format(f'detectors = ["{own.folder / "names.toml"}"]'))  # known from now on

        configured = ["--config", own.folder / "candor.toml"]

        def replay(*words, code=0):
            return json.loads(server.run(*configured, "--json", "policy", "replay", new, *words, code=code).stdout)

        assert replay()["different"] == 0  # nobody looked for it then
        entries = len(server.entries())
        missing = server.run("policy", "replay", new, "--content", code=None)
        assert missing.returncode != 0 and "--reason" in missing.stderr and len(server.entries()) == entries

        again = server.run(*configured, "policy", "replay", new, "--content", "--reason", "a new code name")
        assert "4 of them by their sealed texts" in again.stdout and "alcon" not in again.stdout + again.stderr
        found = replay("--content", "--reason", "once more")
        assert (found["exchanges"], found["read_again"], found["different"]) == (4, 4, 3)
        assert sorted((g["after"], g["exchanges"]) for g in found["groups"]) == [("deny", 2), ("redact", 1)]
        acts = [e for e in server.entries() if e["type"] == "admin" and e["verb"] == "policy.replay"]
        assert len(acts) == 2 and len(acts[0]["object"]) == 64 and "code name" not in str(acts)

        # An erased exchange is judged by its entries; a wrong key opens nothing.
        server.run("erase", "--exchange", asked[0].json()["candor"]["exchange"], "--reason", "asked for", "--yes")
        less = replay("--content", "--reason", "again")
        assert (less["exchanges"], less["read_again"], less["different"]) == (4, 3, 2)
        other = tmp_path / "other.key"
        other.write_text("candor-auditor-secret-v1:" + "A" * 43 + "=\n")
        other.chmod(0o600)
        nothing = replay("--content", "--reason", "with another's key", "--auditor-key", other)
        assert (nothing["read_again"], nothing["different"]) == (0, 0)

        server.verify_log()
