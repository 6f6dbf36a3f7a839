"""The consumer against scripted brokers: positions, leader changes, and which records come."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from raftka.client.consumer import Consumer, LogTruncated, NoOffset
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition as TP
from raftka.model.records import Record, encode_batch
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages.fetch import FetchRequest
from tests.support.memory_network import VirtualClock
from tests.support.scripted_cluster import ScriptedCluster, ScriptedPartition

SETTINGS = {"bootstrap.servers": "b1:9092,b2:9092", "auto.offset.reset": "earliest"}
T0 = TP("t", 0)


def fill(part: ScriptedPartition, *values: bytes) -> None:
    """One batch of these."""
    part.append(encode_batch([Record(0, 1000, None, value) for value in values]))


async def read(consumer: Consumer, count: int) -> list[tuple[int, int, bytes | None]]:
    """Poll until there are this many records."""
    found: list[tuple[int, int, bytes | None]] = []
    with trio.fail_after(60):
        while len(found) < count:
            records = await consumer.poll(5)
            found += [(record.partition, record.offset, record.value) for record in records]
    return found


async def test_all_records_in_order(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    parts = cluster.create("t", 3)
    for index, part in enumerate(parts):
        for number in range(4):
            fill(part, b"%d-%d" % (index, number))
    async with Consumer({**SETTINGS, "max.poll.records": 2}, **world) as consumer:
        consumer.assign([TP("t", index) for index in range(3)])
        found = await read(consumer, 12)
    for index in range(3):
        mine = [value for partition, _, value in found if partition == index]
        assert mine == [b"%d-%d" % (index, number) for number in range(4)]


async def test_partitions_take_turns_at_a_broker_that_keeps_no_session(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    """A response has room for one batch: the order in the request determines the partition."""
    for topic in ("t", "u"):
        for index, part in enumerate(cluster.create(topic, 2)):
            cluster.elect(topic, index, 1)
            for _ in range(4):
                fill(part, b"x" * 100)
    targets = [TP("t", 0), TP("t", 1), TP("u", 0), TP("u", 1)]
    order: list[TP] = []
    async with Consumer({**SETTINGS, "fetch.max.bytes": 1}, **world) as consumer:
        consumer.assign(targets)
        with trio.fail_after(60):
            while len(order) < 16:
                order += [TP(each.topic, each.partition) for each in await consumer.poll(5)]
        assert consumer.assignment == targets
    assert order == targets * 4


async def test_a_poll_without_records_ends_in_time(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Consumer(SETTINGS, **world) as consumer:
        consumer.assign([T0])
        begun = trio.current_time()
        assert await consumer.poll(2) == []
        assert trio.current_time() - begun == pytest.approx(2, abs=0.1)


async def test_seeking_back_and_forth(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    fill(part, b"a", b"b", b"c")
    async with Consumer(SETTINGS, **world) as consumer:
        consumer.assign([T0])
        assert await consumer.position(T0) == 0
        assert len(await read(consumer, 3)) == 3
        consumer.seek(T0, 1)
        assert await read(consumer, 2) == [(0, 1, b"b"), (0, 2, b"c")]
        consumer.seek_to_beginning()
        assert (await read(consumer, 3))[0] == (0, 0, b"a")
        consumer.seek_to_end()
        assert await consumer.position(T0) == 3
        fill(part, b"d")
        assert await read(consumer, 1) == [(0, 3, b"d")]


async def test_what_iteration_holds_back_is_not_consumed(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    fill(part, b"a", b"b", b"c")
    async with Consumer(SETTINGS, **world) as consumer:
        consumer.assign([T0])
        async for record in consumer:
            if record.value == b"a":
                break
        assert await consumer.position(T0) == 1
        assert [r.value for r in await consumer.poll()] == [b"b", b"c"]
        assert await consumer.position(T0) == 3


async def test_a_paused_partition_rests_while_others_go_on(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    one, two = cluster.create("t", 2)
    fill(one, b"one")
    fill(two, b"two")
    async with Consumer(SETTINGS, **world) as consumer:
        consumer.assign([T0, TP("t", 1)])
        consumer.pause([T0])
        assert await read(consumer, 1) == [(1, 0, b"two")]
        assert await consumer.poll(1) == []
        assert consumer.paused == [T0]
        consumer.resume([T0])
        assert await read(consumer, 1) == [(0, 0, b"one")]


async def test_a_leader_that_dies_is_left_for_the_next(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    fill(part, b"a")
    async with Consumer(SETTINGS, **world) as consumer:
        consumer.assign([T0])
        await read(consumer, 1)
        cluster.kill(part.leader)
        assert await consumer.poll(0.5) == []
        cluster.elect("t", 0, 2)
        fill(part, b"b")
        begun = trio.current_time()
        assert await read(consumer, 1) == [(0, 1, b"b")]
        assert trio.current_time() - begun < 1.5


async def test_broken_connections_skip_and_repeat_nothing(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    for number in range(30):
        fill(part, b"%d" % number)
    hits = 0

    def fault(broker: int, request: Request[Any]) -> str | None:
        nonlocal hits
        hits += isinstance(request, FetchRequest)
        return "after" if isinstance(request, FetchRequest) and hits % 2 else None

    cluster.fault = fault
    settings = {**SETTINGS, "max.poll.records": 3}
    async with Consumer(settings, **world) as consumer:
        consumer.assign([T0])
        found = await read(consumer, 30)
    assert [offset for _, offset, _ in found] == list(range(30))


async def test_who_reads_nearby_asks_for_the_layout_until_there_is_a_leader_to_compare_with(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    """Seed 5000228: no request was in flight that could have failed and led to a refresh."""
    part, _ = cluster.create("t", 2)
    fill(part, b"a")
    cluster.near = 3
    async with Consumer({**SETTINGS, "client.rack": "r"}, **world) as consumer:
        consumer.assign([T0, TP("t", 1)])
        await read(consumer, 1)
        consumer.pause([T0])
        await consumer.poll(1)
        cluster.kill(part.leader)
        cluster.elect("t", 0, part.leader)
        broken = iter(["before"])
        cluster.fault = lambda broker, request: next(broken, None)
        await consumer.poll(1)  # The other partition's fetch, whose failure brings the new layout.
        consumer.resume([T0])
        assert await consumer.poll(1) == []
        cluster.elect("t", 0, 2)
        fill(part, b"b")
        begun = trio.current_time()
        assert await read(consumer, 1) == [(0, 1, b"b")]
        assert trio.current_time() - begun < 3


async def test_a_replica_nearby_that_is_busy_for_longer_than_the_layout_lasts_is_read_from(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    """Seed 21000162: the leader's answer was out of date each time before it could be followed."""
    part, *_ = cluster.create("t", 3)
    cluster.near = 3
    settings = {"client.rack": "r", "metadata.max.age.ms": 2000, "fetch.max.wait.ms": 3000}
    async with Consumer({**SETTINGS, **settings}, **world) as consumer:
        consumer.assign([T0, TP("t", 2)])
        consumer.pause([T0])
        await consumer.poll(0.5)  # From now on a fetch waits at the replica, which leads the other.
        fill(part, b"a")
        consumer.resume([T0])
        begun = trio.current_time()
        assert await read(consumer, 1) == [(0, 0, b"a")]
        assert trio.current_time() - begun < 4


