"""Sections of the metadata: none is forgotten, wherever the metadata is taken apart or together.

A new section needs an example here. These tests then find each place that omits it: replay, the
image's fields, snapshots, removals by a loaded snapshot, slices, and the view for people.
"""

from __future__ import annotations

from dataclasses import fields

import pytest

from raftka.kraft.codec import encode_records
from raftka.kraft.delta import SECTIONS, MetadataDelta, everything, image_records, replay_batch
from raftka.kraft.image import EMPTY_IMAGE, TOPIC_RESOURCE, MetadataImage
from raftka.kraft.records import (
    RECORDS,
    AccessControlEntryRecord,
    BatchStampRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    TopicRecord,
    UserScramCredentialRecord,
)
from raftka.kraft.snapshot import decode_snapshot, encode_snapshot
from raftka.metadata_view import image_tree
from raftka.model.ids import NO_BROKER

A = b"a" * 16
TOPIC: list[MetadataRecord] = [
    TopicRecord("a", A),
    *(PartitionRecord(A, index, (1, 2), (1, 2), 1, reason="new") for index in range(9)),
]

EXAMPLES: dict[str, list[MetadataRecord]] = {
    "features": [FeatureLevelRecord("metadata.version", 25)],
    "brokers": [RegisterBrokerRecord(1, bytes(16), 7, (("PLAINTEXT", "h", 9092, 0),))],
    "topics": TOPIC,
    "configs": [ConfigRecord(TOPIC_RESOURCE, "a", "retention.ms", "5")],
    "producer_ids": [ProducerIdsRecord(NO_BROKER, -1, 3000)],
    "acls": [AccessControlEntryRecord(A, 2, "a", 3, "User:alice", "*", 3, 3)],
    "client_quotas": [ClientQuotaRecord((("client-id", None), ("user", "a")), "k", 5.0)],
    "tokens": [
        DelegationTokenRecord("id", ("User", "a"), ("User", "b"), (("User", "c"),), 1, 2, 3)
    ],
    "scram": [UserScramCredentialRecord("alice", 1, b"salt", b"stored", b"server", 4096)],
}
"""For each section, records that fill it, and no other section."""


def changes(delta: MetadataDelta, name: str) -> list[object]:
    """What a section reports as changed."""
    section = getattr(delta, name)
    return [getattr(section, each) for each in ("changed", "deleted") if hasattr(section, each)]


def test_every_section_has_an_example() -> None:
    assert EXAMPLES.keys() == SECTIONS.keys()
    delta = MetadataDelta(EMPTY_IMAGE)
    assert [type(each) for each in delta.sections()] == list(SECTIONS.values())


def test_every_record_is_replayed_by_one_section() -> None:
    replayed = [kind for section in SECTIONS.values() for kind in section.REPLAYS]
    assert len(replayed) == len(set(replayed))
    stamp = {BatchStampRecord}  # These belong to the batch, not to a subject: the delta has them.
    assert set(replayed) == set(RECORDS) - stamp


def test_a_delta_knows_when_its_batch_was_written_and_old_batches_do_not_say() -> None:
    stamp = BatchStampRecord(1_796_000_000_000, 3, "its link to the leader, node 1, broke")
    delta = replay_batch(EMPTY_IMAGE, 5, 2, encode_records([stamp, *TOPIC]))
    assert delta.stamp == stamp
    assert all(part.stamp == stamp for part in delta.slices(2))
    assert replay_batch(EMPTY_IMAGE, 5, 2, encode_records(TOPIC)).stamp is None


def test_every_field_of_the_image_belongs_to_one_section() -> None:
    owned = [name for section in SECTIONS.values() for name in section.FIELDS]
    assert sorted(owned) == sorted(
        field.name for field in fields(MetadataImage) if field.name not in ("offset", "epoch")
    )


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_goes_all_ways(name: str) -> None:
    delta = replay_batch(EMPTY_IMAGE, 5, 1, encode_records(EXAMPLES[name]))
    image = delta.image
    others = [each for each in SECTIONS if each != name]
    assert any(changes(delta, name)), "the delta says what changed"
    assert not any(any(changes(delta, other)) for other in others)
    assert any(
        getattr(image, field) != getattr(EMPTY_IMAGE, field) for field in SECTIONS[name].FIELDS
    )
    assert list(image_records(image)) == EXAMPLES[name]
    assert decode_snapshot(encode_snapshot(image), 5, 1) == image, "a snapshot keeps it"
    assert any(changes(everything(EMPTY_IMAGE, before=image), name)), (
        "a snapshot without it says that it is gone"
    )
    assert image_tree(image)[name] != image_tree(EMPTY_IMAGE)[name], "people see it"


@pytest.mark.parametrize("name", SECTIONS)
def test_slices_keep_a_section(name: str) -> None:
    """Together with a topic that is too large for one slice."""
    records = [*EXAMPLES[name], *(TOPIC if name != "topics" else [])]
    whole = replay_batch(EMPTY_IMAGE, 5, 1, encode_records(records))
    parts = list(whole.slices(4))
    assert len(parts) > 1
    if name == "topics":
        numbers = [number for part in parts for number in part.topics.changed.get("a", {})]
        assert numbers == list(range(9))
        return
    assert not any(any(changes(part, name)) for part in parts[:-1])
    assert changes(parts[-1], name) == changes(whole, name)


def test_everything_is_what_the_records_of_an_image_make() -> None:
    made = [each for records in EXAMPLES.values() for each in records]
    image = replay_batch(EMPTY_IMAGE, 5, 2, encode_records(made)).image
    replayed = MetadataDelta(EMPTY_IMAGE)
    replayed.replay_all(image_records(image), 5)
    whole = everything(image)
    assert whole.image == replayed.finish(5, 2) == image
    for name in SECTIONS:
        assert changes(whole, name) == changes(replayed, name)


def test_slices_have_each_partition_once_and_as_many_as_asked_for() -> None:
    records: list[MetadataRecord] = []
    for number, partitions in enumerate((3, 9, 1)):
        topic_id = bytes([number]) * 16
        records.append(TopicRecord(f"t{number}", topic_id))
        records += [PartitionRecord(topic_id, each, (1,), (1,), 1) for each in range(partitions)]
    before = replay_batch(EMPTY_IMAGE, 5, 1, encode_records(TOPIC)).image
    image = replay_batch(EMPTY_IMAGE, 6, 1, encode_records(records)).image
    parts = [part.topics for part in everything(image, before=before).slices(5)]
    assert [each.name for part in parts for each in part.deleted] == ["a"]
    assert [part.size for part in parts] == [9, 5, 5, 3]
    found = [(name, n) for part in parts for name, ns in part.changed.items() for n in ns]
    assert found == [(f"t{t}", n) for t, count in enumerate((3, 9, 1)) for n in range(count)]


def test_the_image_shows_what_was_replayed_so_far() -> None:
    delta = MetadataDelta(EMPTY_IMAGE)
    for records in EXAMPLES.values():
        delta.replay_all(records, 5)
    image = delta.image
    assert image.features and image.brokers and image.topics and image.configs
    assert image.next_producer_id == 3000
    assert MetadataImage() == EMPTY_IMAGE, "the base stays as it was"
