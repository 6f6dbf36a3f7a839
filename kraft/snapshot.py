"""An image as bytes and back, so that the metadata log can be cut short.

A snapshot is the list of records that make the image out of nothing, in a fixed order: equal images
give equal bytes on every node.
"""

from __future__ import annotations

from raftka.kraft.codec import decode_records, encode_records
from raftka.kraft.delta import MetadataDelta, image_records
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.kraft.records import FIRST_METADATA_VERSION, METADATA_VERSION, RAFTKA_VERSION


def encode_snapshot(image: MetadataImage) -> bytes:
    """The image, without its offset and epoch: the quorum keeps those beside the snapshot."""
    metadata_version = image.features.get(METADATA_VERSION, FIRST_METADATA_VERSION)
    own = image.features.get(RAFTKA_VERSION, 0)
    return encode_records(image_records(image), metadata_version, own)


def decode_snapshot(payload: bytes, offset: int, epoch: int) -> MetadataImage:
    """The image at `offset`.

    Raises UnreadableRecord when a newer release wrote it, ReplayError when it makes no sense.
    """
    delta = MetadataDelta(EMPTY_IMAGE)
    delta.replay_all(decode_records(payload), offset)
    return delta.finish(offset, epoch)
