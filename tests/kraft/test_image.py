"""Replaying records into images: what is shared, what is reported, and what a snapshot keeps."""

from __future__ import annotations

import random

import pytest

from raftka.kraft.codec import encode_records
from raftka.kraft.delta import MetadataDelta, ReplayError, replay_batch
from raftka.kraft.image import (
    BROKER_RESOURCE,
    EMPTY_IMAGE,
    TOPIC_RESOURCE,
    ConfigResource,
    MetadataImage,
)
from raftka.kraft.records import (
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnregisterBrokerRecord,
)
from raftka.kraft.snapshot import decode_snapshot, encode_snapshot
from raftka.model.ids import Endpoint

A, B = b"a" * 16, b"b" * 16


def broker(broker_id: int) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id, bytes(16), -1, (("PLAINTEXT", f"h{broker_id}", 9092, 0),), rack="r"
    )


def partition(topic_id: bytes, index: int, leader: int = 1) -> PartitionRecord:
    return PartitionRecord(topic_id, index, (1, 2, 3), (1, 2, 3), leader, reason="new")


FIRST: list[MetadataRecord] = [
    FeatureLevelRecord("metadata.version", 25),
    broker(1),
    broker(2),
    broker(3),
    TopicRecord("a", A),
    partition(A, 0),
    partition(A, 1, leader=2),
    ConfigRecord(TOPIC_RESOURCE, "a", "retention.ms", "5"),
    ConfigRecord(BROKER_RESOURCE, "", "min.insync.replicas", "2"),
    ProducerIdsRecord(1, 7, 3000),
]


@pytest.fixture
def image() -> MetadataImage:
    return replay_batch(EMPTY_IMAGE, 10, 3, encode_records(FIRST)).image


def test_a_batch_makes_the_next_image(image: MetadataImage) -> None:
    assert (image.offset, image.epoch) == (10, 3)
    assert image.features == {"metadata.version": 25}
    assert image.brokers[2].epoch == 10
    assert image.brokers[2].fenced and not image.brokers[2].is_active
    assert image.brokers[2].endpoint("PLAINTEXT") == Endpoint("h2", 9092)
    assert image.brokers[2].endpoint("OTHER") is None
    assert image.topic_names == {A: "a"}
    second = image.partition("a", 1)
    assert second is not None and second.leader == 2 and second.preferred_leader == 1
    assert image.partition("a", 2) is None and image.partition("a", -1) is None
    assert image.partition("b", 0) is None and image.topic_by_id(B) is None
    assert image.topic_config("a") == {"retention.ms": "5"} and image.topic_config("b") == {}
    assert image.broker_config(None) == {"min.insync.replicas": "2"}
    assert image.broker_config(1) == {}
    assert image.next_producer_id == 3000


def test_an_image_never_changes(image: MetadataImage) -> None:
    before = encode_snapshot(image)
    delta = MetadataDelta(image)
    delta.replay_all(
        [
            PartitionChangeRecord(A, 0, isr=(2, 3), leader=2, reason="1 died"),
            BrokerRegistrationChangeRecord(1, 10, fenced=False),
            ConfigRecord(TOPIC_RESOURCE, "a", "retention.ms", None),
            TopicRecord("b", B),
            partition(B, 0),
        ],
        11,
    )
    after = delta.finish(11, 3)
    assert encode_snapshot(image) == before
    assert after.features is image.features, "what did not change is shared"
    assert after.topics["a"].partitions[1] is image.topics["a"].partitions[1]


def test_a_change_without_a_leader_keeps_the_leader_epoch(image: MetadataImage) -> None:
    change = PartitionChangeRecord(A, 0, isr=(1, 2))
    delta = replay_batch(image, 11, 3, encode_records([change]))
    after = delta.image.topics["a"].partitions[0]
    assert (after.leader, after.leader_epoch, after.partition_epoch) == (1, 0, 1)
    assert after.isr == (1, 2) and after.reason == "new"
    assert delta.topics.elections == []


def test_an_election_is_told_with_its_reason(image: MetadataImage) -> None:
    change = PartitionChangeRecord(A, 0, isr=(2, 3), leader=2, reason="1 died")
    delta = replay_batch(image, 11, 3, encode_records([change]))
    (told,) = delta.topics.elections
    assert (told.topic, told.partition, told.old_leader, told.new_leader) == ("a", 0, 1, 2)
    assert (told.leader_epoch, told.old_isr, told.new_isr) == (1, (1, 2, 3), (2, 3))
    assert told.reason == "1 died"
    assert delta.topics.changed == {"a": {0: None}}


def test_a_topic_that_is_deleted_and_made_again_is_both(image: MetadataImage) -> None:
    records = [RemoveTopicRecord(A), TopicRecord("a", B), partition(B, 0)]
    delta = replay_batch(image, 11, 3, encode_records(records))
    assert [topic.topic_id for topic in delta.topics.deleted] == [A]
    assert delta.topics.changed == {"a": {0: None}}
    assert delta.image.topics["a"].topic_id == B
    assert len(delta.image.topics["a"].partitions) == 1
    assert delta.image.topic_config("a") == {}, "settings go with their topic"
    assert delta.configs.changed == {ConfigResource(TOPIC_RESOURCE, "a"): None}


