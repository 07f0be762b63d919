"""Budgets (C8): what users, teams, keys and models may use, told to real clients, kept across restarts and kills, equal to the log."""
import grp
import os
import sqlite3
import threading
import time

import openai
import pytest

from server import wait_until
from upstream import Upstream

TOKENS = 7  # of each answer of the upstream: 3 in, 4 out


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def make_key(server, name, *words):
    return server.json("key", "create", name, *words)


def budget(subject, window="month", **limits):
    lines = "".join(f"{name} = {value}\n" for name, value in limits.items())
    return f'[[budget]]\nsubject = "{subject}"\nwindow = "{window}"\n{lines}'


def shown(server):
    """What `candor budget` shows: used and left by subject, window and kind."""
    return {(f"{b['scope']}:{b['name']}", b["window"], limit["what"]): (limit["used"], limit["left"])
            for b in server.json("budget")["budgets"] for limit in b["limits"]}


def begin_of_minute():
    """A minute that is not about to end."""
    if time.time() % 60 > 40:
        time.sleep(60 - time.time() % 60 + 0.1)


def test_C7_a_key_says_whose_it_is_for_which_team_and_what_for(own, upstream):
    with own.configure(upstream.toml()) as server:
        made = make_key(server, "helpdesk", "--owner", "Ada", "--team", "support", "--purpose", "answering customers",
                        "--models", "canned", "--expires", "90d")
        [key] = server.json("key", "list")["keys"]
        assert (key["owner"], key["team"], key["purpose"], key["models"]) == ("Ada", "support", "answering customers", ["canned"])
        listed = server.run("key", "list").stdout
        assert all(word in listed for word in ("Ada", "support", "answering customers"))
        assert server.complete(model="canned", headers=bearer(made["key"])).status == 200
        log = str(server.entries())
        assert not any(word in log for word in ("Ada", "customers"))  # the team is a label of ours
        assert "one line" in server.run("key", "create", "x", "--team", "a\nb", code=2).stderr
        server.stop()
        server.start()  # the key is known still
        assert server.json("key", "list")["keys"][0]["team"] == "support"
        assert server.complete(model="canned", headers=bearer(made["key"])).status == 200


def test_C7_a_state_database_of_the_version_before_is_taken_over(own, upstream):
    with own.configure(upstream.toml()) as server:
        made = make_key(server, "old")
    with sqlite3.connect(server.data / "state" / "state.db") as db:
        for column in ("owner", "team", "purpose"):
            db.execute(f"ALTER TABLE api_key DROP COLUMN {column}")
        for table in ("use_count", "use_team", "use_position", "rule_exception", "revocation_issuer"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 1")
    db.close()
    with server:
        assert server.complete(model="canned", headers=bearer(made["key"])).status == 200
        assert make_key(server, "new", "--team", "red")["key"]


def test_C8_the_openai_client_is_told_what_is_left_and_waits_until_there_is_more(own, upstream):
    begin_of_minute()
    with own.configure(upstream.toml() + budget("user:*", "minute", requests=2, tokens=100)) as server:
        key = make_key(server, "ada", "--owner", "ada")["key"]
        client = openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0)

        def ask(of=client, stream=False):
            return of.chat.completions.with_raw_response.create(model="canned", messages=[{"role": "user", "content": "x"}], stream=stream)

        headers = ask().headers
        assert headers["x-ratelimit-limit-requests"] == "2" and headers["x-ratelimit-remaining-requests"] == "1"
        assert headers["x-ratelimit-limit-tokens"] == "100" and headers["x-ratelimit-reset-requests"].endswith("s")
        streamed = ask(stream=True)
        list(streamed.parse())
        assert streamed.headers["x-ratelimit-remaining-requests"] == "0"
        assert int(streamed.headers["x-ratelimit-remaining-tokens"]) == 100 - TOKENS
        with pytest.raises(openai.RateLimitError) as refused:
            ask()
        response = refused.value.response
        assert 1 <= int(response.headers["retry-after"]) <= 60 and refused.value.code == "rate_limit_exceeded"
        assert response.headers["x-ratelimit-remaining-requests"] == "0"
        assert "you may use no more requests this minute" in refused.value.message
        # A client that may retry waits as it is told, and is answered in the next minute.
        began = time.time()
        patient = openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=2)
        assert ask(patient).http_response.status_code == 200
        assert int(began) // 60 < int(time.time()) // 60
        assert server.stop() == 0
        server.start()
        refusals = [e for e in server.entries() if e["type"] == "refusal"]
        assert refusals and all(e["cause"] == "quota" and e["status"] == 429 and e["caller"] for e in refusals)


