"""What a node's flight recorder hands out over the network: pieces of bounded size.

It travels in a tagged field of DescribeCluster that is raftka's own (KIP-482): every listener
serves that API, other clients never see the field, and a node that is not raftka passes over it
and answers without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from raftka.model.errors import ErrorCode
from raftka.model.named_tuple import NamedTuple

if TYPE_CHECKING:
    from raftka.net.protocol.messages.describe_cluster import RecorderAfter, RecorderPart

PART_BYTES: Final = 256 * 1024
"""Of one answer, at most: a thousand events, two milliseconds."""


class Recorded(NamedTuple):
    """Slots of the recorder's two rings, ascending, each with its number."""

    newest_event: int
    newest_sample: int
    events: list[tuple[int, bytes]]
    samples: list[tuple[int, bytes]]


class RecorderReader(Protocol):
    """The recorder beside a node (tracing/recorder.py); a simulated node has none."""

    def after(self, event: int, sample: int, max_bytes: int) -> Recorded:
        """What is newer than these two numbers, the oldest first, as far as the bytes go."""
        ...


def part_of(recorder: RecorderReader | None, node_id: int, wanted: RecorderAfter) -> RecorderPart:
    """The next piece for a caller that has what `wanted` says."""
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
