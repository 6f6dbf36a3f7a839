"""The records of __consumer_offsets against bytes that Apache Kafka 4.3.1 wrote."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.group import kinds, records
from raftka.broker.coordinators.group.classic_log import restore, state_of
from raftka.model.errors import ErrorCode
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.messages.group_metadata_key import GroupMetadataKey
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue, MemberMetadata
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue
from tests.support.groups import ShardWorld

TOPIC_ID = bytes.fromhex("559747956a754e628a7f55210c553710")

GROUP_KEY = "00020002676a"
EMPTY_GROUP = "0003 0000 00000000 ffff ffff 000001a2052820bb 00000000"
LEFT_GROUP = "0003 0008636f6e73756d6572 00000002 ffff ffff 000001a2052820f8 00000000"
STATIC_GROUP = (
    "0003 0008636f6e73756d6572 00000001 000572616e6765"
    "0029696e73742d33356632633630322d343166302d346565622d616566372d666532313234626165316566"
    "000001a205282105 00000001"
    "0029696e73742d33356632633630322d343166302d346565622d616566372d666532313234626165316566"
    "0004696e7374 0002636c 000a2f3132372e302e302e31 00004e20 00002710"
    "0000000e 0001000000010002743100000000 00000007 41535349474e32"
)
OFFSET_KEY = "00010002676a 00027431 00000001"
OFFSET = (
    "0004 000000000000004d 00000003 0668656c6c6f 000001a2052820eb"
    "01 00 10 559747956a754e628a7f55210c553710"
)
OFFSET_WITH_EXPIRY = "0001 000000000000004d 000568656c6c6f 000001a205282133 000001a2052834bb"


def golden(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


STATIC_MEMBER_ID = "inst-35f2c602-41f0-4eeb-aef7-fe2124bae1ef"
GROUPS = [
    (EMPTY_GROUP, GroupMetadataValue(current_state_timestamp=1795382845627)),
    (
        LEFT_GROUP,
        GroupMetadataValue(
            protocol_type="consumer", generation=2, current_state_timestamp=1795382845688
        ),
    ),
    (
        STATIC_GROUP,
        GroupMetadataValue(
            protocol_type="consumer",
            generation=1,
            protocol="range",
            leader=STATIC_MEMBER_ID,
            current_state_timestamp=1795382845701,
            members=[
                MemberMetadata(
                    member_id=STATIC_MEMBER_ID,
                    group_instance_id="inst",
                    client_id="cl",
                    client_host="/127.0.0.1",
                    rebalance_timeout=20_000,
                    session_timeout=10_000,
                    subscription=golden("0001000000010002743100000000"),
                    assignment=b"ASSIGN2",
                )
            ],
        ),
    ),
]
OFFSETS = [
    (
        OFFSET,
        OffsetCommitValue(
            offset=77,
            leader_epoch=3,
            metadata="hello",
            commit_timestamp=1795382845675,
            topic_id=TOPIC_ID,
        ),
    ),
    (
        OFFSET_WITH_EXPIRY,
        OffsetCommitValue(
            offset=77,
            metadata="hello",
            commit_timestamp=1795382845747,
            expire_timestamp=1795382850747,
        ),
    ),
]


@pytest.mark.parametrize(("text", "value"), GROUPS)
def test_groups(text: str, value: GroupMetadataValue) -> None:
    assert records.group_key("gj") == golden(GROUP_KEY)
    assert records.group_value(value) == golden(text)
    decoded = kinds.decode(golden(GROUP_KEY), golden(text))
    assert decoded is not None
    assert decoded == (decoded.form, GroupMetadataKey(group="gj"), value)
    assert records.group_value(state_of(restore("gj", value))) == golden(text)


@pytest.mark.parametrize(("text", "value"), OFFSETS)
def test_offsets(text: str, value: OffsetCommitValue) -> None:
    assert records.offset_key("gj", "t1", 1) == golden(OFFSET_KEY)
    assert records.offset_value(value) == golden(text)
    decoded = records.decode_offset(golden(OFFSET_KEY), golden(text))
    assert (decoded.key.group, decoded.key.topic, decoded.key.partition) == ("gj", "t1", 1)
    assert decoded.value == value


def test_tombstones() -> None:
    gone = kinds.decode(golden(GROUP_KEY), None)
    assert gone is not None
    assert gone.value is None
    removed = records.decode_offset(golden(OFFSET_KEY), None)
    assert removed.value is None


def test_older_layouts_are_read() -> None:
    key = golden("0000 0002676a 00027431 00000001")
    value = golden("0000 000000000000004d 000568656c6c6f 000001a205282133")
    decoded = records.decode_offset(key, value)
    assert decoded.value == OffsetCommitValue(
        offset=77, metadata="hello", commit_timestamp=1795382845747
    )
    oldest = golden(
        "0000 0008636f6e73756d6572 00000001 000572616e6765 00016d 00000001"
        "00016d 0002636c 00022f68 00002710 00000000 00000000"
    )
    group = kinds.decode(golden(GROUP_KEY), oldest)
    assert group is not None
    assert isinstance(group.value, GroupMetadataValue)
    (member,) = restore("gj", group.value).members.values()
    assert member.rebalance_timeout_ms == member.session_timeout_ms == 10_000


def test_other_kinds_of_records_are_passed_over() -> None:
    """A newer version of the broker may have written them."""
    assert kinds.decode(golden("0063 0002676a"), b"\x00\x00") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (GROUP_KEY, "0009 0000"),
        (GROUP_KEY, EMPTY_GROUP[:-2]),
        (GROUP_KEY, ""),
        ("0002 0009676a", EMPTY_GROUP),
        (OFFSET_KEY, OFFSET + "00"),
    ],
)
def test_what_cannot_be_read_is_an_error_and_does_not_stop_a_replay(key: str, value: str) -> None:
    with pytest.raises(MalformedMessage):
        if records.key_type(golden(key)) in records.OFFSET_KEYS:
            records.decode_offset(golden(key), golden(value))
        else:
            kinds.decode(golden(key), golden(value))
    world = ShardWorld()
    world.shard.replay(golden(key), golden(value))
    assert world.shard.contents() == ({}, {})


def test_a_log_of_kafkas_is_taken_over() -> None:
    world = ShardWorld()
    for value in (EMPTY_GROUP, STATIC_GROUP):
        world.shard.replay(golden(GROUP_KEY), golden(value))
    world.shard.replay(golden(OFFSET_KEY), golden(OFFSET))
    world.shard.loaded(world.now)
    assert world.state("gj") == "Stable"
    assert world.committed("t1", 1, group="gj") == (77, "hello")
    beat = world.heartbeat(STATIC_MEMBER_ID, 1, group="gj", instance="inst")
    assert beat is ErrorCode.NONE
    world.shard.replay(golden(OFFSET_KEY), None)
    world.shard.replay(golden(GROUP_KEY), None)
    assert world.shard.contents() == ({}, {})
