"""What happens in runs leads back to a fault, an operation, a timer or the start of a process."""

from __future__ import annotations

import json

import pytest

from raftka.simulations.load.workload import ProducerTask
from raftka.simulations.plan import ProducerPlan
from raftka.simulations.runs.loose_ends import LooseEnds, look
from raftka.simulations.scenarios.stage import Stage, load, run_scenario


@pytest.mark.parametrize("seed", [3, 7, 8, 13])
def test_no_loose_ends_under_faults(seed: int) -> None:
    found = look(seed, 20.0)
    assert found.loose == {}, found.examples
    assert {"leader-elected", "quorum-vote"} <= set(found.seen)


@pytest.mark.parametrize("name", ["zombie_controller", "isolated_leader", "lost_leader"])
def test_no_loose_ends_in_scenarios(name: str) -> None:
    found = LooseEnds()
    module = load(name)
    run_scenario(module.scenario, settings=getattr(module, "SETTINGS", None), sink=found)
    assert found.loose == {}, found.examples


def test_an_election_after_silence_leads_to_the_pause() -> None:
    class Lines(list[str]):
        def write(self, text: str) -> None:
            self.append(text)

    lines = Lines()
    run_scenario(load("zombie_controller").scenario, sink=lines)
    events = {event["id"]: event for event in map(json.loads, lines)}
    pause = next(e for e in events.values() if e["kind"] == "pause")
    vote = next(
        e
        for e in events.values()
        if e["kind"] == "quorum-vote" and e.get("code") == "leader-silent" and e["t"] > pause["t"]
    )
    timer = events[vote["cause"]]
    assert (timer["kind"], timer["timer"]) == ("timer-fired", "election")
    assert pause["id"] in timer["after"]


async def a_producer_is_cut_off(stage: Stage) -> None:
    await stage.topic("t")
    settings: dict[str, int | str] = {"linger.ms": 0, "request.timeout.ms": 500}
    settings["delivery.timeout.ms"] = 1500
    task = ProducerTask(stage.world, ProducerPlan("p9", "t", -1, True, 2, 0.05, settings))
    stage.world.producers.append(task)
    stage.start(lambda _: task.run())
    await stage.run(seconds=1)
    stage.cut_off("p9")
    await stage.run(seconds=2)
    stage.heal_links()
    await stage.settle()


def test_a_failed_send_leads_to_its_timer_and_to_the_cut() -> None:
    lines: list[str] = []

    class Lines(LooseEnds):
        def write(self, text: str) -> None:
            super().write(text)
            lines.append(text)

    found = Lines()
    run_scenario(a_producer_is_cut_off, sink=found)
    events = {event["id"]: event for event in map(json.loads, lines)}
    assert found.seen["failed"]
    assert found.loose == {}
    failed = next(event for event in events.values() if event["kind"] == "failed")
    timer = events[failed["cause"]]
    assert (timer["kind"], timer["timer"]) == ("timer-fired", "delivery")
    assert {events[each]["kind"] for each in timer["after"]} == {"cut"}
    assert {events[each]["kind"] for each in failed["after"]} >= {"produce"}
    assert all("cause" in event for event in events.values() if event["kind"] == "log")


def test_what_leads_nowhere_is_counted() -> None:
    found = LooseEnds()
    for event in (
        {"id": 1, "kind": "message-sent"},
        {"id": 2, "kind": "leader-elected", "cause": 1},
        {"id": 3, "kind": "kill"},
        {"id": 4, "kind": "leader-elected", "after": [1, 3]},
    ):
        found.write(json.dumps(event))
    assert (found.seen["leader-elected"], found.loose["leader-elected"]) == (2, 1)


def test_an_election_after_a_farewell_leads_to_it() -> None:
    async def a_controller_is_told_to_stop(stage: Stage) -> None:
        await stage.topic("t")
        await stage.run(seconds=1)
        await stage.stop(stage.controller)
        await stage.run(seconds=3)

    lines: list[str] = []

    class Lines:
        def write(self, text: str) -> None:
            lines.append(text)

    run_scenario(a_controller_is_told_to_stop, sink=Lines())
    events = {event["id"]: event for event in map(json.loads, lines)}
    vote = next(e for e in events.values() if e.get("code") == "leader-resigned")
    farewell = events[vote["cause"]]
    assert (farewell["kind"], farewell["api"]) == ("message-received", "end-epoch")
    assert vote["with"] == {"leader": farewell["from"]}