async def test_a_replica_nearby_that_the_layout_does_not_know_yet(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    """Seed 31001763: the leader named it at every request, and no other broker was asked."""
    (part,) = cluster.create("t")
    fill(part, b"a")
    cluster.kill(3)
    async with Consumer({**SETTINGS, "client.rack": "r"}, **world) as consumer:
        consumer.assign([T0])
        await read(consumer, 1)
        cluster.start(3)
        cluster.near = 3
        fill(part, b"b")
        asked = len(cluster.requests)
        begun = trio.current_time()
        assert await read(consumer, 1) == [(0, 1, b"b")]
        assert trio.current_time() - begun < 2
        assert len(cluster.requests) - asked < 30


@pytest.mark.parametrize("policy", ["earliest", "latest", "none"])
async def test_an_offset_outside_the_log(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, policy: str
) -> None:
    (part,) = cluster.create("t")
    fill(part, b"a", b"b")
    async with Consumer({**SETTINGS, "auto.offset.reset": policy}, **world) as consumer:
        consumer.assign([T0])
        consumer.seek(T0, 99)
        if policy == "none":
            with pytest.raises(KafkaError, match=r"offset 99 of t-0 is outside the log"):
                await consumer.poll(5)
            return
        if policy == "earliest":
            assert await read(consumer, 2) == [(0, 0, b"a"), (0, 1, b"b")]
        else:
            assert await consumer.poll(2) == []
        assert await consumer.position(T0) == 2


async def test_without_a_place_to_begin_the_caller_is_asked(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Consumer({**SETTINGS, "auto.offset.reset": "none"}, **world) as consumer:
        consumer.assign([T0])
        with pytest.raises(NoOffset, match="no committed offset for t-0"):
            await consumer.poll(5)


async def test_a_log_that_was_cut_sends_the_reader_back(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    fill(part, b"a", b"b", b"c")
    async with Consumer(SETTINGS, **world) as consumer:
        consumer.assign([T0])
        await read(consumer, 3)
        cluster.truncate("t", 0)
        cluster.elect("t", 0, 2)
        fill(part, b"A")
        assert await read(consumer, 1) == [(0, 0, b"A")]


async def test_a_cut_log_is_an_error_without_a_reset_policy(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    fill(part, b"a", b"b", b"c")
    async with Consumer({**SETTINGS, "auto.offset.reset": "none"}, **world) as consumer:
        consumer.assign([T0])
        consumer.seek(T0, 0)
        await read(consumer, 3)
        cluster.truncate("t", 0)
        cluster.elect("t", 0, 2)
        with pytest.raises(LogTruncated, match="t-0 was cut below the position 3"):
            await consumer.poll(10)


async def test_corrupt_records_are_not_handed_out(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    fill(part, b"abcdef")
    part.log[-3] ^= 1
    async with Consumer(SETTINGS, **world) as consumer:
        consumer.assign([T0])
        with pytest.raises(KafkaError, match="CORRUPT_MESSAGE"):
            await consumer.poll(5)


async def test_where_partitions_begin_and_end(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    (part,) = cluster.create("t")
    fill(part, b"a", b"b")
    async with Consumer(SETTINGS, **world) as consumer:
        assert await consumer.partitions_for("t") == [T0]
        assert await consumer.beginning_offsets([T0]) == {T0: 0}
        assert await consumer.end_offsets([T0]) == {T0: 2}
        with pytest.raises(KafkaError, match=r"t-7 does not exist"):
            await consumer.end_offsets([TP("t", 7)])


async def test_what_makes_no_sense_is_refused(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Consumer(SETTINGS, **world) as consumer:
        with pytest.raises(KafkaError, match="subscribe or assign first"):
            await consumer.poll(0)
        with pytest.raises(KafkaError, match=r"set group\.id"):
            consumer.subscribe(["t"])
        with pytest.raises(KafkaError, match=r"set group\.id"):
            await consumer.commit()
        consumer.assign([T0])
        with pytest.raises(KafkaError, match="t-5 is not assigned to this consumer"):
            consumer.seek(TP("t", 5), 0)
        with pytest.raises(KafkaError, match="not both"):
            consumer.subscribe(["t"])


async def test_a_loop_of_polls_that_wait_for_nothing_can_be_cancelled(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    async with Consumer(SETTINGS, **world) as consumer:
        consumer.assign([T0])
        await consumer.poll(1)
        with trio.CancelScope() as scope:
            scope.cancel()
            for _ in range(10):
                await consumer.poll(0)
        assert scope.cancelled_caught


class Stalling(VirtualClock):
    """A clock of a process that is paused for a while."""

    stalled_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.stalled_s


class Rejoining:
    """A membership that finds out meanwhile that it must rejoin."""

    def __init__(self, clock: Stalling) -> None:
        self._clock = clock

    def ready(self) -> bool:
        return not self._clock.stalled_s

    async def ensure_active(self) -> None:
        await trio.sleep_forever()


async def test_a_poll_whose_time_is_over_before_it_may_join_again_ends(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    clock = Stalling()
    membership: Any = Rejoining(clock)
    async with Consumer(SETTINGS, **{**world, "clock": clock}) as consumer:
        consumer.assign([T0])
        await consumer.poll(1)
        reading = consumer._reading

        async def stall() -> None:
            await trio.sleep(0.1)
            clock.stalled_s = 10.0
            reading.news.ring()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stall)
            assert await reading.next_records(1, membership, 1.0) == []
