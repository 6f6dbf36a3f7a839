"""Batches that contradict their headers: no consumer could read them; they are refused."""

from __future__ import annotations

import struct

import pytest

from raftka.model.compression import NAMES
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.record_batch import LOG_APPEND_TIME, validate
from raftka.model.records import Record, encode_batch
from raftka.model.rules import Rule
from raftka.simulations.load.liar import KEYLESS, LIES, lying_batch
from raftka.simulations.observers.batch_contents import unreadable
from raftka.simulations.observers.partition_log import Batch, PartitionLogs, ReplicaMirror
from raftka.simulations.plan import Options
from raftka.simulations.runs.run import plan_for, run_plan
from raftka.storage.config import LogConfig
from raftka.storage.leader_checks import LeaderChecks
from tests.support.logs import NOW_MS

CONTROL = "a control batch"
WHERE = TopicPartition("t", 0)
TWO = [Record(0, NOW_MS, b"k", b"v", (("h", None),)), Record(1, NOW_MS + 3, None, None)]


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_where_batches_are_checked(lie: str) -> None:
    data = lying_batch(lie, NOW_MS)
    validate(memoryview(data))  # The checksum is right.
    with pytest.raises(KafkaError) as caught:
        LeaderChecks(WHERE, LogConfig()).accept(data, NOW_MS, from_client=True)
    expected = ErrorCode.UNKNOWN_SERVER_ERROR if "gzip" in lie else ErrorCode.INVALID_RECORD
    assert caught.value.code is expected


@pytest.mark.parametrize("lie", [each for each in LIES if each != CONTROL])
def test_a_lie_is_seen_on_the_disk_where_they_are_not(lie: str) -> None:
    view, *_ = LeaderChecks(WHERE, LogConfig(), {Rule.BATCHES_ARE_CHECKED}).accept(
        lying_batch(lie, NOW_MS), NOW_MS, from_client=True
    )
    found: list[tuple[str, int, str]] = []

    def saw(mirror: ReplicaMirror, batch: Batch, words: str) -> None:
        found.append((mirror.host, batch.base_offset, words))

    logs = PartitionLogs()
    logs.on_unreadable = saw
    segment = logs.watch("n1", f"/data/t-0/{0:020}.log")
    assert segment is not None
    good = encode_batch(TWO)
    segment.wrote(0, good)
    assert found == []
    segment.wrote(len(good), bytes(view))
    assert [each[:2] for each in found] == [("n1", 0)] and found[0][2]


def test_a_setting_of_the_topic_does_not_switch_the_check_on_again() -> None:
    checks = LeaderChecks(WHERE, LogConfig(), {Rule.BATCHES_ARE_CHECKED})
    checks.configure(LogConfig(max_message_bytes=1000))
    checks.accept(lying_batch("an offset delta twice", NOW_MS), NOW_MS, from_client=True)


def test_topics_change_what_they_believe() -> None:
    """Times and compression follow the settings, so that nothing but a lie shows the difference."""
    config = LogConfig(message_timestamp_type=LOG_APPEND_TIME, compression_type="gzip")
    checks = LeaderChecks(WHERE, config, {Rule.BATCHES_ARE_CHECKED})
    view, *_ = checks.accept(encode_batch(TWO, compression="lz4"), NOW_MS + 9, from_client=True)
    header = validate(view)
    assert (header.compression, header.timestamp_type) == ("gzip", LOG_APPEND_TIME)
    assert header.max_timestamp == NOW_MS + 9
    assert unreadable(bytes(view)) is None


@pytest.mark.parametrize("codec", NAMES)
def test_good_batches_can_be_read(codec: str) -> None:
    assert unreadable(encode_batch(TWO, compression=codec)) is None
    gaps = [Record(0, NOW_MS, None, b"a"), Record(4, NOW_MS, None, b"b")]
    batch = bytearray(encode_batch(gaps, compression=codec))
    assert unreadable(batch) is None


def test_words_name_what_is_wrong() -> None:
    good = bytearray(encode_batch(TWO))
    assert unreadable(good + b"\0") == "1 bytes follow its 2 records"
    struct.pack_into(">i", good, 57, 3)
    assert unreadable(good) == "it has fewer than 3 records"
    struct.pack_into(">h", good, 21, 7)
    assert unreadable(good) == "there is no codec 7"


def test_records_without_keys_are_refused_where_a_topic_is_compacted() -> None:
    data = lying_batch(KEYLESS, NOW_MS)
    LeaderChecks(WHERE, LogConfig()).accept(data, NOW_MS, from_client=True)
    compacted = LogConfig(cleanup_policy=("compact",))
    with pytest.raises(KafkaError) as refused:
        LeaderChecks(WHERE, compacted).accept(data, NOW_MS, from_client=True)
    assert refused.value.code is ErrorCode.INVALID_RECORD
    LeaderChecks(WHERE, compacted, {Rule.KEYS_WHERE_COMPACTED}).accept(
        data, NOW_MS, from_client=True
    )


@pytest.mark.parametrize("seed", [195258596, 195258624])
def test_a_run_with_lies_is_the_same_with_a_trace_and_without(seed: int) -> None:
    """A trace decodes clients' requests, even lies, which a leader may leave unanswered."""

    class Nowhere:
        def write(self, text: str) -> None:
            assert text

    plan = plan_for(Options(seed))
    assert run_plan(plan, sink=Nowhere()).trace_hash == run_plan(plan).trace_hash
