"""A running node's metadata log, fetched in pieces (broker/metadata_history.py).

It is the log of brokers, topics and partitions since the node's newest snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from raftka.client.admin.outcomes import raise_for
from raftka.client.admin.recorders import ask_each, describe
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint
from raftka.net.channel import Channel
from raftka.net.protocol.messages.describe_cluster import (
    DescribeClusterRequest,
    MetadataLogAfter,
    MetadataLogPart,
)

PATIENCE_S: Final = 60.0
"""The timeout for a whole log: 20 MB take a few seconds."""
BYTES_MAX: Final = 512 * 1024 * 1024
_TIMES: Final = 3
"""How often reading starts over when a newer snapshot replaces the one being read."""


@dataclass(slots=True)
class MetadataLog:
    """Records as the node wrote them (kraft/codec.py), each batch with its offset and epoch."""

    node_id: int = -1
    snapshot_offset: int = 0
    snapshot_epoch: int = 0
    of_snapshot: list[bytes] = field(default_factory=list)
    batches: list[tuple[int, int, bytes]] = field(default_factory=list)


async def metadata_log(
    config: Mapping[str, object], endpoints: Iterable[Endpoint], **options: Any
) -> MetadataLog | str:
    """The log of the first node that sends it, or why none did. Raises ConfigError."""
    reasons: list[str] = []
    for endpoint in dict.fromkeys(endpoints):
        options.setdefault("patience_s", PATIENCE_S)
        found = (await ask_each(config, [endpoint], _whole, **options))[endpoint]
        if not isinstance(found, str):
            return found
        reasons.append(found)
    return "; ".join(dict.fromkeys(reasons)) or "no node is known"


async def _whole(channel: Channel, patience_s: float) -> MetadataLog:
    """Raises KafkaError, BrokenConnection."""
    for _ in range(_TIMES - 1):
        try:
            return await _once(channel, patience_s)
        except KafkaError as error:
            if error.code is not ErrorCode.SNAPSHOT_NOT_FOUND:
                raise
        await trio.lowlevel.checkpoint()
    return await _once(channel, patience_s)


async def _once(channel: Channel, patience_s: float) -> MetadataLog:
    found, cursor, size = MetadataLog(), b"", 0
    while True:
        part = await _part(channel, cursor, patience_s)
        found.node_id = part.node_id
        if part.snapshot_offset:
            found.snapshot_offset, found.snapshot_epoch = part.snapshot_offset, part.snapshot_epoch
        rows = [bytes(each) for each in part.of_snapshot]
        batches = [(each.offset, each.epoch, bytes(each.records)) for each in part.batches]
        found.of_snapshot += rows
        found.batches += batches
        size += sum(map(len, rows)) + sum(len(records) for _, _, records in batches)
        if size > BYTES_MAX:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST,
                f"the metadata log of {channel.peer} has more than {BYTES_MAX >> 20} MB; read it"
                " in the node's directory",
            )
        before, cursor = cursor, bytes(part.cursor)
        if not cursor:
            return found
        if cursor == before:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, f"{channel.peer} gives the same piece of its log twice"
            )


async def _part(channel: Channel, cursor: bytes, patience_s: float) -> MetadataLogPart:
    request = DescribeClusterRequest(metadata_log=[MetadataLogAfter(cursor=cursor)])
    answer = await describe(channel, request, patience_s)
    if not answer.metadata_log:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            f"{channel.peer} gives no metadata log away: it is no raftka, or of a version before"
            " it did; on its own machine a node is named by its log directory",
        )
    part = answer.metadata_log[0]
    raise_for(part.error_code, part.error_message)
    return part
