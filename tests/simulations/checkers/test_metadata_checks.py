"""The checks of the metadata, of answers to administrators, and of records' contents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from raftka.client.consumer.state import ConsumerRecord
from raftka.kraft.image import (
    TOPIC_RESOURCE,
    ConfigResource,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from raftka.kraft.snapshot import encode_snapshot
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from raftka.net.protocol.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from raftka.simulations.checkers.history import value_of
from raftka.simulations.checkers.ledger import Ledger
from raftka.simulations.checkers.metadata import MetadataChecker
from raftka.simulations.load.contents import contents, differs, identity
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.violation import NOTHING, About

KEY = ("t", 0)
MOVING = PartitionImage(
    (3, 1, 2), (1, 2), 1, partition_epoch=4, removing_replicas=(1,), adding_replicas=(3,)
)


class Told:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.checker = MetadataChecker(self.report)

    def report(self, name: str, story: str, *, about: About = NOTHING) -> None:
        assert story
        self.names.append(name)

    def change(self, before: PartitionImage, **changes: Any) -> list[str]:
        epoch = changes.pop("partition_epoch", before.partition_epoch + 1)
        after = replace(before, partition_epoch=epoch, **changes)
        self.checker.partition_changed(KEY, before, after)
        return self.names


SETTLED = {"removing_replicas": (), "adding_replicas": ()}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"isr": (1, 2, 3)}, []),
        ({"replicas": (3, 2), "isr": (2, 3), "leader": 2, "leader_epoch": 1, **SETTLED}, []),
        ({"replicas": (1, 2), **SETTLED}, []),
        (
            {"replicas": (3, 2), "isr": (2,), "leader": 2, "leader_epoch": 1, **SETTLED},
            ["replica-added-before-in-sync"],
        ),
        (
            {"isr": (1, 2, 3), **SETTLED},
            ["reassignment-forgot-to-remove"],
        ),
    ],
)
def test_how_a_reassignment_ends(changes: dict[str, Any], names: list[str]) -> None:
    assert Told().change(MOVING, **changes) == names


def test_a_replica_that_nobody_waits_for() -> None:
    before = PartitionImage((1, 2), (1, 2), 1)
    assert Told().change(before, replicas=(1, 2, 3), adding_replicas=(3,)) == []
    assert Told().change(before, replicas=(1, 2, 3)) == ["replica-added-before-in-sync"]


IMAGE = MetadataImage(
    offset=7,
    epoch=2,
    topics={"t": TopicImage("t", b"t" * 16, [replace(MOVING, elr=(2,), isr=(1,))])},
    topic_names={b"t" * 16: "t"},
    configs={ConfigResource(TOPIC_RESOURCE, "t"): {"retention.ms": "1"}},
    next_producer_id=1000,
)


def test_a_snapshot_that_says_all() -> None:
    told = Told()
    told.checker.snapshot_written("n1", IMAGE, encode_snapshot(IMAGE))
    assert told.names == []


@pytest.mark.parametrize(
    "lost",
    [
        lambda image: replace(image, configs={}),
        lambda image: replace(image, next_producer_id=0),
        lambda image: replace(image, topics={}, topic_names={}),
    ],
)
def test_a_snapshot_that_leaves_something_out(
    lost: Callable[[MetadataImage], MetadataImage],
) -> None:
    told = Told()
    told.checker.snapshot_written("n1", IMAGE, encode_snapshot(lost(IMAGE)))
    assert told.names == ["snapshot-equals-replay"]


def test_the_ledger_knows_what_was_acknowledged() -> None:
    ledger = Ledger()
    ledger.created("t", 3, {"segment.ms": "1"})
    assert ledger.may_be(("topic", "t")) == {3}
    with ledger.change(("setting", "t", "segment.ms"), "2"):
        assert ledger.may_be(("setting", "t", "segment.ms")) is None
    assert ledger.may_be(("setting", "t", "segment.ms")) == {"2"}
    assert ledger.may_be(("topic", "other")) is None


def test_the_ledger_knows_no_more_than_it_was_told() -> None:
    ledger = Ledger()
    thing = ("topic", "t")
    with ledger.change(thing, 3):
        pass
    with pytest.raises(ValueError, match="no answer"), ledger.change(thing, None):
        raise ValueError("no answer")
    assert ledger.may_be(thing) == {3, None}
    with ledger.change(thing, 5):
        pass
    assert ledger.may_be(thing) == {3, 5, None}, "the one before may come about yet"


def test_a_change_that_was_sent_twice_may_come_once_more() -> None:
    """Seed 31000273: a broker that had waited for a controller created a deleted topic again."""
    ledger, watched = Ledger(), Watched()
    ledger.listen(watched)
    create = CreateTopicsRequest(topics=[CreatableTopic(name="t")])
    delete = DeleteTopicsRequest(topics=[DeleteTopicState(name="t")])

    def send(request: Request[Any]) -> None:
        for told in watched.requests[request.API_KEY]:
            told("admin", "n1", request)

    thing = ("topic", "t")
    for times, possible in ((1, {None}), (2, {3, None})):
        with ledger.change(thing, 3):
            for _ in range(times):
                send(create)
        with ledger.change(thing, None):
            send(delete)
        assert ledger.may_be(thing) == possible
    assert ledger.is_doubtful(thing)


def test_of_two_changes_at_a_time_either_may_be_the_last() -> None:
    ledger = Ledger()
    thing = ("topic", "t")
    first = ledger.change(thing, 3)
    first.__enter__()
    with ledger.change(thing, 4):
        pass
    first.__exit__(None, None, None)
    assert ledger.may_be(thing) == {None, 3, 4}


def record(**changes: Any) -> ConsumerRecord:
    made = contents(value_of("p", 3, True, 40, 1234), 3, compacted=False)
    found = ConsumerRecord("t", 0, 9, 1234, made.key, made.value, made.headers)
    return found._replace(**changes)


def test_a_record_that_is_what_was_sent() -> None:
    assert differs(record(), log_append_time=False, compacted=False) is None
    stamped = record(timestamp_ms=99, timestamp_type="LogAppendTime")
    assert differs(stamped, log_append_time=True, compacted=False) is None


def test_a_tombstone_says_in_a_header_what_it_is() -> None:
    what = value_of("p", 8, True, 40, 1234)
    made = contents(what, 8, compacted=True)
    assert made.value is None
    assert made.key is not None
    assert identity(made.value, made.headers) == what
    found = ConsumerRecord("t", 0, 9, 1234, made.key, made.value, made.headers)
    assert differs(found, log_append_time=False, compacted=True) is None
    assert differs(found._replace(value=what), log_append_time=False, compacted=True) is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": None}, "key"),
        ({"headers": ()}, "headers"),
        ({"timestamp_ms": 1235}, "time"),
        ({"timestamp_type": "LogAppendTime"}, "time"),
        ({"value": None}, "value"),
        ({"value": b"x"}, "value"),
    ],
)
def test_a_record_that_is_not(changes: dict[str, Any], words: str) -> None:
    found = differs(record(**changes), log_append_time=False, compacted=False)
    assert found is not None
    assert words in found
