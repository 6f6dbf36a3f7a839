"""Sessions as values: what is read, what is refused before anything runs, and the schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from raftka.simulations.sessions import rules, verbs
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.schema import FILE, schema
from raftka.simulations.sessions.show import plan_as_dict, ready
from tests.support.json_schema import accepts

PLAIN = {"scenario": "lost_leader"}


def of(*actions: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**PLAIN, "script": list(actions), **others}


VALID: list[dict[str, Any]] = [
    {},
    {"scenario": "lost-leader", "seed": 7, "until_s": 10},
    of({"at_s": 2.0, "do": "kill", "node": "n1"}, until_s=2.5),
    of({"at_s": 1, "do": "cut", "from": "n1", "to": "producer0", "both": True}),
    of({"at_s": 1, "do": "heal"}, {"at_s": 0, "do": "heal", "from": "n1", "to": "n2"}),
    of({"at_s": 1, "do": "produce", "topic": "t", "records": 3, "acks": 1}),
    of({"at_s": 1, "do": "elect", "partition": "t-0", "unclean": True}),
    of({"at_s": 1, "do": "alter-config", "topic": "t", "settings": {"min.insync.replicas": "1"}}),
    of({"at_s": 1, "do": "alter-config", "settings": {"log.cleaner.threads": None}}),
    {"settings": {"min.insync.replicas": "1"}, "rules_off": ["pre-vote", "leader-lease"]},
]
REFUSED: list[tuple[Any, str]] = [
    ([], "must be an object, not a list"),
    ({"scenery": "lost_leader"}, "did you mean"),
    ({"scenario": "lost_leadr"}, "did you mean lost_leader?"),
    ({"scenario": "lost_leader", "lesson": "x"}, "give one of them"),
    ({"lesson": "x"}, "no lesson"),
    ({"seed": "7"}, "seed must be an integer"),
    ({"seed": True}, "seed must be an integer"),
    ({"seed": 1 << 60}, "seed must be an integer"),
    ({"until_s": 10**400}, "until_s must be a number"),
    ({"until_s": float("nan")}, "until_s must be a number"),
    ({"rules_off": ["pre-voting"]}, "did you mean pre-vote?"),
    ({"rules_off": "pre-vote"}, "a list of texts"),
    ({"settings": {"min.insync.replica": "2"}}, "did you mean min.insync.replicas?"),
    ({"settings": {"min.insync.replicas": 2}}, 'must be text, as in "2"'),
    ({"settings": {"min.insync.replicas": "two"}}, "min.insync.replicas"),
    ({"script": {}}, "script must be a list"),
    ({"plan": {}}, "plan needs the field 'seed'"),
    ({"plan": {"seed": 1}}, "no nodes"),
    ({"plan": {"seed": 1, "nodes": [{"node_id": "1"}]}}, "node_id must be an integer"),
    ({"plan": {"seed": 1, "nodes": [{"node_id": 1}] * 2}}, "two nodes are called 1"),
    ({"plan": {"seed": 1, "nodes": [{"node_id": 1, "roles": "king"}]}}, "king"),
    ({"plan": {"seed": 1, "nodes": [{}]}}, "node_id"),
    ({"plan": {"seed": 1, "nodes": [{"node_id": n} for n in range(99)]}}, "at most 9"),
    ({"plan": {"seed": 1, "nods": []}}, "did you mean nodes?"),
    (of({"at_s": 1, "do": "kil", "node": "n1"}), "did you mean kill?"),
    (of({"at_s": 1, "do": "kill"}), "kill needs node"),
    (of({"do": "kill", "node": "n1"}), "needs the field 'at_s'"),
    (of({"at_s": -1, "do": "kill", "node": "n1"}), "at_s must be a number from 0"),
    (of({"at_s": 1, "do": "kill", "node": "n4"}), "there is no node 'n4'"),
    (of({"at_s": 1, "do": "kill", "node": "n1", "hard": True}), "there is no field 'hard'"),
    (of({"at_s": 5, "do": "kill", "node": "n1"}, until_s=5), "ends at 5 s"),
    (of({"at_s": 1, "do": "cut", "from": "n1", "to": "n1"}), "the same host"),
    (of({"at_s": 1, "do": "cut", "from": "n1", "to": "n7"}), "there is no node 'n7'"),
    (of({"at_s": 1, "do": "heal", "from": "n1"}), "both from and to"),
    (of({"at_s": 1, "do": "produce", "topic": "t", "acks": 2}), "must be all, 1 or 0"),
    (of({"at_s": 1, "do": "produce", "topic": "t", "records": 0}), "records must be"),
    (of({"at_s": 1, "do": "slow-disk", "node": "n1", "seconds": "1"}), "seconds must be"),
    (of({"at_s": 1, "do": "elect", "partition": "t"}), "a topic and an index"),
    (of({"at_s": 1, "do": "alter-config", "settings": {}}), "nothing would change"),
    (
        of({"at_s": 1, "do": "alter-config", "topic": "t", "settings": {"segment.ms": "soon"}}),
        "script[0]: Invalid value soon for configuration segment.ms",
    ),
    (
        of({"at_s": 1, "do": "alter-config", "settings": {"log.cleaner.threads": "none"}}),
        "Invalid value none for configuration log.cleaner.threads",
    ),
    (
        of({"at_s": 1, "do": "alter-config", "node": "n1", "settings": {"node.id": "4"}}),
        "Cannot update these configs dynamically",
    ),
    (of({"at_s": 1, "do": "alter-config", "topic": "t", "settings": {"x": "1"}}), "topic setting"),
]
"""A value, and words of the error."""


@pytest.mark.parametrize("value", VALID, ids=json.dumps)
def test_a_session_reads_as_it_was_written(value: dict[str, Any]) -> None:
    session = ready(value).session
    assert accepts(schema(), value)
    assert accepts(schema(), session.as_dict())
    assert ready(session.as_dict()).session.as_dict() == session.as_dict()


@pytest.mark.parametrize(("value", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_run_is_refused_with_the_reason(value: Any, words: str) -> None:
    with pytest.raises(SessionError) as caught:
        ready(value)
    assert words in str(caught.value)
    assert caught.value.code == "bad-session"


def test_the_schema_refuses_what_a_schema_can_see() -> None:
    beyond_it = (
        *("no lesson", "ends at 5 s", "the same host", "no node 'n4'", "no node 'n7'", "no nodes"),
        *("did you mean min", "min.insync.replicas", "topic setting", "integer", "two nodes"),
        *("mean lost_leader", "mean pre-vote"),
        *(
            "Invalid value",
            "configs dynamically",
            "king",
            "field 'seed'",
            "node_id",
            "at most 9",
            "mean nodes",
        ),
    )
    seen = [words for _, words in REFUSED if not any(each in words for each in beyond_it)]
    wrong = [words for value, words in REFUSED if words in seen and accepts(schema(), value)]
    assert wrong == []


def test_the_schema_in_the_package_is_the_present_one() -> None:
    assert json.loads(FILE.read_text()) == schema(), (
        "run: python -m raftka.simulations.sessions.schema"
    )


def test_a_plan_that_open_answers_can_be_given_back() -> None:
    plan = plan_as_dict(ready({"seed": 3}).plan)
    again = ready({"plan": plan, "seed": 3})
    assert plan_as_dict(again.plan) == plan


def test_actions_are_in_the_order_of_time() -> None:
    late, soon = ({"at_s": s, "do": "heal"} for s in (3.0, 1.0))
    assert [a.at_s for a in ready(of(late, soon)).session.script] == [1.0, 3.0]


def test_every_rule_says_what_holds_and_where_it_is_from() -> None:
    listed = list(rules.listed())
    groups = {each["group"] for each in listed}
    assert groups >= {"quorum", "controller", "partitions", "compaction", "transactions"}
    assert "" not in groups
    assert [each["name"] for each in listed if not each["rule"] or not each["holds"]] == []


def test_every_verb_is_listed_with_its_parameters() -> None:
    assert {each["name"] for each in verbs.listed()} == {
        *("kill", "power-loss", "pause", "resume", "restart", "stop", "cut", "heal", "wipe"),
        *("full-disk", "slow-disk", "clock-jump", "produce", "bytes", "elect", "alter-config"),
    }
    json.dumps(verbs.listed())
