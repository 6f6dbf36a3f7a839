"""Serves a node's flight recorder over the network, in pieces of bounded size.

It uses a tagged field of DescribeCluster that is raftka's own (KIP-482): every listener serves that
API, other clients never see the field, and other servers ignore it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from raftka.model.errors import ErrorCode
from raftka.model.named_tuple import NamedTuple

if TYPE_CHECKING:
    from raftka.net.protocol.messages.describe_cluster import RecorderAfter, RecorderPart

PART_BYTES: Final = 256 * 1024
"""The maximal size of an answer: a thousand events, two milliseconds."""


class Recorded(NamedTuple):
    """Slots of the recorder's two rings, each with its number, ascending."""

    newest_event: int
    newest_sample: int
    events: list[tuple[int, bytes]]
    samples: list[tuple[int, bytes]]


class RecorderReader(Protocol):
    """The recorder of a node (tracing/recorder.py); a simulated node has none."""

    def after(self, event: int, sample: int, max_bytes: int) -> Recorded:
        """Slots newer than these two numbers, oldest first, within the size limit."""
        ...


def part_of(recorder: RecorderReader | None, node_id: int, wanted: RecorderAfter) -> RecorderPart:
    """The next piece after the position in `wanted`."""
    from raftka.net.protocol.messages.describe_cluster import RecorderPart, RecorderSlot

    if recorder is None:
        return RecorderPart(
            error_code=int(ErrorCode.RESOURCE_NOT_FOUND),
            error_message="this node has no flight recorder; its log says why, from its start",
            node_id=node_id,
        )
    found = recorder.after(wanted.event, wanted.sample, PART_BYTES)
    return RecorderPart(
        node_id=node_id,
        newest_event=found.newest_event,
        newest_sample=found.newest_sample,
        events=[RecorderSlot(number=number, content=data) for number, data in found.events],
        samples=[RecorderSlot(number=number, content=data) for number, data in found.samples],
    )
