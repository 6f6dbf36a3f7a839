"""Sessions that run, stop, go back and fork, and the requests for that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from raftka.simulations.scenarios.stage import load, run_scenario
from raftka.simulations.sessions.engine import EVENTS_MAX, SESSIONS_MAX, Engine
from raftka.simulations.sessions.performing import perform
from raftka.simulations.sessions.show import ready
from raftka.tracing.kinds import KINDS
from tests.simulations.test_trace_file import assert_documented

Json = dict[str, Any]
LOST = {"scenario": "silent_follower", "seed": 1}


class Lines(list[str]):
    """Takes the lines of a run."""

    def write(self, text: str) -> None:
        self.append(text)


class Client:
    """Asks an engine, and keeps the events that it answered."""

    def __init__(self) -> None:
        self.engine = Engine(commit="here")
        self.events: list[Json] = []

    def ask(self, op: str, **fields: Any) -> Json:
        *before, last = self.engine.handle({"id": 7, "op": op, **fields})
        for answer in before:
            assert answer["id"] == 7
            assert 0 < len(answer["events"]) <= EVENTS_MAX
            self.events += answer["events"]
        assert last["id"] == 7
        return last

    def refused(self, op: str, **fields: Any) -> tuple[str, str]:
        answer = self.ask(op, **fields)
        assert not answer["ok"]
        return answer["error"]["code"], answer["error"]["message"]

    def open(self, **session: Any) -> str:
        return str(self.ask("open", session={**LOST, **session})["session"])


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.engine.close()


def trace_of(*actions: Json, until_s: float = 4.0, **others: Any) -> tuple[Lines, str]:
    lines = Lines()
    found = ready({**LOST, "until_s": until_s, "script": list(actions), **others})
    return lines, perform(found, lines).trace_hash


def test_a_session_without_a_script_is_the_scenario() -> None:
    lines = Lines()
    outcome = perform(ready(LOST), lines)
    module = load("silent_follower")
    plain = Lines()
    expected = run_scenario(module.scenario, settings=getattr(module, "SETTINGS", None), sink=plain)
    assert outcome.trace_hash == expected.trace_hash
    assert lines == plain


def test_an_act_leaves_all_before_it_as_it_was() -> None:
    lines, _ = trace_of()
    times = [json.loads(line)["t"] for line in lines]
    for at_s in (0.0, times[200], times[len(times) // 2], 2.0, 3.0):
        changed, _ = trace_of({"at_s": at_s, "do": "power-loss", "node": "n1"})
        first = next(i for i, (a, b) in enumerate(zip(lines, changed, strict=False)) if a != b)
        act = next(e for e in map(json.loads, changed[first:]) if e["kind"] != "checked")
        assert (act["kind"], act["node"], act["t"]) == ("power-loss", "n1", round(at_s, 6))
        assert "".join(changed[:first]) == "".join(lines[:first])
        assert times[first] >= act["t"] - 1e-6, "times are written to the microsecond"


ACTS: list[tuple[str, Json]] = [
    ("kill", {"do": "kill", "node": "n1"}),
    ("power-loss", {"do": "power-loss", "node": "n1"}),
    ("pause", {"do": "pause", "node": "n1"}),
    ("shutdown", {"do": "stop", "node": "n1"}),
    ("cut", {"do": "cut", "from": "n1", "to": "n2"}),
    ("heal", {"do": "heal"}),
    ("full-disk", {"do": "full-disk", "node": "n1"}),
    ("slow-disk", {"do": "slow-disk", "node": "n1", "seconds": 0.2}),
    ("clock-jump", {"do": "clock-jump", "node": "n1", "ms": -5000}),
    ("produce", {"do": "produce", "topic": "t", "records": 3}),
    ("operation", {"do": "elect", "partition": "t-0"}),
    ("operation", {"do": "alter-config", "topic": "t", "settings": {"segment.ms": "9000"}}),
]


@pytest.mark.parametrize(("kind", "action"), ACTS, ids=[act["do"] for _, act in ACTS])
def test_each_act_writes_an_event(kind: str, action: Json) -> None:
    lines, digest = trace_of({"at_s": 1.5, **action}, until_s=2.5)
    events = [json.loads(line) for line in lines]
    found = [e for e in events if e["kind"] == kind and abs(e["t"] - 1.5) < 0.01]
    assert found
    assert_documented(events)
    if action["do"] in ("elect", "alter-config"):
        done = [e for e in events if e["kind"] == "operation-done"]
        assert [e["cause"] for e in done] == [found[0]["id"]]
    if action["do"] == "produce":
        acks = [e for e in events if e["kind"] == "ack" and e["node"].startswith("hand")]
        assert len(acks) == 3
    assert trace_of({"at_s": 1.5, **action}, until_s=2.5) == (lines, digest)


def test_what_is_undone_writes_an_event_too(client: Client) -> None:
    name = client.open()
    for at_s, action in (
        (1.2, {"do": "cut", "from": "n1", "to": "producer0", "both": True}),
        (1.3, {"do": "heal", "from": "n1", "to": "producer0", "both": True}),
        (1.4, {"do": "pause", "node": "n2"}),
        (1.5, {"do": "resume", "node": "n2"}),
        (1.6, {"do": "kill", "node": "n2"}),
        (1.7, {"do": "wipe", "node": "n2"}),
        (1.8, {"do": "restart", "node": "n2"}),
        (1.9, {"do": "full-disk", "node": "n1"}),
        (2.0, {"do": "full-disk", "node": "n1", "full": False}),
    ):
        answer = client.ask("do", session=name, action={"at_s": at_s, **action})
        assert answer["ok"], answer
    answer = client.ask("run", session=name, until_s=2.0)
    assert len(answer), answer
    assert answer["ok"], answer
    client.ask("run", session=name, until_s=2.1)
    kinds = [e["kind"] for e in client.events if e["kind"] in KINDS and 1.2 <= e["t"] <= 2.0]
    wanted = ["cut", "cut", "link-healed", "link-healed", "pause", "resume", "kill", "wipe"]
    wanted += ["start", "full-disk", "disk-freed"]
    assert [kind for kind in kinds if kind in wanted] == wanted


def test_a_run_in_pieces_is_the_run_in_one(client: Client) -> None:
    script = [{"at_s": 1.5, "do": "kill", "node": "n1"}]
    lines, digest = trace_of(*script)
    name = client.open(script=script, until_s=4.0)
    client.ask("run", session=name, until_s=0.5)
    client.ask("run", session=name, steps=3)
    assert client.ask("run", session=name, until_kind="kill")["now_s"] == 1.5
    client.ask("state", session=name)
    client.ask("run", session=name, until_s=1.5)
    last = client.ask("run", session=name)
    assert (last["now_s"], last["ended"], last["hash"]) == (4.0, True, digest)
    assert client.events == [json.loads(line) for line in lines]


def test_what_is_done_by_hand_is_the_script(client: Client) -> None:
    name = client.open(until_s=4.0)
    client.ask("run", session=name, until_s=1.5)
    kill = {"do": "kill", "node": "n1"}
    script = client.ask("do", session=name, action=kill)["script"]
    assert script == [{"at_s": 1.5, **kill}]
    assert not client.ask("state", session=name)["nodes"]["n1"]["up"]
    lines, digest = trace_of(*script)
    assert client.ask("run", session=name)["hash"] == digest
    assert client.events == [json.loads(line) for line in lines]


def test_time_goes_back_and_another_future_takes_the_place(client: Client) -> None:
    name = client.open(until_s=4.0, script=[{"at_s": 3.5, "do": "heal"}])
    client.ask("run", session=name, until_s=1.5)
    before = client.ask("at", session=name, at_s=1.5)["hash"]
    client.ask("do", session=name, action={"do": "kill", "node": "n1"})
    first = client.ask("run", session=name, until_s=3.0)["hash"]
    back = client.ask("at", session=name, at_s=1.5)
    assert (back["now_s"], back["hash"], back["script"]) == (1.5, before, [])
    assert client.ask("run", session=name, until_s=3.0)["hash"] == first, "it is there again"
    client.ask("at", session=name, at_s=1.5)
    script = client.ask("do", session=name, action={"do": "pause", "node": "n2"})["script"]
    assert [each["do"] for each in script] == ["pause", "heal"], "what was planned stays"
    assert client.ask("run", session=name, until_s=3.0)["hash"] != first


def test_a_fork_begins_with_changes_and_leaves_the_first_alone(client: Client) -> None:
    script = [{"at_s": 1.0, "do": "kill", "node": "n1"}]
    name = client.open(script=script, until_s=4.0)
    here = client.ask("run", session=name, until_s=2.0)
    same = client.ask("fork", session=name, at_s=2.0)
    assert (same["hash"], same["now_s"]) == (here["hash"], 2.0)
    changes = {"rules_off": ["pre-vote"], "seed": 8, "settings": {"min.insync.replicas": "1"}}
    other = client.ask("fork", session=name, at_s=2.0, session_changes=changes)
    assert other["ok"], other
    assert other["hash"] != here["hash"]
    assert client.ask("state", session=name)["now_s"] == 2.0


def test_a_state_is_what_each_node_knows_itself(client: Client) -> None:
    name = client.open()
    client.ask("run", session=name, until_s=2.0)
    state = client.ask("state", session=name)
    nodes = state["nodes"]
    assert set(nodes) == {"n1", "n2", "n3"}
    leaders = [host for host, node in nodes.items() if node["role"] == "leader"]
    assert {node["leader"] for node in nodes.values()} == {int(leaders[0][1:])}
    partition = nodes["n1"]["partitions"]["t-0"]
    leader = nodes[f"n{partition['leader']}"]["partitions"]["t-0"]
    assert leader["leads"]
    assert leader["high_watermark"] <= leader["log_end"]
    assert leader["epochs"] == [[0, 0]]
    assert state["clients"]["producer0"]["topic"] == "t"
    client.ask("do", session=name, action={"do": "cut", "from": "n1", "to": "n2"})
    client.ask("do", session=name, action={"do": "kill", "node": "n3"})
    state = client.ask("state", session=name)
    assert state["cuts"] == [["n1", "n2"]]
    assert state["nodes"]["n3"] == {**state["nodes"]["n3"], "up": False, "serves": False}
    assert "term" not in state["nodes"]["n3"]


IMPOSSIBLE: list[tuple[list[Json], str]] = [
    ([{"do": "restart", "node": "n1"}], "n1 runs: kill or stop it first"),
    ([{"do": "resume", "node": "n1"}], "only a paused node"),
    ([{"do": "wipe", "node": "n1"}], "n1 runs"),
    ([{"do": "pause", "node": "n1"}] * 2, "n1 is paused already since 1 s (pause)"),
    ([{"do": "pause", "node": "n1"}, {"do": "restart", "node": "n1"}], "n1 is paused: resume"),
    ([{"do": "kill", "node": "n1"}] * 2, "n1 is down since 1 s (kill): restart it first"),
    ([{"do": "kill", "node": "n1"}, {"do": "stop", "node": "n1"}], "n1 is down"),
    ([{"do": "stop", "node": "n1"}] * 2, "n1 is stopping already"),
    ([{"do": "cut", "from": "n1", "to": "n2"}] * 2, "nothing passes from n1 to n2 already"),
    ([{"do": "cut", "from": "n1", "to": "nobody"}], "there is no host nobody"),
    ([{"do": "heal", "from": "n1", "to": "n2"}], "is not cut"),
    ([{"do": "full-disk", "node": "n1", "full": False}], "has space"),
    ([{"do": "produce", "topic": "x"}], "there is no topic x"),
    ([{"do": "elect", "partition": "t-9"}], "there is no partition t-9"),
]


@pytest.mark.parametrize(("actions", "words"), IMPOSSIBLE, ids=[w for _, w in IMPOSSIBLE])
def test_what_is_impossible_is_refused_and_changes_nothing(
    client: Client, actions: list[Json], words: str
) -> None:
    name = client.open()
    client.ask("run", session=name, until_s=1.0)
    *first, last = actions
    for action in first:
        assert client.ask("do", session=name, action=action)["ok"]
    before = client.ask("at", session=name, at_s=1.001)
    client.ask("at", session=name, at_s=1.0)
    for action in first:
        client.ask("do", session=name, action=action)
    code, message = client.refused("do", session=name, action=last)
    assert code == "impossible"
    assert words in message
    after = client.ask("at", session=name, at_s=1.001)
    assert after["hash"] == before["hash"]
    assert len(after["script"]) == len(first)


def test_an_act_that_turns_out_impossible_stands_still_there(client: Client) -> None:
    script = [{"at_s": at, "do": "kill", "node": "n1"} for at in (1.0, 1.5)]
    name = client.open(script=script)
    code, message = client.refused("run", session=name, until_s=2.0)
    assert (code, "kill at 1.5 s: n1 is down" in message) == ("impossible", True)
    answer = client.ask("run", session=name, until_s=2.0)
    assert (answer["ok"], answer["now_s"]) == (True, 2.0)


def test_what_is_wrong_with_a_request_is_answered(client: Client) -> None:
    engine = client.engine
    requests: list[Any] = [None, 7, [], "x", {"id": {}}]
    for request in requests:
        (answer,) = engine.handle(request)
        assert answer["error"]["code"] == "bad-request"
        assert answer["id"] is None
    assert client.refused("opne") == ("unknown-op", "there is no op 'opne'; did you mean open?")
    assert client.refused("run", session="s9")[0] == "unknown-session"
    assert client.refused("open")[0] == "bad-request"
    name = client.open()
    client.ask("run", session=name, until_s=1.0)
    assert client.refused("run", session=name, until_s=0.5)[0] == "in-the-past"
    assert client.refused("run", session=name, until_kind="sneeze")[0] == "bad-request"
    action = {"at_s": 0.5, "do": "heal"}
    assert client.refused("do", session=name, action=action)[0] == "in-the-past"
    assert client.refused("do", session=name)[0] == "bad-session"
    assert client.refused("at", session=name, at_s="1")[0] == "bad-request"
    assert client.ask("close", session=name)["ok"]
    assert client.refused("state", session=name)[0] == "unknown-session"


def test_a_run_that_has_ended_can_go_back(client: Client) -> None:
    name = client.open()
    ended = client.ask("run", session=name)
    assert ended["ended"]
    assert client.refused("state", session=name)[0] == "ended"
    assert client.refused("do", session=name, action={"do": "heal"})[0] == "ended"
    assert client.ask("run", session=name)["hash"] == ended["hash"]
    client.ask("at", session=name, at_s=1.0)
    assert client.ask("state", session=name)["ok"]
    client.events.clear()
    assert client.ask("run", session=name)["hash"] == ended["hash"]
    assert client.events[0]["t"] > 1.0


def test_so_many_sessions_at_once_and_no_more(client: Client) -> None:
    for _ in range(SESSIONS_MAX):
        name = client.open()
    assert client.refused("open", session=LOST)[0] == "too-many-sessions"
    client.ask("close", session=name)
    assert client.open()


def test_a_reader_that_goes_away_leaves_the_session_where_it_is(client: Client) -> None:
    name = client.open()
    answers = client.engine.handle({"op": "run", "session": name, "until_s": 4.0})
    first = next(answers)
    assert len(first["events"]) == EVENTS_MAX
    answers.close()
    state = client.ask("state", session=name)
    assert state["now_s"] < 4.0
    assert client.ask("run", session=name, until_s=4.0)["ok"]


def test_a_violation_is_answered_with_its_story(client: Client) -> None:
    name = client.open(scenario="unclean_election", rules_off=["lost-log-is-not-eligible"])
    answer = client.ask("run", session=name)
    assert answer["ended"]
    assert all({"name", "at_s", "story"} <= set(each) for each in answer["violations"])