def test_C8_users_teams_keys_and_models_have_budgets_of_their_own(own, upstream):
    toml = upstream.toml() + upstream.toml("other") + "".join(
        [budget("user:ada", "day", requests=3), budget("team:red", "day", tokens=3 * TOKENS), budget("model:other", "day", requests=1)])
    with own.configure(toml) as server:
        one, two = (make_key(server, name, "--owner", "ada")["key"] for name in ("one", "two"))
        red = [make_key(server, name, "--team", "red")["key"] for name in ("r1", "r2")]
        narrow = make_key(server, "narrow")
        server.configure(toml + budget("key:" + narrow["id"], "day", tokens_out=4))
        server.run("reload")

        def ask(key, model="canned"):
            return server.complete(model=model, headers=bearer(key)).status

        assert [ask(one), ask(two), ask(one), ask(two)] == [200, 200, 200, 429]  # both keys are Ada's
        assert [ask(red[0]), ask(red[1]), ask(red[0]), ask(red[1])] == [200, 200, 200, 429]
        assert [ask(narrow["key"]), ask(narrow["key"])] == [200, 429]
        assert server.complete(model="other").status == 200
        refused = server.complete(model="other")
        assert refused.status == 429 and "this model may use no more requests this day" in refused.json()["error"]["message"]
        assert server.complete(model="canned").status == 200  # nobody bounds this
        assert shown(server)[("team:red", "day", "tokens")] == (3 * TOKENS, 0)
        assert "team:red" in server.run("budget").stdout
        assert "[[budget]] user:ada day requests=3" in server.run("--config", server.folder / "candor.toml", "doctor").stdout


def test_C8_groups_are_teams_where_the_configuration_says_so(own, upstream):
    group = grp.getgrgid(os.getgid()).gr_name
    toml = upstream.toml() + budget(f"team:{group}", "day", requests=3) + budget("team:*", "day", tokens=100 * TOKENS)
    with own.configure(toml) as server:
        assert server.complete(model="canned").status == 200
        assert shown(server)[(f"team:{group}", "day", "requests")] == (0, 3)  # a group is no team by itself
        server.configure(toml + f'\n[identity]\nteams = ["nobodys", "{group}"]\n')
        server.run("reload")
        # What the caller used before it was in the team comes along.
        assert [server.complete(model="canned").status for _ in range(3)] == [200, 200, 429]
        key = make_key(server, "blue", "--team", "blue")["key"]
        assert server.complete(model="canned", headers=bearer(key)).status == 200  # a key's team is its own
        assert shown(server)[(f"team:{group}", "day", "requests")] == (3, 0)
    with own as server:  # it is known again after a restart
        assert shown(server)[(f"team:{group}", "day", "requests")] == (3, 0)
        assert server.complete(model="canned").status == 429


def test_C8_running_answers_are_counted_exactly(own):
    slow = Upstream(gate=True, words=["word "] * 3)
    with own.configure(slow.toml() + budget("user:*", streams=2)) as server:
        key = make_key(server, "ada")["key"]
        body = {"model": "canned", "prompt": "a"}
        held = [server.stream("/v1/completions", body, bearer(key)) for _ in range(2)]
        assert all(one.event() for one in held)
        refused = server.complete(model="canned", headers=bearer(key))
        assert refused.status == 429 and refused.headers["retry-after"] == "1" and "at once" in refused.json()["error"]["message"]
        held[0].close()  # the client leaves
        wait_until(lambda: shown(server)[("user:key:" + server.json("key", "list")["keys"][0]["id"], "month", "streams")] == (1, 1), "its place is free")
        again = server.stream("/v1/completions", body, bearer(key))
        assert again.status == 200 and again.event()
        slow.release()
        held[1].rest()
        again.rest()
        wait_until(lambda: list(shown(server).values()) == [(0, 2)], "all have ended")
    slow.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_C8_counters_survive_a_restart_and_a_kill(own, upstream, end):
    toml = upstream.toml() + budget("user:*", requests=1000, tokens=100_000) + budget("team:red", seconds=1000, requests=5) + \
        budget("model:canned", tokens=1_000_000)
    with own.configure(toml) as server:
        key = make_key(server, "r", "--team", "red", "--owner", "ada")["key"]
        for _ in range(3):
            assert server.complete(model="canned", headers=bearer(key)).status == 200
        server.run("budget", "reconcile")
        before = shown(server)
        assert before[("user:ada", "month", "tokens")] == (3 * TOKENS, 100_000 - 3 * TOKENS)
        if end == "stop":
            assert server.stop() == 0
        else:
            server.kill()  # whatever was written by now
        server.start()
        assert shown(server) == before
        assert "all counts are those" in server.run("budget", "reconcile").stdout
        assert [server.complete(model="canned", headers=bearer(key)).status for _ in range(3)] == [200, 200, 429]


def test_C8_an_answer_that_a_kill_cut_short_is_charged_at_the_next_start(own):
    slow = Upstream(gate=True, words=["word "] * 3)
    with own.configure(slow.toml() + budget("user:*", requests=1000, tokens=100_000)) as server:
        held = server.stream("/v1/completions", {"model": "canned", "prompt": "a"})
        held.event()
        server.kill()
        held.close()
        server.start()
        [requests, tokens] = [used for (_, _, _), (used, _) in shown(server).items()]
        assert requests == 1 and tokens > 0
        assert "all counts are those" in server.run("budget", "reconcile").stdout
    slow.close()


