"""Encodes and decodes images, so that snapshots can replace the metadata log.

A snapshot is the list of records that create the image from nothing, in a fixed order: equal images
have equal bytes on every node.
"""

from __future__ import annotations

from raftka.kraft.codec import decode_records, encode_records
from raftka.kraft.delta import MetadataDelta, image_records
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.kraft.records import FIRST_METADATA_VERSION, METADATA_VERSION, RAFTKA_VERSION


def encode_snapshot(image: MetadataImage) -> bytes:
    """The image, without its offset and epoch: the quorum stores those with the snapshot."""
    metadata_version = image.features.get(METADATA_VERSION, FIRST_METADATA_VERSION)
    own = image.features.get(RAFTKA_VERSION, 0)
    return encode_records(image_records(image), metadata_version, own)


def decode_snapshot(payload: bytes, offset: int, epoch: int) -> MetadataImage:
    """Decode the image at `offset`.

    Raises UnreadableRecord if a newer release wrote it, ReplayError if it is inconsistent.
    """
    delta = MetadataDelta(EMPTY_IMAGE)
    delta.replay_all(decode_records(payload), offset)
    return delta.finish(offset, epoch)
