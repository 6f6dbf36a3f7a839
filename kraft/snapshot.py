"""An image as bytes and back, so that the metadata log can be cut short.

A snapshot is the list of records that would make the image anew, in a fixed order: equal images
give equal bytes on every node.
"""

from __future__ import annotations

from collections.abc import Iterator

from raftka.kraft.codec import decode_records, encode_records
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage, PartitionImage
from raftka.kraft.records import (
    FIRST_METADATA_VERSION,
    METADATA_VERSION,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    TopicRecord,
)
from raftka.model.ids import NO_BROKER


def image_records(image: MetadataImage) -> Iterator[MetadataRecord]:
    """The records that make `image` out of nothing."""
    for name, level in image.features.items():
        yield FeatureLevelRecord(name, level)
    for broker in image.brokers.values():
        yield RegisterBrokerRecord(
            broker_id=broker.broker_id,
            incarnation_id=broker.incarnation_id,
            broker_epoch=broker.epoch,
            endpoints=broker.endpoints,
            features=broker.features,
            rack=broker.rack,
            fenced=broker.fenced,
            in_controlled_shutdown=broker.in_controlled_shutdown,
            log_dirs=broker.log_dirs,
        )
    for topic in image.topics.values():
        yield TopicRecord(topic.name, topic.topic_id)
        for index, partition in enumerate(topic.partitions):
            yield _partition_record(topic.topic_id, index, partition)
    for resource, entries in image.configs.items():
        for name, value in entries.items():
            yield ConfigRecord(resource.type, resource.name, name, value)
    if image.next_producer_id:
        yield ProducerIdsRecord(NO_BROKER, -1, image.next_producer_id)


def _partition_record(topic_id: bytes, index: int, partition: PartitionImage) -> PartitionRecord:
    return PartitionRecord(
        topic_id=topic_id,
        partition_id=index,
        replicas=partition.replicas,
        isr=partition.isr,
        leader=partition.leader,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        removing_replicas=partition.removing_replicas,
        adding_replicas=partition.adding_replicas,
        elr=partition.elr,
        last_known_elr=partition.last_known_elr,
        leader_recovery_state=partition.leader_recovery_state,
        reason=partition.reason,
    )


def encode_snapshot(image: MetadataImage) -> bytes:
    """The image, without its offset and epoch: the quorum keeps those beside the snapshot."""
    metadata_version = image.features.get(METADATA_VERSION, FIRST_METADATA_VERSION)
    return encode_records(image_records(image), metadata_version)


def decode_snapshot(payload: bytes, offset: int, epoch: int) -> MetadataImage:
    """The image at `offset`.

    Raises UnreadableRecord when a newer release wrote it, ReplayError when it makes no sense.
    """
    delta = MetadataDelta(EMPTY_IMAGE)
    delta.replay_all(decode_records(payload), offset)
    return delta.finish(offset, epoch)
