"""The offsets log on real replicas: what is committed when, and what a new coordinator reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from raftka.broker.coordinators.outbox import Batch, Entry, Producer, Record
from raftka.broker.coordinators.replicated_log import ReplicatedLog
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.image import PartitionImage
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC
from raftka.model.ports import bytes_of
from raftka.model.records import Record as LogRecord
from raftka.model.records import encode_batch, iter_batches
from tests.support.data_plane import Broker, World

ALONE = PartitionImage((1,), (1,), 1)
PAIR = PartitionImage((1, 2), (1, 2), 1)


class Log:
    """Broker 1's offsets log with one partition, and the results that its callers got."""

    def __init__(self, view: PartitionImage = ALONE, **config: str) -> None:
        self.world = World()
        self.world.add_topic(OFFSETS_TOPIC, view, **config)
        self.brokers = [Broker(self.world, broker_id) for broker_id in view.replicas]
        self.publish()
        leader = self.brokers[0]
        self.log = ReplicatedLog(OFFSETS_TOPIC, leader.replicas, leader.clock)
        self.told: list[ErrorCode | None] = []

    def publish(self) -> None:
        for broker in self.brokers:
            broker.publish()

    def append(self, *records: Record) -> None:
        self.append_entry(Batch(records))

    def append_entry(self, entry: Entry) -> None:
        clock = self.brokers[0].clock
        now = Moment(clock.monotonic(), clock.wall_ms())
        self.log.append(0, entry, now, self._tell)

    def bytes(self) -> bytes:
        log = self.brokers[0].replica(OFFSETS_TOPIC).log
        return b"".join(map(bytes_of, log.read(0, 1 << 20, log.log_end_offset).pieces))

    def wait_for(self, offset: int) -> None:
        self.log.when_committed(0, offset, self._tell)

    def _tell(self, error: KafkaError | None) -> None:
        self.told.append(None if error is None else error.code)

    def read_all(self) -> list[Record]:
        found: list[Record] = []
        offset = 0
        while offset < self.log.end_offset(0):
            entries, offset = self.log.read(0, offset)
            found += records_of(entries)
        return found


def records_of(entries: Sequence[Entry]) -> list[Record]:
    return [r for entry in entries if isinstance(entry, Batch) for r in entry.records]


def test_alone_everything_is_committed_at_once() -> None:
    log = Log()
    log.append((b"k", b"v"), (b"gone", None))
    assert log.told == [None]
    assert log.read_all() == [(b"k", b"v"), (b"gone", None)]
    assert log.log.end_offset(0) == 2


def test_reading_begins_where_the_log_begins_and_ends_where_it_ends() -> None:
    log = Log()
    assert log.read_all() == []
    for number in range(50):
        log.append((b"k%d" % number, b"v"))
    assert [key for key, _ in log.read_all()] == [b"k%d" % number for number in range(50)]
    entries, next_offset = log.log.read(0, 48)
    assert (records_of(entries), next_offset) == ([(b"k48", b"v"), (b"k49", b"v")], 50)


def test_reading_starts_within_a_batch() -> None:
    log = Log()
    log.append((b"a", b""), (b"b", b""), (b"c", b""))
    assert log.log.read(0, 2) == ([Batch([(b"c", b"")])], 3)


def test_what_a_producer_appends_is_read_as_pending_in_its_transaction() -> None:
    log = Log()
    replica = log.brokers[0].replica(OFFSETS_TOPIC)
    guard = replica.verify(7, 3, -1, bumps_epoch=True, now_ms=0)
    pending = Batch([(b"a", b"1"), (b"b", b"2")], Producer(7, 3), guard=guard)
    marker = EndMarker(7, 4, True, 12)
    for entry in (pending, Batch([(b"a", b"0")]), marker):
        log.append_entry(entry)
    assert log.told == [None, None, None]
    assert log.log.read(0, 0) == ([replace(pending, guard=None), Batch([(b"a", b"0")]), marker], 4)
    batches = list(iter_batches(log.bytes()))
    headers = [header for header, _ in batches]
    assert [header.is_transactional for header in headers] == [True, False, True]
    assert [header.is_control for header in headers] == [False, False, True]
    assert [header.base_sequence for header in headers] == [-1, -1, -1], "as Kafka's coordinators"
    assert [(h.producer_id, h.producer_epoch) for h in headers] == [(7, 3), (-1, -1), (7, 4)]