def test_C8_reconcile_tells_damaged_counters_and_repairs_them(own, upstream):
    toml = upstream.toml() + budget("user:*", requests=100) + budget("team:red", tokens=1000)
    with own.configure(toml) as server:
        key = make_key(server, "r", "--team", "red", "--owner", "grace")["key"]
        for _ in range(4):
            assert server.complete(model="canned", headers=bearer(key)).status == 200
        right = shown(server)
        assert server.stop() == 0
        with sqlite3.connect(server.data / "state" / "state.db") as db:
            assert db.execute("UPDATE use_count SET requests = 1, tokens_in = 0 WHERE account LIKE 'caller:%' AND window = 2").rowcount == 1
            db.execute("DELETE FROM use_count WHERE account LIKE 'model:%'")
            names = [row[0] for row in db.execute("SELECT account FROM use_count")]
            assert not any("grace" in name or "key" in name for name in names)  # pseudonyms
        db.close()
        server.start()
        assert shown(server) != right
        said = server.run("budget", "reconcile", "--reason", "a test", code=1).stdout
        assert "counted  1 requests, 0 tokens in" in said and "logged   4 requests, 12 tokens in" in said
        assert shown(server) == right
        server.run("budget", "reconcile")
        assert server.stop() == 0
        server.start()
        assert shown(server) == right
        assert [e["verb"] for e in server.entries() if e["type"] == "admin"].count("budget.reconcile") == 2


def test_C8_P3_an_erasure_ends_the_persons_counts_and_keeps_the_teams(own, upstream):
    toml = upstream.toml() + budget("user:*", requests=100) + budget("team:red", requests=100) + budget("model:canned", requests=100)
    with own.configure(toml) as server:
        made = make_key(server, "r", "--team", "red")
        for _ in range(3):
            assert server.complete(model="canned", headers=bearer(made["key"])).status == 200
        server.run("erase", "--caller", "key:" + made["id"], "--reason", "asked for", "--yes")

        def counts():
            found = shown(server)
            return [found[key, "month", "requests"][0] for key in ("team:red", "model:canned")], \
                found.get(("user:key:" + made["id"], "month", "requests"), (0,))[0]

        assert counts() == ([3, 3], 0)
        assert server.complete(model="canned", headers=bearer(made["key"])).status == 200
        assert counts() == ([4, 4], 1)
        server.run("budget", "reconcile")
        server.kill()
        server.start()
        assert counts() == ([4, 4], 1)
        server.run("budget", "reconcile")


def test_C8_a_budget_that_a_reload_brings_knows_what_was_used_before(own, upstream):
    with own.configure(upstream.toml()) as server:
        key = make_key(server, "r", "--team", "red")["key"]
        assert server.complete(model="canned", headers=bearer(key)).status == 200
        assert "candor.toml" in server.run("budget", "reconcile", code=3).stderr
        server.stop()
        server.start()
        assert server.complete(model="canned", headers=bearer(key)).status == 200
        server.configure(upstream.toml() + budget("team:red", requests=3))
        assert "budget" in server.run("reload").stdout
        assert shown(server)[("team:red", "month", "requests")] == (2, 1)
        assert [server.complete(model="canned", headers=bearer(key)).status for _ in range(2)] == [200, 429]
        server.run("budget", "reconcile")


def test_C8_mistakes_in_budgets_are_told_with_their_line(own, upstream):
    for toml, said in (("[[budget]]\nsubject = \"ada\"\nrequests = 1\n", "user:NAME"), ("[[budget]]\nsubject = \"user:a\"\n", "needs a limit"),
                       (budget("user:*", requests=1) + budget("user:*", tokens=1), "two budgets"), ("[[budget]]\nsubject = \"user:a\"\nrequest = 1\n", "budget.requests"),
                       ("[[priority]]\nsubject = \"model:a\"\n", "one user, team or key"), ("[budget]\nrequests = 1\n", "[[budget]]")):
        code, words = own.configure(toml + upstream.toml()).refused()
        assert code == 2 and said in words and "candor.toml:" in words, words


def test_C8_turns_go_to_the_higher_priority_first(own):
    slow = Upstream()
    slow.hold_whole = True
    toml = slow.toml() + "upstream_slots = 1\n" + '[[priority]]\nsubject = "team:urgent"\nclass = "high"\n[[priority]]\nsubject = "team:batch"\nclass = "low"\n'
    with own.configure(toml) as server:
        keys = {team: make_key(server, team, "--team", team)["key"] for team in ("first", "batch", "urgent")}
        threads = []
        for team in ("first", "batch", "urgent"):  # in this order
            threads.append(threading.Thread(target=server.complete, args=(team, "canned", bearer(keys[team]))))
            threads[-1].start()
            if team == "first":
                wait_until(lambda: slow.requests, "the only slot is taken")
            else:
                waiting = len(threads) - 1
                wait_until(lambda: f"candor_waiting {waiting}" in server.admin("GET", "/v1/metrics").body.decode(), "it waits")  # noqa: B023
        slow.release()
        for thread in threads:
            thread.join(30)
        assert [asked["prompt"] for asked in slow.requests] == ["first", "urgent", "batch"]
    slow.close()
