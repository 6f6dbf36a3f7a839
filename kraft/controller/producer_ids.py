"""Allocates producer ids to brokers in blocks (KIP-730)."""

from __future__ import annotations

from raftka.kraft.controller.brokers import registered
from raftka.kraft.controller.result import Result
from raftka.kraft.image import PRODUCER_ID_BLOCK_SIZE, MetadataImage
from raftka.kraft.records import ProducerIdsRecord
from raftka.model.errors import ErrorCode, KafkaError

_LAST = (1 << 63) - 1


def allocate(image: MetadataImage, broker_id: int, broker_epoch: int) -> Result[int]:
    """The first id of a block of PRODUCER_ID_BLOCK_SIZE that no other broker ever gets.

    Raises KafkaError STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED.
    """
    registered(image, broker_id, broker_epoch)
    first = image.next_producer_id
    if first > _LAST - PRODUCER_ID_BLOCK_SIZE:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "All producer ids have been handed out.")
    record = ProducerIdsRecord(broker_id, broker_epoch, first + PRODUCER_ID_BLOCK_SIZE)
    return Result([record], first)
