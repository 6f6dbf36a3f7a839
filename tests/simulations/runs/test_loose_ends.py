"""Events of runs lead back to a fault, an operation, a timer or the start of a process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from raftka.simulations.load.workload import ProducerTask
from raftka.simulations.plan import ProducerPlan
from raftka.simulations.runs.loose_ends import LooseEnds, look
from raftka.simulations.scenarios.stage import Stage, load, run_scenario
from raftka.tracing.elections import Elections


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


def ancestry(sink: list[str], event: dict[str, Any]) -> list[tuple[str, str]]:
    """Kind, and API or subject, of the events that led to one, along the first causes."""
    events = {each["id"]: each for each in map(json.loads, sink)}
    chain = []
    while "cause" in event:
        event = events[event["cause"]]
        subject = event.get("carries") or event.get("api") or event.get("operation", "")
        chain.append((event["kind"], subject))
    return chain


class Lines(list[str]):
    def write(self, text: str) -> None:
        self.append(text)

    def decided(self, code: str, kind: str = "leader-elected") -> list[dict[str, Any]]:
        """The decisions that a cause led to."""
        events = map(json.loads, self)
        return [e for e in events if e["kind"] == kind and e["code"].startswith(f"{code}.")]


def test_leaders_that_move_off_a_broker_that_stops_lead_to_its_shutdown() -> None:
    lines = Lines()
    run_scenario(load("rolling_restart").scenario, sink=lines)
    moved = lines.decided("broker-shutting-down")
    assert moved
    for each in moved:
        chain = ancestry(lines, each)
        assert chain[:2] == [
            ("message-received", "BrokerHeartbeat"),
            ("message-sent", "BrokerHeartbeat"),
        ]
        assert chain[2][0] == "shutdown"


def test_leaders_that_leave_a_disk_lead_to_its_failure() -> None:
    lines = Lines()
    module = load("one_disk_of_several")
    run_scenario(module.scenario, settings=getattr(module, "SETTINGS", None), sink=lines)
    moved = lines.decided("directory-offline")
    assert moved
    for each in moved:
        assert ancestry(lines, each)[2][0] == "directory-failed"


def test_eligible_replicas_that_a_setting_changes_lead_to_the_administrator() -> None:
    async def the_minimum_is_lowered(stage: Stage) -> None:
        await stage.topic("t", min_insync_replicas="3")
        await stage.topic("u")
        await stage.stop(stage.followers_of("t")[0])
        await stage.run(seconds=1)
        stage.hands.alter_topic("t", {"min.insync.replicas": "2"})
        await stage.run(seconds=2)
        stage.heal()

    lines = Lines()
    run_scenario(the_minimum_is_lowered, sink=lines)
    events = list(map(json.loads, lines))
    changed = [e for e in events if e.get("code") == "min-isr-changed" and e["partition"] == "t-0"]
    assert changed
    chain = ancestry(lines, changed[0])
    assert chain[0] == ("message-received", "IncrementalAlterConfigs")
    assert chain[-1][0] == "operation"


def test_an_unregistered_broker_leads_to_the_administrator() -> None:
    async def a_broker_is_unregistered(stage: Stage) -> None:
        await stage.topic("t")
        machine = next(each for each in stage.nodes if each is not stage.controller)
        await stage.stop(machine)
        await stage.run(seconds=1)
        stage.world.unregistering.add(machine.node_id)
        async with stage.admin() as admin:
            await admin.unregister_broker(machine.node_id)
        await stage.run(seconds=1)
        stage.restart(machine)

    lines = Lines()
    run_scenario(a_broker_is_unregistered, sink=lines)
    gone = next(e for e in map(json.loads, lines) if e["kind"] == "broker-unregistered")
    assert (gone["code"], gone["with"]) == ("broker-unregistered", {"broker": gone["broker"]})
    chain = ancestry(lines, gone)
    assert chain[0] == ("message-received", "UnregisterBroker")
    assert chain[-1] == ("operation", "administer")


def test_a_setting_of_all_brokers_is_found_for_each_partition() -> None:
    elections = Elections()
    elections.request_arrived("n1", "CreateTopics", {"partitions": [{"topic": "t"}]}, 7)
    altered = {"resources": [{"broker": ""}]}
    elections.request_arrived("n1", "IncrementalAlterConfigs", altered, 8)
    fields = {"partition": "t-0", "isr": [1], "code": "min-isr-changed", "with": {"min_isr": 1}}
    assert elections.cause_of("isr-changed", None, fields, 1.0) == 8


def test_a_request_in_an_envelope_follows_from_the_one_that_it_carries() -> None:
    elections = Elections()
    elections.request_arrived("n1", "UnregisterBroker", {"broker_id": 4}, 7)
    elections.request_arrived("n1", "UnregisterBroker", {"broker_id": 5}, 8)
    assert elections.asked({"carries": "UnregisterBroker", "broker_id": 4}) == 7
    assert elections.asked({"carries": "UnregisterBroker", "broker_id": 6}) is None


def test_partitions_whose_batch_comes_before_the_fencing_of_their_broker_have_its_cause() -> None:
    elections = Elections()
    elections.connection_lost("n1", "n2", 7)
    fields = {
        "partition": "t-0",
        "isr": [1],
        "code": "broker-gone.first-of-isr",
        "with": {"broker": 2},
    }
    assert elections.cause_of("leader-elected", None, fields, 1.0) == 7
    elections.told("broker-fenced", None, {"broker": 2}, 9, 2.0)
    assert elections.cause_of("leader-elected", None, fields, 2.0) == 9, "of the same batch"
