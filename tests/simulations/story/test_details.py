"""Details of stories, by hand: a stuck follower, a lost commit, a record stored twice."""

from __future__ import annotations

from typing import Any

import pytest

from raftka.kraft.image import PartitionImage
from raftka.model.records import Record
from raftka.simulations.checkers.history import value_of
from raftka.simulations.observers.partition_log import Batch
from raftka.simulations.story.chronicle import Chronicle, Scene, Sighting
from raftka.simulations.story.group import group_story
from raftka.simulations.story.partition import PartitionStory
from raftka.simulations.story.stuck import stuck_story
from raftka.simulations.violation import About

LOG = "__consumer_offsets-3"


class Scroll:
    """A chronicle written by hand."""

    def __init__(self, about: About) -> None:
        self.chronicle = Chronicle(about)

    def event(self, at_s: float, kind: str, **fields: Any) -> int:
        number = len(self.chronicle.events) + 1
        self.chronicle.events.append({"id": number, "t": at_s, "kind": kind, **fields})
        return number

    def message(
        self, at_s: float, node: str, number: int, api: str, *, sent: bool, **fields: Any
    ) -> int:
        kind = "message-sent" if sent else "message-received"
        where = {"connection": "c", "correlation_id": number, "api": api}
        return self.event(at_s, kind, node=node, **where, **fields)


def scene(partition: PartitionImage, **ends: int) -> Scene:
    return Scene(
        at_s=9.0,
        nodes=[],
        controller=None,
        term=0,
        commit_index=0,
        committed={},
        partitions={"t-0": partition},
        logs={(host, "t-0"): (0, end) for host, end in ends.items()},
        cuts=frozenset(),
        waiting={},
        acks={},
        lacking={},
    )


def test_a_follower_that_does_not_get_on_is_told_with_what_it_asks() -> None:
    scroll = Scroll(About(("t", 0)))
    for number, at_s in enumerate((1.0, 1.5, 2.0)):
        mine = {"partition": "t-0", "fetch_offset": 4, "current_leader_epoch": 1}
        scroll.message(
            at_s, "n2", number, "Fetch", sent=True, side="request", to="n1", replica_id=2,
            partitions=[mine],
        )  # fmt: skip
        error = [{"partition": "t-0", "error": "FENCED_LEADER_EPOCH"}]
        answer = error if number < 2 else [{"partition": "t-0", "high_watermark": 9}]
        scroll.message(
            at_s + 0.1, "n2", number, "Fetch", sent=False, side="response", partitions=answer
        )
    scroll.message(
        3.0, "n2", 9, "Fetch", sent=True, side="request", to="n1", replica_id=2, partitions=[]
    )
    scroll.chronicle.scene = scene(PartitionImage((1, 2), (1,), 1, 2), n1=9, n2=4)
    table = next(t for t in stuck_story(scroll.chronicle).tables if t.title.startswith("what n2"))
    assert table.title == "what n2 asks about t-0 (its log ends at 4)"
    asked = "Fetch: fetch offset 4, current leader epoch 1"
    assert table.rows == [
        ("1.500", "2", "n1", asked, "error FENCED_LEADER_EPOCH"),
        ("2.000", "1", "n1", asked, "high watermark 9"),
        ("3.000", "1", "n1", "Fetch, which names it not (as before)", "nothing"),
    ]


def test_a_follower_that_asks_nothing_is_told_so() -> None:
    scroll = Scroll(About(("t", 0)))
    scroll.chronicle.scene = scene(PartitionImage((1, 2), (1,), 1, 2), n1=9, n2=4)
    table = next(t for t in stuck_story(scroll.chronicle).tables if t.title.startswith("what n2"))
    assert [row[2] for row in table.rows] == ["no broker, for nothing"]


