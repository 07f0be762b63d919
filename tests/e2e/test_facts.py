"""What rules may speak of comes from the real caller and the real request (C7, C9): team, purpose, groups, and where a rule sends a request."""
import grp
import os

import pytest

from test_budgets import bearer, make_key
from test_governance import MAIL, governed
from test_oidc import Provider, ask
from upstream import Upstream

RULES = """
format = 1
policy = "house"
default = "deny"

[[rule]]
id = "house.support"
effect = "allow"
when = 'caller.method == "key" && caller.team == "support" && caller.purpose.startsWith("answering")'
message = "Support answers customers."

[[rule]]
id = "house.ml"
effect = "allow"
when = 'caller.method == "oidc" && "ml" in caller.groups'
message = "The machine learners may."

[[rule]]
id = "house.system"
effect = "allow"
when = 'caller.method == "os_user" && "GROUP" in caller.groups'
message = "A group of this machine may."
"""

ROUTE = """
format = 1
policy = "house"

[[rule]]
id = "house.inside"
effect = "route"
to = "inside"
when = 'findings.exists(f, f.class == "personal.contact")'
message = "What names people is answered inside."
"""


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.close()


def test_C7_rules_ask_for_team_purpose_and_group(own, upstream, provider):
    group = grp.getgrgid(os.getgid()).gr_name
    with governed(own, upstream, RULES.replace("GROUP", group), provider.toml()) as server:
        said = lambda key: server.complete(model="canned", headers=bearer(key)).status
        assert said(make_key(server, "a", "--team", "support", "--purpose", "answering customers")["key"]) == 200
        assert said(make_key(server, "b", "--team", "sales", "--purpose", "answering customers")["key"]) == 403
        assert said(make_key(server, "c", "--team", "support", "--purpose", "tests")["key"]) == 403
        assert said(make_key(server, "d")["key"]) == 403
        assert ask(server, provider.token("app")).status == 200  # of the groups ml and staff
        assert ask(server, provider.token("other")).status == 403  # of the group guests
        assert server.complete(model="canned").status == 200  # this user of the machine
        fired = [e["policy"]["rules"] for e in server.entries() if e["type"] == "intent"]
        assert fired == [["house.support"], ["house.ml"], ["house.system"]]
        assert len(upstream.requests) == 3
        server.verify_log()


def test_C7_a_group_of_the_machine_that_the_user_is_not_in_does_not_count(own, upstream):
    with governed(own, upstream, RULES.replace("GROUP", "no-such-group")) as server:
        assert server.complete(model="canned").status == 403 and not upstream.requests


def test_C9_a_rule_sends_a_request_to_another_model_and_only_to_one_that_the_caller_may_use(own, upstream):
    inside = Upstream(words=["inside"])
    try:
        with governed(own, upstream, ROUTE, inside.toml("inside")) as server:
            assert server.chat("Good morning", model="canned").json()["choices"][0]["message"]["content"] == "One two three four."
            sent = server.chat(f"Write to {MAIL}", model="canned")
            assert sent.status == 200 and sent.json()["choices"][0]["message"]["content"] == "inside"
            assert (len(upstream.requests), len(inside.requests)) == (1, 1)
            streamed = server.chat(f"Write to {MAIL}", model="canned", stream=True)
            assert streamed.status == 200 and b"inside" in streamed.body and len(upstream.requests) == 1
            intent = [e for e in server.entries() if e["type"] == "intent"][1]
            assert intent["policy"]["effect"] == "route" and intent["policy"]["rules"] == ["house.inside"]
            assert intent["policy"]["model"] == "canned" and intent["provenance"]["model"] == "inside"
            # A key for the one model is no key for the other.
            key = make_key(server, "narrow", "--models", "canned")["key"]
            refused = server.chat(f"Write to {MAIL}", model="canned", headers=bearer(key))
            assert refused.status == 403 and "not for you" in refused.json()["error"]["message"]
            assert len(upstream.requests) == 1 and len(inside.requests) == 2
            server.verify_log()
    finally:
        inside.close()
