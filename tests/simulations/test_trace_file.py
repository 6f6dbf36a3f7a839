"""What a run writes: documented, with chains of causes, and without changing the run."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raftka.kraft.image import EMPTY_IMAGE, PartitionImage
from raftka.simulations.plan import Options, Step
from raftka.simulations.runs.run import plan_for, run_plan
from raftka.simulations.scenarios.stage import Stage, run_scenario
from raftka.tracing.kinds import COMMON, DECISIONS, KINDS
from raftka.tracing.metadata import broker_event, partition_event
from raftka.tracing.node import TraceFile

Event = dict[str, Any]
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "trace.md"


async def a_leader_dies(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    stage.consume("t", group="g")
    await stage.run(seconds=2)
    stage.kill(stage.leader_of("t"))
    await stage.run(seconds=3)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    file = io.StringIO()
    outcome = run_scenario(a_leader_dies, sink=file)
    again = run_scenario(a_leader_dies)
    assert again.trace_hash == outcome.trace_hash, "writing changes nothing"
    assert again.events == outcome.events
    return [json.loads(line) for line in file.getvalue().splitlines()]


def ancestors(events: list[Event], event: Event) -> Iterator[Event]:
    """All causes of an event, nearest first."""
    by_id = {each["id"]: each for each in events}
    found, queue = set(), [event]
    while queue:
        at = queue.pop(0)
        for number in (at.get("cause"), *at.get("after", ())):
            if number is not None and number not in found:
                found.add(number)
                queue.append(by_id[number])
                yield by_id[number]


def test_numbers_ascend_and_causes_go_before(events: list[Event]) -> None:
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    for event in events:
        assert event.get("cause", 0) < event["id"]
        assert all(each < event["id"] for each in event.get("after", ()))


def test_an_acknowledgement_leads_back_to_its_record(events: list[Event]) -> None:
    acks = [event for event in events if event["kind"] == "ack"]
    assert len(acks) > 50
    for ack in acks[10:20]:
        before = list(ancestors(events, ack))
        produce = next(e for e in before if e["kind"] == "produce" and e["record"] == ack["record"])
        assert produce["id"] == ack["produce"]
        holds = [
            event
            for event in before
            if event["kind"] == "append"
            and event["partition"] == ack["partition"]
            and event["base_offset"] <= ack["offset"] <= event["last_offset"]
        ]
        assert len({event["node"] for event in holds}) >= 2, "the leader's and a follower's"
        mark = next(event for event in before if event["kind"] == "high-watermark")
        assert mark["partition"] == ack["partition"]
        assert mark["offset"] > ack["offset"]


def test_an_election_leads_back_to_the_fault(events: list[Event]) -> None:
    kill = next(event for event in events if event["kind"] == "kill")
    elected = next(
        event
        for event in events
        if event["kind"] == "leader-elected"
        and event["partition"] == "t-0"
        and event["id"] > kill["id"]
    )
    chain = [event["kind"] for event in ancestors(events, elected)]
    assert chain[0] == "broker-fenced"
    assert chain[-1] == "kill"


def test_a_controller_has_the_votes_of_a_majority(events: list[Event]) -> None:
    elected = next(event for event in events if event["kind"] == "controller-elected")
    assert len(elected["votes"]) >= 2
    votes = [e for e in ancestors(events, elected) if e["kind"] == "quorum-vote"]
    assert {vote["candidate"] for vote in votes} == {elected["node"]}
    assert {vote["node"] for vote in votes} >= {elected["node"]}


EXPLAINED = {"reason", "code", "with", "rule", "where"}


def assert_explained(event: Event) -> None:
    """A decision says why, by which rule, and which line decides."""
    assert set(event) >= EXPLAINED, event
    assert event["reason"] and event["rule"], event
    path, _, line = event["where"].partition(":")
    lines = (ROOT / path).read_text().splitlines()
    near = "\n".join(lines[max(0, int(line) - 2) : int(line) + 6])
    code = event["code"].rpartition(".")[2]
    assert re.search(rf'"{code}"|def ', near), f"{event['where']} does not decide {code}"


def assert_documented(events: list[Event]) -> None:
    for event in events:
        if event["kind"] in DECISIONS:
            assert_explained(event)
        kind = KINDS[event["kind"]]
        fields = set(event) - set(COMMON)
        assert set(kind.fields) <= fields, event
        assert kind.is_open or fields <= {*kind.fields, *kind.optional}, event


def test_a_killed_node_does_nothing_more(events: list[Event]) -> None:
    """Its simulated tasks answer what they held while they are cancelled: into the void."""
    at = next(place for place, event in enumerate(events) if event["kind"] == "kill")
    killed = events[at]["node"]
    assert any(each.get("node") == killed for each in events[:at])
    assert [each["kind"] for each in events[at + 1 :] if each.get("node") == killed] == []


def test_events_have_the_fields_that_are_documented(events: list[Event]) -> None:
    assert_documented(events)


@pytest.mark.parametrize("seed", [7, 11])
def test_runs_with_faults_write_what_is_documented(seed: int) -> None:
    plan = plan_for(Options(seed=seed, duration_s=10.0))
    file = io.StringIO()
    outcome = run_plan(plan, sink=file)
    assert_documented([json.loads(line) for line in file.getvalue().splitlines()])
    assert run_plan(plan).trace_hash == outcome.trace_hash


def test_what_moves_leaders_logs_and_brokers_is_a_decision() -> None:
    moves = re.compile(r"quorum-(vote|truncate)|truncate|.*-elected|isr-changed|broker-(un)?\w+ed")
    # A broker asks to be registered, and the controller has no choice.
    found = {kind for kind in KINDS if moves.fullmatch(kind)} - {"broker-registered"}
    assert found == DECISIONS
    for kind in DECISIONS:
        assert {*KINDS[kind].fields, *KINDS[kind].optional} >= EXPLAINED, kind


def _calls(folder: str, names: set[str]) -> Iterator[tuple[Path, ast.Call]]:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                yield path, node


def _only_names(call: ast.Call) -> bool:
    """Whether a record of a partition holds only where a broker says its replica is."""
    return getattr(call.func, "id", "") == "PartitionChangeRecord" and len(call.args) == 2


def test_every_record_of_a_decision_says_why() -> None:
    """The controller's records of partitions and brokers hold the reason with its parameters."""
    names = {"PartitionRecord", "PartitionChangeRecord", "BrokerRegistrationChangeRecord"}
    calls = [*_calls("kraft/controller", names), *_calls("broker", names)]
    assert len(calls) >= 5
    silent = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in calls
        if "why" not in {each.arg for each in call.keywords} and not _only_names(call)
    ]
    assert silent == []


