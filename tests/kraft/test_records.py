"""Metadata records as bytes: golden for each version, readable by the old, refused when newer."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import ClassVar

import msgpack
import pytest

from raftka.kraft.codec import (
    LAYOUTS,
    RecordLayout,
    UnreadableRecord,
    decode_records,
    encode_records,
)
from raftka.kraft.controller.features import bootstrap_records
from raftka.kraft.image import EMPTY_IMAGE
from raftka.kraft.records import (
    FIRST_METADATA_VERSION,
    RECORDS,
    AccessControlEntryRecord,
    BatchStampRecord,
    BrokerCordonRecord,
    BrokerRegistrationChangeRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord,
    RemoveTopicRecord,
    RemoveUserScramCredentialRecord,
    TopicRecord,
    UnregisterBrokerRecord,
    UserScramCredentialRecord,
)

ID = bytes(range(16))

# Bytes that every release must write and read for ever. Lines may be added, never changed.
GOLDEN: list[tuple[MetadataRecord, str]] = [
    (
        BatchStampRecord(1_796_000_000_123, 3, "why"),
        "9195cd03e800cf000001a229f1287b03a3776879",
    ),
    (
        RegisterBrokerRecord(
            broker_id=1,
            incarnation_id=ID,
            broker_epoch=-1,
            endpoints=(("PLAINTEXT", "host", 9092, 0),),
            features=(("metadata.version", 25, 25),),
            rack="a",
            log_dirs=(ID,),
        ),
        "919b000001c410000102030405060708090a0b0c0d0e0fff9194a9504c41494e54455854a4686f7374cd23840"
        "09193b06d657461646174612e76657273696f6e1919a161c3c291c410000102030405060708090a0b0c0d0e0f",
    ),
    (UnregisterBrokerRecord(1, 7), "919401000107"),
    (
        TopicRecord("logs", ID),
        "91940200a46c6f6773c410000102030405060708090a0b0c0d0e0f",
    ),
    (
        PartitionRecord(
            topic_id=ID,
            partition_id=0,
            replicas=(1, 2, 3),
            isr=(1, 2),
            leader=1,
            leader_epoch=4,
            partition_epoch=9,
            removing_replicas=(3,),
            adding_replicas=(2,),
            elr=(3,),
            last_known_elr=(),
            leader_recovery_state=1,
            reason="why",
        ),
        "91dc00120302c410000102030405060708090a0b0c0d0e0f00930102039201020104099103910291039001"
        "a3776879909090",
    ),
    (
        ConfigRecord(2, "logs", "retention.ms", None),
        "9196040002a46c6f6773ac726574656e74696f6e2e6d73c0",
    ),
    (
        PartitionChangeRecord(ID, 3, isr=(2,), leader=2, reason="why"),
        "91dc00100502c410000102030405060708090a0b0c0d0e0f03910202c0c0c0c0c0c0a3776879c0c0c0",
    ),
    (RemoveTopicRecord(ID), "91930900c410000102030405060708090a0b0c0d0e0f"),
    (
        FeatureLevelRecord("metadata.version", 25),
        "91940c00b06d657461646174612e76657273696f6e19",
    ),
    (
        ClientQuotaRecord((("client-id", None), ("user", "ann")), "producer_byte_rate", 5.0),
        "91950e009292a9636c69656e742d6964c092a475736572a3616e6eb270726f64756365725f627974"
        "655f72617465cb4014000000000000",
    ),
    (
        DelegationTokenRecord(
            "id", ("User", "alice"), ("User", "bob"), (("User", "eve"),), 1, 2, 3
        ),
        "91990a00a2696492a455736572a5616c69636592a455736572a3626f629192a455736572a3657665010203",
    ),
    (RemoveDelegationTokenRecord("id"), "91931a00a26964"),
    (ProducerIdsRecord(1, 7, 2000), "91950f000107cd07d0"),
    (
        BrokerRegistrationChangeRecord(1, 7, fenced=False),
        "919811010107c2c0c090",
    ),
    (
        AccessControlEntryRecord(ID, 2, "logs", 4, "User:a", "*", 3, 3),
        "919a1200c410000102030405060708090a0b0c0d0e0f02a46c6f677304a6557365723a61a12a0303",
    ),
    (
        UserScramCredentialRecord("a", 1, b"s", b"k", b"v", 4096),
        "91980b00a16101c40173c4016bc40176cd1000",
    ),
    (RemoveUserScramCredentialRecord("a", 1), "91941600a16101"),
    (BrokerCordonRecord(1, 7, (ID,)), "91951700010791c410000102030405060708090a0b0c0d0e0f"),
    (RemoveAccessControlEntryRecord(ID), "91931300c410000102030405060708090a0b0c0d0e0f"),
]


@pytest.mark.parametrize(
    ("record", "golden"), GOLDEN, ids=[type(record).__name__ for record, _ in GOLDEN]
)
def test_bytes_never_change(record: MetadataRecord, golden: str) -> None:
    assert encode_records([record]).hex() == golden
    assert decode_records(bytes.fromhex(golden)) == [record]


@pytest.mark.parametrize(
    ("golden", "record"),
    [
        (
            "919f0300c410000102030405060708090a0b0c0d0e0f009301020392010201040991039102910390"
            "01a3776879",
            PartitionRecord(ID, 0, (1, 2, 3), (1, 2), 1, 4, 9, (3,), (2,), (3,), (), 1, "why"),
        ),
        (
            "919d0500c410000102030405060708090a0b0c0d0e0f03910202c0c0c0c0c0c0a3776879",
            PartitionChangeRecord(ID, 3, isr=(2,), leader=2, reason="why"),
        ),
        (
            "91dc00100301c410000102030405060708090a0b0c0d0e0f009301020392010201040991039102910390"
            "01a377687990",
            PartitionRecord(ID, 0, (1, 2, 3), (1, 2), 1, 4, 9, (3,), (2,), (3,), (), 1, "why"),
        ),
        (
            "919e0501c410000102030405060708090a0b0c0d0e0f03910202c0c0c0c0c0c0a3776879c0",
            PartitionChangeRecord(ID, 3, isr=(2,), leader=2, reason="why"),
        ),
        ("919711000107c2c0c0", BrokerRegistrationChangeRecord(1, 7, fenced=False)),
    ],
)
def test_what_earlier_versions_wrote_is_read(golden: str, record: MetadataRecord) -> None:
    assert decode_records(bytes.fromhex(golden)) == [record]


def test_every_record_has_golden_bytes_and_an_id_of_its_own() -> None:
    assert {type(record) for record, _ in GOLDEN} == set(RECORDS)
    assert len({each.ID for each in RECORDS}) == len(RECORDS)


def test_fields_stand_in_the_order_of_the_versions_that_brought_them() -> None:
    for each in RECORDS:
        versions = [f.metadata.get("version", 0) for f in fields(each)]
        assert versions == sorted(versions)
        assert max(versions) < len(each.SINCE)
        assert list(each.SINCE) == sorted(each.SINCE)


def test_a_batch_keeps_its_order() -> None:
    records = [record for record, _ in GOLDEN]
    assert decode_records(encode_records(records)) == records
    assert decode_records(encode_records([])) == []


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(UnreadableRecord, match="id 99 is unknown; it was written by a newer"):
        decode_records(msgpack.packb([[99, 0, "x"]]))


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(UnreadableRecord, match="TopicRecord version 1 was written by a newer"):
        decode_records(msgpack.packb([[2, 1, "logs", ID]]))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        msgpack.packb(5),
        msgpack.packb([5]),
        msgpack.packb([[2]]),
        msgpack.packb([[2, 0, "logs"]]),
        msgpack.packb([[2, 0, "logs", ID, "more"]]),
        msgpack.packb([[2, None, "logs", ID]]),
        msgpack.packb([[2, 0, "logs", ID]]) + b"\x00",
    ],
)
def test_what_is_no_batch_is_refused(payload: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        decode_records(payload)


@dataclass(frozen=True, slots=True)
class GrownRecord(MetadataRecord):
    """A record as it may look after two more releases."""

    ID: ClassVar[int] = 1000
    SINCE: ClassVar[tuple[int, ...]] = (25, 26, 28)

    name: str
    color: str = field(default="grey", metadata={"version": 1})
    size: int = field(default=1, metadata={"version": 2})


def test_metadata_version_decides_which_version_is_written() -> None:
    layout = RecordLayout(GrownRecord)
    assert [layout.writable_version(level) for level in (25, 26, 27, 28, 40)] == [0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match=r"needs metadata\.version 25 or later"):
        layout.writable_version(24)


def test_an_old_version_is_read_with_defaults_for_what_came_later() -> None:
    layout = RecordLayout(GrownRecord)
    record = GrownRecord("x", "red", 5)
    assert layout.row(record, 0) == (1000, 0, "x")
    assert layout.row(record, 2) == (1000, 2, "x", "red", 5)
    assert layout.record((1000, 0, "x")) == GrownRecord("x", "grey", 1)
    assert layout.record((1000, 1, "x", "red")) == GrownRecord("x", "red", 1)


def test_all_records_can_be_written_at_the_first_metadata_version() -> None:
    for layout in LAYOUTS.values():
        assert layout.writable_version(FIRST_METADATA_VERSION) >= 0


def test_what_is_ours_is_written_once_the_whole_cluster_reads_it() -> None:
    why = ("broker-back", (("broker", 1),))
    change = PartitionChangeRecord(ID, 3, isr=(2,), why_changed=why)
    fenced = BrokerRegistrationChangeRecord(1, 7, fenced=True, why=why)
    placed = PartitionRecord(ID, 3, (1,), (1,), 1, directories=(ID,))
    (row,) = msgpack.unpackb(encode_records([placed], own=0))
    assert row[1] == 0 and decode_records(encode_records([placed], own=0)) == [
        PartitionRecord(ID, 3, (1,), (1,), 1)
    ]
    before = decode_records(encode_records([change, fenced], own=0))
    assert before == [
        PartitionChangeRecord(ID, 3, isr=(2,)),
        BrokerRegistrationChangeRecord(1, 7, fenced=True),
    ]
    assert decode_records(encode_records([change, fenced], own=1)) == [change, fenced]


def test_a_new_cluster_begins_with_our_own_feature() -> None:
    levels = {
        record.name: record.level
        for record in bootstrap_records(EMPTY_IMAGE, {"metadata.version": 30})
        if isinstance(record, FeatureLevelRecord)
    }
    assert levels["raftka.version"] == 1
