"""Stories of violations: from a few events by hand, and from runs that fail."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from raftka.model.records import Record
from raftka.simulations.checkers.history import value_of
from raftka.simulations.observers.partition_log import Batch
from raftka.simulations.plan import Options
from raftka.simulations.runs.report import as_dict, summary
from raftka.simulations.runs.run import Outcome, plan_for, run_plan
from raftka.simulations.scenarios.stage import Stage, run_scenario
from raftka.simulations.story.chronicle import LINKS, Chronicle, Sighting
from raftka.simulations.story.crash import last_frames
from raftka.simulations.story.partition import PartitionStory
from raftka.simulations.story.replay import explain
from raftka.simulations.story.rules import RULES
from raftka.simulations.story.story import Row, Story, prune
from raftka.simulations.story.words import sentence
from raftka.simulations.violation import About, Exit

SIMULATIONS = Path(__file__).parents[3] / "simulations"
MINE, OTHER = (Batch(0, 5, 5, epoch, crc, 80, 0) for epoch, crc in ((0, 111), (1, 222)))


class Scroll:
    """A chronicle of record 7 of p, at offset 5 of t-0, written by hand."""

    def __init__(self) -> None:
        self.chronicle = Chronicle(About(("t", 0), 5, node="n2"))
        for batch, number in ((MINE, 7), (OTHER, 8)):
            value = value_of("p", number, True, 20)
            self.chronicle.records[5, batch.crc] = Record(5, 0, b"k", value)
        self.chronicle.known[5] = value_of("p", 7, True, 20)

    def event(self, at_s: float, kind: str, **fields: Any) -> int:
        number = len(self.chronicle.events) + 1
        self.chronicle.events.append({"id": number, "t": at_s, "kind": kind, **fields})
        return number

    def led(self, at_s: float, leader: int, epoch: int, *isr: int, reason: str = "") -> None:
        state = {"leader": leader, "isr": list(isr), "elr": []}
        self.event(at_s, "leader-elected", partition="t-0", epoch=epoch, reason=reason, **state)

    def has(self, at_s: float, host: str, batch: Batch | None, why: str = "") -> None:
        """With the next event."""
        place = len(self.chronicle.events)
        self.chronicle.sightings.append(Sighting(place, at_s, host, 5, batch, 6, why))

    def append(self, at_s: float, host: str, batch: Batch) -> None:
        self.has(at_s, host, batch)
        where = {"partition": "t-0", "base_offset": 5, "last_offset": 5}
        self.event(at_s, "append", node=host, leader_epoch=batch.epoch, **where)

    def tell(self) -> Story:
        return PartitionStory(self.chronicle, "lost-write").tell()


@pytest.fixture
def lost() -> Scroll:
    """n1 leads alone, acknowledges and loses its disk; n2 is elected without the record."""
    scroll = Scroll()
    scroll.led(1.0, 1, 0, 1)
    scroll.append(2.0, "n1", MINE)
    answer = scroll.event(2.1, "message-received", node="p", api="Produce", **{"from": "n1"})
    ack = {"partition": "t-0", "offset": 5, "record": 7, "produce": None}
    scroll.event(2.1, "ack", node="p", cause=answer, **ack)
    scroll.event(2.5, "serving", node="n3", life=1)
    fault = scroll.event(3.0, "fault", fault="wiped-disk", name="wiped-disk 0")
    scroll.event(3.0, "kill", node="n1", cause=fault)
    scroll.has(3.0, "n1", None, "lost its disk")
    scroll.event(3.0, "wipe", node="n1", cause=fault)
    scroll.led(4.0, 2, 1, 2, reason="nobody else is left")
    scroll.event(4.0, "violation", name="lost-write", story="...")
    return scroll


def test_a_lost_record_has_its_moment(lost: Scroll) -> None:
    story = lost.tell()
    assert story.lost_from_s == 3.0
    assert story.moment == (
        "from 3.000 s on no replica in the ISR had it: n1 lost its disk. From 3.000 s on it was on"
        " no disk at all. n2 never had it"
    )


def test_a_record_is_named_with_who_was_told_of_it(lost: Scroll) -> None:
    story = lost.tell()
    facts = dict(story.facts)
    assert facts["the record"].startswith("record 7 of producer p (key k), at offset 5 of t-0")
    assert facts["acknowledged"].startswith("by n1 to p at 2.100 s; n1 led in epoch 0")
    assert story.record["producer"] == "p"
    assert (story.record["number"], story.record["acked_by"]) == (7, "n1")


def test_the_timeline_shows_who_led_and_who_had_it(lost: Scroll) -> None:
    story = lost.tell()
    rows = {row.words: row.columns for row in story.timeline}
    assert rows["n1 writes the record at offset 5 under leader epoch 0"][-1] == "n1"
    wiped = "the disk with the logs of n1 is replaced by an empty one (wiped-disk 0)"
    assert rows[wiped] == ("n1", "0", "n1", "-")
    assert rows["n2 is the leader, in epoch 1: nobody else is left"] == ("n2", "1", "n2", "-")
    assert [row.words for row in story.timeline][-1] == "lost-write is seen"


def test_a_record_that_left_the_isr_is_told_apart_from_one_that_is_gone() -> None:
    scroll = Scroll()
    scroll.led(1.0, 1, 0, 1, 2)
    scroll.append(2.0, "n1", MINE)
    ack = {"partition": "t-0", "offset": 5, "record": 7}
    scroll.event(2.1, "ack", node="p", **ack)
    scroll.led(3.0, 2, 1, 2)
    scroll.append(3.5, "n2", OTHER)
    story = scroll.tell()
    assert story.lost_from_s == 3.0
    assert "n2 became the leader in epoch 1, and n1 left the ISR" in story.moment
    assert "n1, outside of the ISR, still had it" in story.moment
    copies = story.tables[0].rows
    assert [row[:2] for row in copies] == [("n1", "the record"), ("n2", "record 8 of p")]


def test_rows_that_tell_least_go_first() -> None:
    rows = [Row(float(n), str(n), 3.0 if n in (1, 9) else 1.0) for n in range(10)]
    kept, gone = prune(rows, 3, [9.0])
    assert ([row.words for row in kept], gone) == (["1", "8", "9"], 7)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ([("n1", "n2"), ("n2", "n1")], "n1 and n2 cannot reach each other"),
        (
            [(a, b) for a, b in (("n1", "n2"), ("n1", "n3"))] + [("n2", "n1"), ("n3", "n1")],
            "n1 is cut off from n2 and n3",
        ),
        (
            [(a, b) for a in ("n1", "n2", "n3") for b in ("n1", "n2", "n3") if a != b],
            "n1, n2 and n3 cannot reach each other",
        ),
        ([("n1", "p0"), ("n2", "p0")], "nothing gets from n1 and n2 to p0"),
    ],
)
def test_links_in_few_words(cut: list[tuple[str, str]], words: str) -> None:
    assert sentence({"kind": LINKS, "cut": cut, "healed": []}) == words


def test_every_invariant_has_its_rule() -> None:
    """A reader who does not know a name reads the rule first."""
    named = re.compile(r'(?:report|_report|_lost|stop)\(\s*"([a-z-]+)",')
    texts = [path.read_text() for path in [*SIMULATIONS.glob("*.py"), *SIMULATIONS.glob("*/*.py")]]
    names = {name for text in texts for name in named.findall(text)}
    names |= {f"{name}-recover" for text in texts for name in re.findall(r'_S, "(\w+)"', text)}
    assert len(names) > 40
    assert names - set(RULES) == set()


def test_the_innermost_frames_of_ours() -> None:
    error, frames = last_frames(
        "n1: ValueError: no\n"
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/x/site-packages/trio/_core/_run.py", line 1, in run\n'
        "  |     raise\n"
        '  |   File "/src/broker/serve.py", line 12, in serve\n'
        "  |     await work()\n"
        "  | ValueError: no\n"
    )
    assert error == "ValueError: no"
    assert frames == ["broker/serve.py:12, in serve", "    await work()", "ValueError: no"]


def test_two_logs_part_where_the_same_record_is_in_two_epochs() -> None:
    scroll = Scroll()
    scroll.chronicle.about = About(("t", 0), 5, node="n2", other="n1")
    scroll.led(1.0, 2, 0, 1, 2)
    scroll.append(2.0, "n2", MINE)
    scroll.led(3.0, 1, 1, 1)
    scroll.append(3.5, "n1", MINE._replace(epoch=1))
    story = PartitionStory(scroll.chronicle, "divergent-append").tell()
    assert story.moment == (
        "from 3.500 s on the two logs diverge at offset 5: n2 has the record of leader epoch 0"
        " since 2.000 s, n1 has the record of leader epoch 1 since 3.500 s"
    )


def test_a_fenced_broker_in_the_isr_has_its_moment() -> None:
    scroll = Scroll()
    scroll.chronicle.about = About(("t", 0), node="n2")
    scroll.led(1.0, 1, 0, 1, 2)
    scroll.event(2.0, "broker-fenced", broker=2, epoch=4)
    change = {"leader": 1, "isr": [1], "elr": [], "replicas": [1, 2], "partition_epoch": 1}
    scroll.event(2.0, "isr-changed", partition="t-0", **change)
    scroll.event(2.5, "isr-changed", partition="t-0", **{**change, "isr": [1, 2]})
    story = PartitionStory(scroll.chronicle, "fenced-in-isr").tell()
    assert story.moment == ("from 2.500 s on n2 was in the ISR, although it was fenced at 2.000 s")
    words = [row.words for row in story.timeline]
    assert words[-2:] == ["n2 leaves the ISR", "n2 joins the ISR"]


# Runs that fail.


async def a_leader_dies_with_what_only_it_has(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", acks=1)
    await stage.run(seconds=1)
    leader = stage.leader_of("t")
    stage.isolate(leader)
    await stage.run(seconds=0.5)
    stage.kill(leader)
    stage.heal_links()
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not leader)
    await stage.settle()


def explained(outcome: Outcome, again: Any) -> tuple[Outcome, dict[str, Any]]:
    explain(outcome, again)
    assert outcome.violation is not None
    found = as_dict(outcome, "abc")["violations"][0]
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(found))
    assert "trouble" not in found, "run again, it was the same run"
    return outcome, found


def test_a_run_that_loses_a_record_tells_its_story() -> None:
    again = partial(
        run_scenario, a_leader_dies_with_what_only_it_has, changes={"strict_acks_1": True}
    )
    outcome, found = explained(again(), again)
    assert outcome.exit is Exit.SAFETY
    record = found["record"]
    assert record["partition"] == "t-0"
    assert record["acked_at_s"] < found["lost_from_s"] < found["at_s"]
    killed = next(row for row in found["timeline"] if "is killed" in row["event"])
    assert killed["at_s"] <= found["lost_from_s"]
    assert f"{record['acked_by']} is killed" == killed["event"]
    assert any("is cut off from" in row["event"] for row in found["timeline"])
    text = summary(outcome, "abc", "raftka simulate ...")
    assert "THE MOMENT" in text and "(acks=1)" in text


def test_a_violation_of_the_quorum_tells_its_story() -> None:
    plan = plan_for(Options(1, duration_s=5.0, mutation="vote-not-persisted"))
    again = partial(run_plan, plan)
    _, found = explained(again(), again)
    assert found["rule"] == RULES["vote-not-durable"]
    assert any("for its vote in term 1" in row["event"] for row in found["timeline"])
    assert found["tables"]["what the disks of the quorum say at the end"]


async def a_node_is_never_reached_again(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    await stage.run(seconds=1)
    victim = stage.followers_of("t")[0]

    async def cut_again(stage: Stage) -> None:
        while True:
            stage.isolate(victim)
            await trio.sleep(0.0005)

    stage.start(cut_again)
    await stage.run(seconds=4)
    await stage.settle()


def test_what_is_stuck_is_told_with_how_all_stands() -> None:
    again = partial(run_scenario, a_node_is_never_reached_again)
    outcome, found = explained(again(), again)
    assert outcome.exit is Exit.LIVENESS
    assert "cut off from" in found["facts"]["links"]
    states = {row["node"]: row["broker"] for row in found["tables"]["the nodes"]}
    assert sorted(states.values()) == ["fenced", "unfenced", "unfenced"]


async def a_group_is_said_to_be_wrong(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    stage.consume("t", group="g")
    await stage.run(seconds=2)
    about = About(("t", 0), group="g", node="n1", other="consumer0")
    stage.world.report("two-owners", "t-0 belongs to two", about=about)


def test_a_group_is_told_by_generations() -> None:
    again = partial(run_scenario, a_group_is_said_to_be_wrong)
    _, found = explained(again(), again)
    assert found["facts"]["the group"] == "g, of consumer0"
    rows = {row["event"]: row["generation"] for row in found["timeline"]}
    assert rows["consumer0 gets t-0"] == "1"
    assert any("JoinGroup answer" in words for words in rows)


async def a_node_fails(stage: Stage) -> None:
    await stage.topic("t")
    process = stage.nodes[1].process
    assert process is not None

    def fail(*_: object) -> None:
        raise RuntimeError("not today")

    process.node.lifecycle._heartbeat = fail
    await stage.run(seconds=3)


def test_a_crash_is_told_with_its_place() -> None:
    again = partial(run_scenario, a_node_fails)
    outcome, found = explained(again(), again)
    assert outcome.exit is Exit.CRASHED
    assert found["facts"]["the error"] == "RuntimeError: not today"
    assert found["facts"]["the process"].startswith("n2, in its life 1")
    text = summary(outcome, "abc", "raftka simulate ...")
    assert "broker/lifecycle.py" in text


def test_a_run_that_is_not_the_same_again_says_so() -> None:
    plan = plan_for(Options(1, duration_s=5.0, mutation="vote-not-persisted"))
    outcome = run_plan(plan)
    outcome.trace_hash = "another"
    explain(outcome, partial(run_plan, plan))
    assert outcome.violation is not None and outcome.violation.told is not None
    assert "instead of another" in outcome.violation.told.trouble
