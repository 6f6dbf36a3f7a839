"""A real node's trace has the simulator's format."""

from __future__ import annotations

import io
import json

from kraft.image import EMPTY_IMAGE, PartitionImage
from raftka.tracing import TraceFile, broker_event, partition_event
from simulations.stage import Stage, run_scenario


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
    assert broker_event(EMPTY_IMAGE, EMPTY_IMAGE, 1) == ("broker-unregistered", {"broker": 1})


def test_a_run_writes_every_event_in_order() -> None:
    file = io.StringIO()

    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        await stage.run(seconds=1)
        stage.kill(stage.leader_of("t"))
        await stage.run(seconds=3)

    outcome = run_scenario(scenario, sink=file)
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [line["id"] for line in lines] == list(range(1, outcome.events + 1))
    kinds = {line["kind"] for line in lines}
    assert {"start", "controller-elected", "leader-elected", "kill", "message", "log"} <= kinds
    again = run_scenario(scenario)
    assert again.trace_hash == outcome.trace_hash, "writing changes nothing"