def test_a_lost_commit_is_told_with_its_record() -> None:
    """n1 acknowledges a commit; n2 is elected without its record."""
    scroll = Scroll(About(("t", 0), 0, node="n2", other="m", group="g"))
    elected = {"partition": LOG, "isr": [1, 2], "elr": []}
    scroll.event(0.5, "leader-elected", leader=1, epoch=0, reason="", **elected)
    request = scroll.message(1.0, "n1", 7, "OffsetCommit", sent=False, side="request", group_id="g")
    where = {"partition": LOG, "base_offset": 5, "last_offset": 5, "leader_epoch": 0}
    scroll.event(1.0, "append", node="n1", cause=request, **where)
    answer = scroll.message(
        1.1, "m", 7, "OffsetCommit", sent=False, side="response", **{"from": "n1"}
    )
    scroll.event(
        1.1, "commit", node="m", cause=answer, group="g", partitions={"t-0": 12}, errors=[]
    )
    scroll.event(2.0, "kill", node="n1")
    scroll.event(2.1, "leader-elected", leader=2, epoch=1, reason="", **elected)
    scroll.event(3.0, "violation", name="committed-offset-lost", story="")
    story = group_story(scroll.chronicle, "committed-offset-lost")
    facts = dict(story.facts)
    assert facts["the commit"] == "m committed 12 of t-0; it was acknowledged by n1 at 1.100 s"
    assert facts["its record"] == f"at offset 5 of {LOG}"
    assert story.lost_from_s == 2.1
    assert story.moment == (
        f"from 2.100 s on n2, which leads {LOG} in epoch 1, did not have it; n1 had"
    )
    table = next(t for t in story.tables if "on the disks" in t.title)
    assert table.rows == [("n1", "1.000", "0", "still", "")]


def test_a_commit_that_was_never_written_is_told_so() -> None:
    scroll = Scroll(About(("t", 0), 0, node="n1", group="g"))
    answer = scroll.message(
        1.1, "m", 7, "OffsetCommit", sent=False, side="response", **{"from": "n1"}
    )
    scroll.event(
        1.1, "commit", node="m", cause=answer, group="g", partitions={"t-0": 12}, errors=[]
    )
    facts = dict(group_story(scroll.chronicle, "commit-not-stored").facts)
    assert facts["its record"] == "was written to no log"


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ((1, 4), (1, 0), "Its batch began with sequence 4 then, and with 0 now"),
        ((1, 4), (2, 4), "It came from producer id 1 then, and from 2 now"),
        ((1, 4), (1, 4), "It came as sequence 4 both times: n2 had forgotten it"),
    ],
)
def test_a_record_that_is_stored_twice_has_its_moment(
    first: tuple[int, int], second: tuple[int, int], words: str
) -> None:
    scroll = Scroll(About(("t", 0), 6, 5, node="p"))
    chronicle, value = scroll.chronicle, value_of("p", 7, True, 20)
    state = {"partition": "t-0", "isr": [1, 2], "elr": []}
    scroll.event(0.5, "leader-elected", leader=1, epoch=0, reason="", **state)
    for at_s, host, offset, epoch, (producer_id, sequence) in (
        (1.0, "n1", 5, 0, first),
        (2.0, "n2", 6, 1, second),
    ):
        batch = Batch(0, offset, offset, epoch, offset, 80, 0)
        place = len(chronicle.events)
        chronicle.sightings.append(Sighting(place, at_s, host, offset, batch, offset + 1, ""))
        chronicle.records[offset, batch.crc] = Record(offset, 0, b"k", value)
        chronicle.known[offset] = value
        where = {"partition": "t-0", "base_offset": offset, "last_offset": offset}
        who = {"producer_id": producer_id, "sequence": sequence, "leader_epoch": epoch}
        scroll.event(at_s, "append", node=host, **where, **who)
    story = PartitionStory(chronicle, "duplicate").tell()
    assert story.lost_from_s is None
    assert story.moment == (
        "from 2.000 s on it was stored twice: n1 had written it at offset 5 at 1.000 s, under"
        f" leader epoch 0, and n2 wrote it at offset 6 under leader epoch 1. {words}"
    )
