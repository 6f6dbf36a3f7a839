"""What the console tools read and print: lines, records, patterns, tables, JSON."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftka.client.consumer import ConsumerRecord
from raftka.client.tools.configs import parse_settings
from raftka.client.tools.filters import partition_filter, topic_pattern
from raftka.client.tools.formatters import formatter
from raftka.client.tools.group_resets import datetime_ms, duration_ms
from raftka.client.tools.json_files import partition_entries
from raftka.client.tools.line_reader import LineReader
from raftka.client.tools.options import ToolError, UsageError
from raftka.client.tools.placement import spread
from raftka.client.tools.tables import Column, lines
from raftka.model.ids import TopicPartition as TP
from raftka.net.protocol import codec
from raftka.net.protocol.messages.group_metadata_key import GroupMetadataKey
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue, MemberMetadata
from raftka.net.protocol.messages.offset_commit_key import OffsetCommitKey
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue

# Lines in


def test_a_line_is_headers_key_and_value() -> None:
    reader = LineReader.from_properties(
        {"parse.key": "true", "parse.headers": "true", "null.marker": "NULL"}
    )
    assert reader.parse("a:1,b:NULL\tk\tv\tw", 1) == (
        b"k",
        b"v\tw",
        [("a", b"1"), ("b", None)],
    )
    assert reader.parse("NULL\tNULL\tNULL", 1) == (None, None, [])
    assert LineReader().parse("k\tv", 1) == (None, b"k\tv", [])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("no key", "No headers delimiter found on line number 7: 'no key'"),
        ("a:1\tvalue", "No key separator found on line number 7"),
        ("a\tk\tv", "No header key separator found in pair 'a' on line number 7"),
    ],
)
def test_a_missing_separator_is_named_or_ignored(line: str, words: str) -> None:
    properties = {"parse.key": "true", "parse.headers": "true"}
    with pytest.raises(ToolError) as caught:
        LineReader.from_properties(properties).parse(line, 7)
    assert words in str(caught.value)
    lenient = LineReader.from_properties({**properties, "ignore.error": "true"})
    assert lenient.parse(line, 7).value is not None


@pytest.mark.parametrize(
    "name", ["key.separator", "headers.delimiter", "headers.separator", "headers.key.separator"]
)
def test_an_empty_separator_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is empty"):
        LineReader.from_properties({name: ""})


def test_separators_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(UsageError, match="may not be equal"):
        LineReader.from_properties({"headers.separator": ":", "headers.key.separator": ":"})


# Records out

RECORD = ConsumerRecord("t", 3, 42, 1000, b"k", b"v", (("h", b"1"), ("n", None)), "CreateTime", 5)


@pytest.mark.parametrize(
    ("properties", "shown"),
    [
        ({}, b"v\n"),
        ({"print.key": "true"}, b"k\tv\n"),
        ({"print.key": "true", "key.separator": "=", "line.separator": ";"}, b"k=v;"),
        (
            dict.fromkeys(
                (
                    "print.timestamp",
                    "print.partition",
                    "print.offset",
                    "print.epoch",
                    "print.headers",
                    "print.key",
                ),
                "true",
            ),
            b"CreateTime:1000\tPartition:3\tOffset:42\tEpoch:5\th:1,n:null\tk\tv\n",
        ),
        ({"print.value": "false", "print.key": "true"}, b"k\n"),
    ],
)
def test_a_record_is_shown_as_the_properties_say(
    properties: Mapping[str, str], shown: bytes
) -> None:
    assert formatter(None, properties).format(RECORD) == shown


def test_what_is_not_there_is_shown_too() -> None:
    bare = ConsumerRecord("t", 0, 0, -1, None, None, ())
    names = ("print.timestamp", "print.headers", "print.key")
    properties = {**dict.fromkeys(names, "true"), "null.literal": "-"}
    assert formatter(None, properties).format(bare) == b"NO_TIMESTAMP\tNO_HEADERS\t-\t-\n"


def test_numbers_are_decoded_by_the_names_of_kafkas_classes() -> None:
    number = RECORD._replace(value=(258).to_bytes(8, "big"))
    name = "org.apache.kafka.common.serialization.LongDeserializer"
    assert formatter(None, {"value.deserializer": name}).format(number) == b"258\n"
    with pytest.raises(ToolError, match="1 bytes are not a number of 8 bytes"):
        formatter(None, {"value.deserializer": name}).format(RECORD)
    with pytest.raises(UsageError, match="Mystery is not known"):
        formatter(None, {"value.deserializer": "Mystery"})


# Small languages


def test_settings_keep_the_commas_in_brackets() -> None:
    assert parse_settings("a=1,b=[x,y],c=,d=e=f") == {"a": "1", "b": "x,y", "c": "", "d": "e=f"}
    with pytest.raises(UsageError, match='format "key=val"'):
        parse_settings("a=1,b")


def test_topic_patterns() -> None:
    assert topic_pattern("a.*,b").fullmatch("abc")
    assert topic_pattern("'a|b'").fullmatch("b")
    assert not topic_pattern("a").fullmatch("ab")
    with pytest.raises(UsageError, match="not a regular expression"):
        topic_pattern("a(")


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ("t", [0, 9], []),
        ("t:3", [3], [2, 4]),
        ("t:2-4", [2, 3], [1, 4]),
        ("t:2-", [2, 9], [1]),
        ("t:-2", [0, 1], [2]),
        (":1", [1], [0]),
    ],
)
def test_partition_patterns(rule: str, inside: list[int], outside: list[int]) -> None:
    matches = partition_filter(rule)
    assert all(matches(TP("t", partition)) for partition in inside)
    assert not any(matches(TP("t", partition)) for partition in outside)
    assert matches(TP("other", 1)) == rule.startswith(":")


def test_moments_and_durations() -> None:
    assert datetime_ms("1970-01-02T00:00:00.500") == 86_400_500
    assert datetime_ms("1970-01-01T01:00:00.000+01:00") == 0
    assert duration_ms("P1DT2H3M4S") == ((26 * 60 + 3) * 60 + 4) * 1000
    assert duration_ms("PT0.5S") == 500
    assert duration_ms("P1D") == -duration_ms("-P1D") == 86_400_000
    assert duration_ms("PT1H-30M") == 30 * 60 * 1000
    assert duration_ms("P-1DT24H") == 0
    for wrong in ("P", "1D", "PT", "P1DT", "P-1X", "yesterday"):
        with pytest.raises(ToolError, match="not a duration"):
            duration_ms(wrong)
    with pytest.raises(ToolError, match="longer than all time"):
        duration_ms("P999999999999999D")
    with pytest.raises(ToolError, match="not a time"):
        datetime_ms("soon")


def test_columns_grow_with_what_is_in_them() -> None:
    columns = [Column("A", 3), Column("B", 2, grows=True), Column("C", 0)]
    assert lines(columns, [["1", "long", "x"], ["12345", "y", "z"]]) == [
        "A   B    C",
        "1   long x",
        "12345 y    z",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "must be a JSON object"),
        ('{"version": 2}', "not supported version field value 2"),
        ("{}", 'no list of "partitions"'),
        ('{"partitions": [{"topic": "t"}]}', "does not name a topic and a partition"),
        (
            '{"partitions": [{"topic": "t", "partition": 0}, {"topic": "t", "partition": 0}]}',
            "t-0 is there more than once",
        ),
    ],
)
def test_json_files_are_checked(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(ToolError) as caught:
        partition_entries(str(path))
    assert words in str(caught.value)


@given(
    brokers=st.integers(1, 9),
    racks=st.integers(1, 4),
    partitions=st.integers(1, 30),
    factor=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_placements_spread_leaders_and_racks(
    brokers: int, racks: int, partitions: int, factor: int, seed: int
) -> None:
    factor = min(factor, brokers)
    where: dict[int, str | None] = {broker: f"r{broker % racks}" for broker in range(brokers)}
    placed = spread(partitions, factor, where, random.Random(seed))
    leaders = [replicas[0] for replicas in placed.values()]
    counts = [leaders.count(broker) for broker in range(brokers)]
    assert max(counts) - min(counts) <= 1
    there = len(set(where.values()))
    for replicas in placed.values():
        assert len(replicas) == len(set(replicas)) == factor
        assert len({where[broker] for broker in replicas}) == min(factor, there)


# __consumer_offsets, as JSON


def _offsets_record(key: bytes | None, value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord(
        topic="__consumer_offsets",
        partition=3,
        offset=7,
        timestamp_ms=5,
        timestamp_type="CreateTime",
        key=key,
        value=value,
        headers=[],
        leader_epoch=0,
    )


OFFSET_KEY = codec.encode_versioned(OffsetCommitKey(group="g", topic="t", partition=1), 1)
GROUP_KEY = codec.encode_versioned(GroupMetadataKey(group="g"), 2)
OFFSETS = "org.apache.kafka.tools.consumer.OffsetsMessageFormatter"
GROUPS = "org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter"


@pytest.mark.parametrize(
    "name",
    [
        "OffsetsMessageFormatter",
        OFFSETS,
        "kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter",
    ],
)
def test_a_committed_offset_is_the_json_of_kafka(name: str) -> None:
    value = OffsetCommitValue(
        offset=2,
        leader_epoch=0,
        commit_timestamp=1796024293958,
        topic_id=bytes.fromhex("23d160c34ad64d0680a972650890b2cb"),
    )
    record = _offsets_record(OFFSET_KEY, codec.encode_versioned(value, 4))
    assert formatter(name, {}).format(record) == (
        b'{"key":{"type":1,"data":{"group":"g","topic":"t","partition":1}},"value":{"version":4,'
        b'"data":{"offset":2,"leaderEpoch":0,"metadata":"","commitTimestamp":1796024293958,'
        b'"topicId":"I9Fgw0rWTQaAqXJlCJCyyw"}}}\n'
    )
    record = _offsets_record(OFFSET_KEY, None)
    assert formatter(name, {}).format(record).endswith(b'"partition":1}},"value":null}\n')


def test_a_topic_id_that_is_not_there_is_left_out() -> None:
    record = _offsets_record(OFFSET_KEY, codec.encode_versioned(OffsetCommitValue(offset=2), 4))
    assert b"topicId" not in formatter(OFFSETS, {}).format(record)


@pytest.mark.parametrize(
    "name", [GROUPS, "kafka.coordinator.group.GroupMetadataManager$GroupMetadataMessageFormatter"]
)
def test_a_groups_state_is_the_json_of_kafka(name: str) -> None:
    member = MemberMetadata(
        member_id="m",
        client_id="c",
        client_host="/127.0.0.1",
        rebalance_timeout=300000,
        session_timeout=45000,
        subscription=b"\x00\x03",
        assignment=b"",
    )
    value = GroupMetadataValue(
        protocol_type="consumer",
        generation=1,
        protocol="range",
        leader="m",
        current_state_timestamp=9,
        members=[member],
    )
    record = _offsets_record(GROUP_KEY, codec.encode_versioned(value, 3))
    assert formatter(name, {}).format(record) == (
        b'{"key":{"type":2,"data":{"group":"g"}},"value":{"version":3,"data":{"protocolType":'
        b'"consumer","generation":1,"protocol":"range","leader":"m","currentStateTimestamp":9,'
        b'"members":[{"memberId":"m","groupInstanceId":null,"clientId":"c","clientHost":'
        b'"/127.0.0.1","rebalanceTimeout":300000,"sessionTimeout":45000,"subscription":"AAM=",'
        b'"assignment":""}]}}}\n'
    )


def test_each_formatter_of_groups_shows_its_own_records_only() -> None:
    for key in (None, b"", b"\x00", b"\x00\x63rest", b"user's own key"):
        for name in (OFFSETS, GROUPS):
            assert formatter(name, {}).format(_offsets_record(key, b"x")) == b""
    assert formatter(OFFSETS, {}).format(_offsets_record(GROUP_KEY, None)) == b""
    assert formatter(GROUPS, {}).format(_offsets_record(OFFSET_KEY, None)) == b""


@pytest.mark.parametrize(
    ("key", "value"),
    [(OFFSET_KEY[:-1], None), (OFFSET_KEY, b""), (OFFSET_KEY, b"\x00\x63"), (OFFSET_KEY, b"\0\4")],
)
def test_an_unreadable_record_of_a_group_is_named(key: bytes, value: bytes | None) -> None:
    with pytest.raises(ToolError, match="offset 7 of __consumer_offsets-3 is not one of a group"):
        formatter(OFFSETS, {}).format(_offsets_record(key, value))


def test_an_unknown_formatter_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"NoOpMessageFormatter, OffsetsMessageFormatter, .* and"):
        formatter("org.example.Mystery", {})