def test_every_kind_that_the_simulator_writes_is_documented() -> None:
    """Also events of few runs: by the strings in the code."""
    written = {
        node.args[0].value
        for folder in ("simulations", "tracing")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("event", "write")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    assert {"clock-drift", "lie-answered"} <= written
    assert written <= set(KINDS)


def test_the_document_names_every_kind_and_field() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|(.*?)\|(.*)\|$", DOCUMENT.read_text(), re.M)
    told = {
        kind: (
            set(re.findall(r"`(\w+)`(?!\?)", fields)),
            set(re.findall(r"`(\w+)`\?", fields)),
        )
        for kind, fields, _ in rows
        if kind not in COMMON
    }
    assert told == {name: (set(k.fields), set(k.optional)) for name, k in KINDS.items()}


def test_events_are_lines_with_causes() -> None:
    file = io.StringIO()
    trace = TraceFile(file, "n1", iter([10.0, 10.5, 11.0]).__next__)
    first = trace.event("controller-elected", node="n1", epoch=3)
    trace.event("leader-elected", cause=first, partition="t-0", leader=2)
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert lines[0] == {
        "id": 1, "t": 0.5, "kind": "controller-elected", "node": "n1", "epoch": 3
    }  # fmt: skip
    assert lines[1]["cause"] == 1


def test_changes_of_partitions_have_names() -> None:
    led = PartitionImage((1, 2), (1, 2), 1, leader_epoch=1)
    smaller = PartitionImage((1, 2), (1,), 1, leader_epoch=1, partition_epoch=1)
    moved = PartitionImage((1, 2), (2,), 2, leader_epoch=2, partition_epoch=2, reason="why")
    found = partition_event("t", 0, led, smaller)
    assert found is not None and found[0] == "isr-changed"
    found = partition_event("t", 0, smaller, moved)
    assert found is not None and found[0] == "leader-elected"
    assert found[1]["reason"] == "why"
    assert partition_event("t", 0, moved, moved) is None
    kind, fields = broker_event(EMPTY_IMAGE, EMPTY_IMAGE, 1) or ("", {})
    assert (kind, fields["broker"]) == ("broker-unregistered", 1)
    assert fields["code"] == "broker-unregistered"


def test_an_operation_leads_to_its_request() -> None:
    plan = replace(
        plan_for(Options(5, duration_s=3.0, faults=())),
        operations=(Step(1.0, "create-topic", "create-topic 0"),),
        faults=(),
    )
    file = io.StringIO()
    run_plan(plan, sink=file)
    events = [json.loads(line) for line in file.getvalue().splitlines()]
    operation = next(event for event in events if event.get("operation") == "create-topic")
    requests = [
        event["api"]
        for event in events
        if event["kind"] == "message-sent" and event.get("cause") == operation["id"]
    ]
    assert "CreateTopics" in requests
    led = next(
        event
        for event in events
        if event["kind"] == "leader-elected" and event["partition"].startswith("extra-")
    )
    assert operation in list(ancestors(events, led))