def test_a_topic_made_and_deleted_in_one_batch_was_never_there(image: MetadataImage) -> None:
    records = [TopicRecord("b", B), partition(B, 0), RemoveTopicRecord(B)]
    delta = replay_batch(image, 11, 3, encode_records(records))
    assert delta.topics.deleted == [] and delta.topics.changed == {}


def test_brokers_come_change_and_go(image: MetadataImage) -> None:
    unfenced = BrokerRegistrationChangeRecord(1, 10, fenced=False)
    image = replay_batch(image, 11, 3, encode_records([unfenced])).image
    assert [each.broker_id for each in image.alive_brokers()] == [1]
    assert image.is_active(1) and not image.is_active(2) and not image.is_active(9)
    leaving = BrokerRegistrationChangeRecord(1, 10, in_controlled_shutdown=True)
    image = replay_batch(image, 12, 3, encode_records([leaving])).image
    assert not image.is_active(1) and not image.brokers[1].fenced
    delta = replay_batch(image, 13, 3, encode_records([UnregisterBrokerRecord(1, 10)]))
    assert 1 not in delta.image.brokers and delta.brokers.changed == {1: None}


def test_a_feature_at_level_0_is_gone(image: MetadataImage) -> None:
    record = FeatureLevelRecord("metadata.version", 0)
    delta = replay_batch(image, 11, 3, encode_records([record]))
    assert delta.image.features == {} and delta.features.changed == {"metadata.version": None}


@pytest.mark.parametrize(
    "record",
    [
        PartitionRecord(B, 0, (1,), (1,), 1),
        PartitionRecord(A, 5, (1,), (1,), 1),
        PartitionChangeRecord(A, 2),
        RemoveTopicRecord(B),
        TopicRecord("a", B),
        BrokerRegistrationChangeRecord(9, 0),
        BrokerRegistrationChangeRecord(1, 9),
    ],
)
def test_what_cannot_be_right_is_not_swallowed(
    image: MetadataImage, record: MetadataRecord
) -> None:
    with pytest.raises(ReplayError):
        replay_batch(image, 11, 3, encode_records([record]))


def test_a_snapshot_is_the_image(image: MetadataImage) -> None:
    payload = encode_snapshot(image)
    again = decode_snapshot(payload, image.offset, image.epoch)
    assert again == image
    assert encode_snapshot(again) == payload


def test_random_histories_end_the_same_by_replay_and_by_snapshot() -> None:
    for seed in range(30):
        dice = random.Random(seed)
        by_replay = by_snapshot = EMPTY_IMAGE
        for offset in range(40):
            delta = MetadataDelta(by_replay)
            records = [_random_record(dice, delta, offset) for _ in range(dice.randrange(1, 6))]
            payload = encode_records(records)
            by_replay = replay_batch(by_replay, offset, 1, payload).image
            by_snapshot = replay_batch(by_snapshot, offset, 1, payload).image
            by_snapshot = decode_snapshot(encode_snapshot(by_snapshot), offset, 1)
            assert by_replay == by_snapshot
            assert encode_snapshot(by_replay) == encode_snapshot(by_snapshot)


def _random_record(dice: random.Random, delta: MetadataDelta, offset: int) -> MetadataRecord:
    image = delta.image
    topics = list(image.topics.values())
    kind = dice.randrange(8)
    record: MetadataRecord = FeatureLevelRecord("f", dice.randrange(3))
    if kind == 0:
        record = broker(dice.randrange(5))
    elif kind == 1 and image.brokers:
        known = dice.choice(list(image.brokers.values()))
        record = BrokerRegistrationChangeRecord(
            known.broker_id, known.epoch, fenced=dice.random() < 0.5
        )
    elif kind == 2:
        name = f"t{dice.randrange(8)}"
        if name not in image.topics:
            record = TopicRecord(name, dice.randbytes(16))
    elif kind == 3 and topics:
        topic = dice.choice(topics)
        record = partition(topic.topic_id, len(topic.partitions))
    elif kind in (4, 5) and topics:
        topic = dice.choice(topics)
        if topic.partitions:
            record = PartitionChangeRecord(
                topic.topic_id,
                dice.randrange(len(topic.partitions)),
                leader=dice.choice([None, 1, 2, -1]),
                isr=dice.choice([None, (1,), (2, 3), ()]),
                elr=dice.choice([None, (), (1,)]),
                reason="why",
            )
    elif kind == 6 and topics:
        record = ConfigRecord(
            TOPIC_RESOURCE, dice.choice(topics).name, "x", dice.choice(["1", None])
        )
    elif kind == 7 and topics and dice.random() < 0.3:
        record = RemoveTopicRecord(dice.choice(topics).topic_id)
    delta.replay_all([record], offset)
    return record
