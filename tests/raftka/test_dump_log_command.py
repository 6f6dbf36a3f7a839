"""`raftka dump-log`: options, and offsets as Apache Kafka's tool prints them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raftka.broker.coordinators.group.records import (
    group_key,
    group_value,
    offset_key,
    offset_value,
)
from raftka.commands import main
from raftka.model.ids import Uuid, uuid_text
from raftka.model.records import Record, encode_batch
from raftka.net.protocol import codec
from raftka.net.protocol.messages.consumer_group_member_metadata_key import (
    ConsumerGroupMemberMetadataKey,
)
from raftka.net.protocol.messages.consumer_group_member_metadata_value import (
    ClassicMemberMetadata,
    ConsumerGroupMemberMetadataValue,
)
from raftka.net.protocol.messages.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
)
from raftka.net.protocol.messages.consumer_protocol_assignment import (
    TopicPartition as Assigned,
)
from raftka.net.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue, MemberMetadata
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue
from raftka.offsets_decoder import decode_offsets


def record(key: bytes | None, value: bytes | None) -> Record:
    return Record(0, 0, key, value, ())


def test_a_committed_offset() -> None:
    topic_id = Uuid(bytes(range(16)))
    value = OffsetCommitValue(
        offset=3, leader_epoch=0, metadata="", commit_timestamp=17, topic_id=topic_id
    )
    key, payload = decode_offsets(record(offset_key("gg", "t1", 0), offset_value(value)))
    assert key == '{"type":"1","data":{"group":"gg","topic":"t1","partition":0}}'
    assert payload == (
        '{"version":"4","data":{"offset":3,"leaderEpoch":0,"metadata":"","commitTimestamp":17,'
        f'"topicId":"{uuid_text(topic_id)}"}}}}'
    )


def test_older_layouts_have_other_fields() -> None:
    value = OffsetCommitValue(offset=3, metadata="m", commit_timestamp=17, expire_timestamp=20)
    _, payload = decode_offsets(record(offset_key("gg", "t1", 0), offset_value(value)))
    assert payload == (
        '{"version":"1","data":{"offset":3,"metadata":"m","commitTimestamp":17,'
        '"expireTimestamp":20}}'
    )


def test_a_group_and_what_its_members_want_and_have() -> None:
    member = MemberMetadata(
        member_id="m-1",
        client_id="c",
        client_host="/127.0.0.1",
        rebalance_timeout=300000,
        session_timeout=45000,
        subscription=codec.encode_versioned(ConsumerProtocolSubscription(topics=["t1"]), 3),
        assignment=codec.encode_versioned(
            ConsumerProtocolAssignment(assigned_partitions=[Assigned(topic="t1", partitions=[0])]),
            3,
        ),
    )
    value = GroupMetadataValue(
        protocol_type="consumer", generation=1, protocol="range", leader="m-1", members=[member]
    )
    key, payload = decode_offsets(record(group_key("gg"), group_value(value)))
    assert key == '{"type":"2","data":{"group":"gg"}}'
    assert payload is not None
    (told,) = json.loads(payload)["data"]["members"]
    assert told["subscription"] == {
        "topics": ["t1"],
        "userData": None,
        "ownedPartitions": [],
        "generationId": -1,
        "rackId": None,
    }
    assert told["assignment"] == {
        "assignedPartitions": [{"topic": "t1", "partitions": [0]}],
        "userData": None,
    }
    assert told["rebalanceTimeout"] == 300000


def test_a_member_of_a_consumer_group_has_kafkas_names() -> None:
    classic = ClassicMemberMetadata(session_timeout_ms=45_000)
    value = ConsumerGroupMemberMetadataValue(
        client_id="c", client_host="/127.0.0.1", classic_member_metadata=classic
    )
    key = codec.encode_versioned(ConsumerGroupMemberMetadataKey(group_id="gg", member_id="m"), 5)
    _, payload = decode_offsets(record(key, codec.encode_versioned(value, 0)))
    assert payload is not None
    told = json.loads(payload)["data"]
    assert told["rebalanceTimeoutMs"] == -1
    assert told["classicMemberMetadata"] == {"sessionTimeoutMs": 45_000, "supportedProtocols": []}


def test_removals_and_what_is_not_known() -> None:
    assert decode_offsets(record(group_key("gg"), None))[1] == "<DELETE>"
    assert decode_offsets(record(b"\x00\x63rest", b"x")) == ("<UNKNOWN>", "<UNKNOWN>")
    assert decode_offsets(record(None, b"x")) == ("<UNKNOWN>", "<UNKNOWN>")
    key, _ = decode_offsets(record(b"\x00\x01", b"x"))
    assert key is not None and key.startswith("<UNREADABLE")


def test_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "00000000000000000000.log"
    log.write_bytes(encode_batch([Record(0, 5, b"k", b"v", ())]))
    assert main(["dump-log", "--files", str(log)]) == 0
    assert "payload" not in capsys.readouterr().out
    assert main(["dump-log", "--print-data-log", "--files", f"{log},{tmp_path}/x.foo"]) == 0
    out = capsys.readouterr().out
    assert "key: k payload: v" in out
    assert "Ignoring unknown file x.foo" in out
    skipped = ["dump-log", "--print-data-log", "--skip-record-metadata", "--files", str(log)]
    assert main(skipped) == 0
    assert "| key: k payload: v\n" in capsys.readouterr().out


def test_what_cannot_be_dumped_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump-log"]) == 1
    assert "--files" in capsys.readouterr().err
    assert main(["dump-log", "--files", "/nowhere/00000000000000000000.log"]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main(["dump-log", "--cluster-metadata-decoder", "--files", "x"]) == 1
    assert "raftka metadata" in capsys.readouterr().err
