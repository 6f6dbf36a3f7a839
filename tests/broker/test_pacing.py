"""Large metadata changes take effect in slices, in order, and let other tasks run in between."""

from __future__ import annotations

import trio
import trio.testing

from raftka.broker.pacing import SLICE, PacedPublisher
from raftka.kraft.codec import encode_records
from raftka.kraft.delta import MetadataDelta, replay_batch
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.kraft.records import (
    ConfigRecord,
    MetadataRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from raftka.simulations.machines.clock import SimClock


def topic(name: str, partitions: int) -> list[MetadataRecord]:
    topic_id = name.encode().ljust(16, b".")
    records: list[MetadataRecord] = [TopicRecord(name, topic_id)]
    records += [PartitionRecord(topic_id, n, (1,), (1,), 1) for n in range(partitions)]
    return records


def change(image: MetadataImage, *records: MetadataRecord) -> MetadataDelta:
    return replay_batch(image, image.offset + 1, 1, encode_records(records))


def named(delta: MetadataDelta) -> list[tuple[str, int]]:
    return [(name, n) for name, numbers in delta.topics.changed.items() for n in numbers]


def test_a_small_change_stays_whole() -> None:
    delta = change(EMPTY_IMAGE, *topic("a", 3))
    assert list(delta.slices(3)) == [delta]


def test_a_large_change_is_cut_and_nothing_is_lost() -> None:
    first = change(EMPTY_IMAGE, *topic("a", 5), *topic("b", 2))
    removed = RemoveTopicRecord(b"a".ljust(16, b"."))
    again = [TopicRecord("a", b"x" * 16), PartitionRecord(b"x" * 16, 0, (1,), (1,), 1)]
    delta = change(
        first.image,
        removed,
        *again,
        *topic("c", 7),
        RegisterBrokerRecord(1, bytes(16), -1, ()),
        ConfigRecord(2, "c", "retention.ms", "5"),
    )
    parts = list(delta.slices(3))
    assert [name for part in parts for name, _ in named(part)] == ["a", *["c"] * 7]
    assert all(len(named(part)) <= 3 for part in parts)
    assert [topic.name for topic in parts[0].topics.deleted] == ["a"]
    assert named(parts[0]) == [], "deletions come before the name is used again"
    assert all(part.image is delta.image for part in parts)
    assert [bool(part.brokers.changed) for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].configs.changed == delta.configs.changed


class Recorder:
    """Two publishers that record their calls in one list."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []
        self.paced = PacedPublisher([self._one, self._other], SimClock())

    def _one(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.told.append(("one", image.offset, len(named(delta))))

    def _other(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.told.append(("other", image.offset, len(named(delta))))


async def test_a_small_change_takes_effect_at_once() -> None:
    recorder = Recorder()
    delta = change(EMPTY_IMAGE, *topic("a", 2))
    recorder.paced(delta.image, delta)
    assert recorder.told == [("one", 0, 2), ("other", 0, 2)]
    await recorder.paced.caught_up()


async def test_a_large_change_lets_others_go_on_and_keeps_the_order(
    nursery: trio.Nursery,
) -> None:
    recorder = Recorder()
    nursery.start_soon(recorder.paced.run)
    large = change(EMPTY_IMAGE, *topic("a", 3 * SLICE))
    small = change(large.image, *topic("b", 1))
    recorder.paced(large.image, large)
    recorder.paced(small.image, small)
    assert recorder.told == [], "the turn in which it was committed is not held up"
    turns = 0
    with trio.CancelScope() as counting:

        async def caught_up() -> None:
            await recorder.paced.caught_up()
            counting.cancel()

        nursery.start_soon(caught_up)
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1
    assert turns >= 3
    offsets = [offset for _, offset, _ in recorder.told]
    assert offsets == sorted(offsets)
    assert sum(count for who, _, count in recorder.told if who == "one") == 3 * SLICE + 1
    assert recorder.told[-2:] == [("one", 1, 1), ("other", 1, 1)]
    recorder.paced(small.image, change(small.image, *topic("c", 1)))
    assert recorder.told[-1] == ("other", 1, 1)
    nursery.cancel_scope.cancel()


async def test_who_is_about_to_end_takes_up_no_new_work(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Seeds 30001359 and 31001658: a coordinator got a partition after its tasks had ended."""
    told: list[MetadataDelta] = []
    publisher = PacedPublisher([lambda image, delta: told.append(delta)], SimClock())
    small, large = change(EMPTY_IMAGE, *topic("a", 1)), change(EMPTY_IMAGE, *topic("b", 10 * SLICE))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(publisher.run)
        publisher(small.image, small)
        publisher(large.image, large)
        publisher.stop()
        publisher(small.image, small)
        await publisher.caught_up()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert told == [small]
