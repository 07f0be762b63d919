"""Break-glass (C13, L9): on record before it counts, over restarts, and only as long as it is open; and what explain says of it (C10)."""
import json
import time

import pytest

RULES = """
format = 1
policy = "house"

[[rule]]
id = "house.mail"
effect = "deny"
when = 'findings.exists(f, f.detector == "email" && f.direction == "request")'
message = "Addresses stay here."

[[rule]]
id = "house.alone"
effect = "deny"
break_glass = "alone"
when = 'request.messages > 3'
message = "Too long."
"""
MAIL = {"model": "canned", "messages": [{"role": "user", "content": "Write to maria.sommer@klinikum-nord.example.org"}]}


@pytest.fixture
def governed(own, upstream):
    def toml(approvers=""):
        return f'[policy]\npacks = []\nfiles = ["house.toml"]\napprovers = [{approvers}]\n' + upstream.toml()
    (own.folder / "house.toml").write_text(RULES)
    with own.configure(toml()) as server:
        server.keys = {name: server.run("key", "create", name, "--owner", name).stdout.strip() for name in ("ada", "grace")}
        server.ids = {key["name"]: key["id"] for key in server.json("key", "list")["keys"]}
        server.configure(toml(f'"key:{server.ids["grace"]}"'))
        server.run("reload", "--reason", "grace approves")
        yield server


def ask(server, who="ada", body=None):
    return server.post("/v1/chat/completions", body or MAIL, headers={"Authorization": f"Bearer {server.keys[who]}"})


def approve(server, exception, who):
    headers = {"Authorization": f"Bearer {server.keys[who]}"} if who else {}
    return server.post("/candor/v1/approve", {"exception": exception}, headers=headers)


def verbs(server):
    return [entry["verb"] for entry in server.entries() if entry["type"] == "admin" and entry["verb"].startswith("exception")]


def test_L9_an_exception_counts_once_a_second_person_approved_it_and_over_a_restart(governed):
    server = governed
    assert ask(server).status == 403
    opened = server.json("exception", "open", "--rule", "house.mail", "--user", f"key:{server.ids['ada']}", "--for", "1h", "--reason", "x")
    assert opened["waits_for_approval"] is True and verbs(server) == ["exception.open"]
    assert ask(server).status == 403  # not yet
    for who, status in (("ada", 403), (None, 403)):  # for oneself; by being a user of this machine
        assert approve(server, opened["id"], who).status == status
    assert verbs(server) == ["exception.open"] and ask(server).status == 403
    assert approve(server, "0" * 32, "grace").status == 404 and approve(server, "x", "grace").status == 400
    assert approve(server, opened["id"], "grace").status == 200
    assert verbs(server) == ["exception.open", "exception.approve"]
    assert approve(server, opened["id"], "grace").status == 409

    answer = ask(server)
    assert answer.status == 200 and ask(server, "grace").status == 403  # nobody else's
    told = [rule for rule in answer.json()["candor"]["policy"]["rules"] if rule["rule"] == "house.mail"]
    assert told[0]["exception"] == opened["id"]
    intent = [e for e in server.entries() if e["type"] == "intent"][-1]
    assert intent["policy"]["exceptions"] == [opened["id"]] and intent["policy"]["approved"] is True

    server.kill()
    server.start()
    assert ask(server).status == 200
    # Whoever is named by one is not erased before it is closed.
    assert "exception" in server.run("erase", "--caller", f"key:{server.ids['ada']}", "--reason", "x", "--yes", code=None).stderr
    server.run("exception", "close", opened["id"], "--reason", "done")
    assert ask(server).status == 403 and verbs(server)[-1] == "exception.close"


def test_L9_what_a_rule_or_the_configuration_forbids_is_not_opened(governed):
    server = governed
    user = f"key:{server.ids['ada']}"
    def refused(*words):
        return server.run("exception", "open", *words, code=None).stderr
    assert "policy.exception_max" in refused("--rule", "house.mail", "--user", user, "--for", "9h", "--reason", "x")
    assert "no rule in force" in refused("--rule", "nobody", "--user", user, "--for", "1h", "--reason", "x")
    assert "reason" in refused("--rule", "house.mail", "--user", user, "--for", "1h", "--reason", " ")
    assert "no key in force" in refused("--rule", "house.mail", "--user", "key:0000000000000000", "--for", "1h", "--reason", "x")
    assert not verbs(server)
    long = {"model": "canned", "messages": [{"role": "user", "content": "Hello"}] * 4}
    assert ask(server, body=long).status == 403
    alone = server.json("exception", "open", "--rule", "house.alone", "--user", user, "--for", "1s", "--reason", "x")
    assert alone["waits_for_approval"] is False and ask(server, body=long).status == 200
    time.sleep(1.2)
    assert ask(server, body=long).status == 403  # it is over by itself


def test_C10_explain_names_the_rule_of_a_refusal_and_notices_a_changed_text(governed):
    server = governed
    assert ask(server).status == 403
    [decision] = [e for e in server.entries() if e["type"] == "decision"]
    index = next(i for i, e in enumerate(server.entries()) if e["type"] == "decision")
    for subject in (decision["exchange"], str(index)):
        words = server.run("policy", "explain", subject)
        assert "house.mail" in words.stdout and "Addresses stay here." in words.stdout and "found personal.contact (email)" in words.stdout
        assert "they decide the same" in words.stderr and "klinikum" not in words.stdout
    told = server.json("policy", "explain", decision["exchange"])
    assert told["decisions"][0]["effect"] == "deny" and told["decisions"][0]["rules"][0]["when"].startswith("findings.exists")
    assert server.run("policy", "explain", "0", code=None).returncode == 4  # a start holds no decision

    kept = next((server.data / "state" / "policies").glob("*.json"))
    kept.write_text(kept.read_text().replace("Addresses stay here.", "Addresses may leave."))
    assert "not the text that decided" in server.run("policy", "explain", decision["exchange"], code=None).stderr


def test_C11_a_replay_says_whose_requests_other_rules_would_have_let_pass(governed, tmp_path):
    server = governed
    assert ask(server).status == 403 and ask(server, body=MAIL | {"messages": [{"role": "user", "content": "Hello"}]}).status == 200
    milder = tmp_path / "milder.toml"
    milder.write_text(RULES.replace('effect = "deny"\nwhen = \'findings', 'effect = "warn"\nwhen = \'findings'))
    replayed = server.json("policy", "replay", milder, "--since", "1d")
    assert replayed["exchanges"] == 2 and replayed["different"] == 1
    [group] = replayed["groups"]
    assert (group["caller"], group["before"], group["after"], group["rules"]) == (f"key:{server.ids['ada']}", "deny", "warn", ["house.mail"])
    assert server.json("policy", "replay", server.folder / "house.toml")["different"] == 0
    assert json.dumps(replayed).count("klinikum") == 0