def test_a_log_that_was_summed_up_begins_there_on_every_replica() -> None:
    log = Log(PAIR)
    for each in range(4):
        log.append((b"k", b"%d" % each))
    log.brokers[1].copy(log.brokers[0], rounds=2)
    log.log.delete_before(0, 3)
    assert log.read_all() == [(b"k", b"3")]
    log.brokers[1].copy(log.brokers[0])
    starts = [each.replica(OFFSETS_TOPIC).log.log_start_offset for each in log.brokers]
    assert starts == [3, 3]


def test_other_control_records_say_nothing() -> None:
    log = Log()
    other = encode_batch([LogRecord(0, 0, b"\x00\x00\x00\x02", b"")], is_control=True)
    replica = log.brokers[0].replica(OFFSETS_TOPIC)
    log.brokers[0].replicas.append(replica, bytearray(other), 1, 0.0, from_client=False)
    log.append((b"k", b"v"))
    assert log.read_all() == [(b"k", b"v")]


def test_large_logs_are_read_in_pieces() -> None:
    log = Log()
    for number in range(6):
        log.append((b"%d" % number, bytes(400_000)))
    entries, next_offset = log.log.read(0, 0)
    assert 0 < len(records_of(entries)) == next_offset < 6
    assert len(log.read_all()) == 6


def test_it_is_committed_when_the_follower_has_it() -> None:
    log = Log(PAIR)
    log.append((b"k", b"v"))
    assert log.told == []
    leader, follower = log.brokers
    follower.copy(leader, rounds=2)
    assert log.told == [None]


def test_a_new_leader_waits_for_what_its_predecessor_left() -> None:
    log = Log(PAIR)
    log.append((b"k", b"v"))
    log.wait_for(1)
    assert log.told == []
    leader, follower = log.brokers
    follower.copy(leader, rounds=2)
    assert log.told == [None, None]
    log.wait_for(1)
    assert log.told == [None, None, None]


def test_a_leader_that_is_deposed_tells_who_waits() -> None:
    log = Log(PAIR)
    log.append((b"k", b"v"))
    log.world.change(OFFSETS_TOPIC, leader=2)
    log.publish()
    assert log.told == [ErrorCode.NOT_LEADER_OR_FOLLOWER]
    for refused in (
        lambda: log.log.check(0, writing=False),
        lambda: log.log.end_offset(0),
        lambda: log.log.read(0, 0),
        lambda: log.append((b"k", b"v")),
    ):
        with pytest.raises(KafkaError, match="NOT_LEADER_OR_FOLLOWER"):
            refused()


def test_with_too_few_in_sync_replicas_only_reading_goes_on() -> None:
    log = Log(PAIR, min_insync_replicas="2")
    log.world.change(OFFSETS_TOPIC, isr=(1,))
    log.publish()
    log.log.check(0, writing=False)
    with pytest.raises(KafkaError, match="NOT_ENOUGH_REPLICAS"):
        log.log.check(0, writing=True)
    with pytest.raises(KafkaError, match="NOT_ENOUGH_REPLICAS"):
        log.append((b"k", b"v"))
    assert log.log.end_offset(0) == 0


def test_who_has_lost_touch_with_the_controller_does_not_answer() -> None:
    log = Log()
    leader = log.brokers[0]
    leader.replicas.index.lease_until_s = leader.clock.monotonic() - 1
    with pytest.raises(KafkaError, match="NOT_LEADER_OR_FOLLOWER"):
        log.log.check(0, writing=False)


def test_a_partition_of_others() -> None:
    with pytest.raises(KafkaError, match="NOT_LEADER_OR_FOLLOWER"):
        Log().log.check(7, writing=False)
