"""The changes from one image to the next: replays records and collects what they changed.

A delta consists of sections, one per subject (kraft/sections/); each replays its own records.

`MetadataDelta.image` can be read at any time and contains the records replayed so far; the
controller uses that to decide operations on the result of uncommitted ones. The cost of a delta is
proportional to its changes, plus one shallow copy of each changed mapping and of each changed
topic's list of partitions.

Replay never refuses a record: it is committed, and every node must compute the same image. An
inconsistent record (an unknown topic, for example) is a defect, and raises ReplayError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from raftka.kraft.codec import decode_records
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.kraft.records import BatchStampRecord, MetadataRecord
from raftka.kraft.sections.acls import Acls
from raftka.kraft.sections.brokers import Brokers
from raftka.kraft.sections.client_quotas import ClientQuotas
from raftka.kraft.sections.configs import Configs
from raftka.kraft.sections.features import Features
from raftka.kraft.sections.producer_ids import ProducerIds
from raftka.kraft.sections.scram import Scram
from raftka.kraft.sections.section import ReplayError, Section
from raftka.kraft.sections.tokens import Tokens
from raftka.kraft.sections.topics import Topics

__all__ = ["SECTIONS", "MetadataDelta", "ReplayError", "replay_batch"]

SECTIONS: Final[dict[str, type[Section]]] = {
    "features": Features,
    "brokers": Brokers,
    "topics": Topics,
    "configs": Configs,
    "producer_ids": ProducerIds,
    "acls": Acls,
    "client_quotas": ClientQuotas,
    "scram": Scram,
    "tokens": Tokens,
}
"""By their names in a delta, in the order of a snapshot."""

_REPLAYS: Final[dict[type[MetadataRecord], tuple[str, Callable[[Any, Any, int], None]]]] = {
    kind: (name, replay)
    for name, section in SECTIONS.items()
    for kind, replay in section.REPLAYS.items()
}


class MetadataDelta:
    """Collects the changes that records make to `base`."""

    def __init__(self, base: MetadataImage) -> None:
        self.base = base
        self.image = base
        """`base` with everything replayed so far; until `finish` its mappings may still change."""
        self.features = Features(base)
        self.brokers = Brokers(base)
        self.configs = Configs(base)
        self.topics = Topics(base, on_deleted=self.configs.forget_topic)
        self.producer_ids = ProducerIds(base)
        self.acls = Acls(base)
        self.client_quotas = ClientQuotas(base)
        self.scram = Scram(base)
        self.tokens = Tokens(base)
        self.stamp: BatchStampRecord | None = None
        """The batch's time, and its writer if that is new."""

    def sections(self) -> Iterator[Section]:
        """All sections, in the order of a snapshot."""
        for name in SECTIONS:
            yield getattr(self, name)

    def replay_all(self, records: Iterable[MetadataRecord], offset: int) -> None:
        """Replay the records of the batch at `offset`, in order. Raises ReplayError."""
        for record in records:
            if type(record) is BatchStampRecord:
                self.stamp = record
                continue
            name, replay = _REPLAYS[type(record)]
            section = getattr(self, name)
            replay(section, record, offset)
            if section.has_new_fields:
                self._show(section)
        if self.configs.has_new_fields:  # A deleted topic took its settings along.
            self._show(self.configs)

    def take_topics(self, image: MetadataImage) -> None:
        """Replay all topics of an image in one step: 100,000 partitions as records are seconds."""
        self.topics.take(image)
        self._show(self.topics)

    def finish(self, offset: int, epoch: int) -> MetadataImage:
        """The next image. From here on nothing may be replayed into the delta."""
        self.image = replace(self.image, offset=offset, epoch=epoch)
        return self.image

    def note_gone(self, before: MetadataImage) -> None:
        """Mark what `before` had and this delta's image, a snapshot, lacks as changed."""
        other = MetadataDelta(before)
        for name in SECTIONS:
            getattr(self, name).note_gone(getattr(other, name))

    # Slices.

    def slices(self, size: int) -> Iterator[MetadataDelta]:
        """The same change in several deltas of about `size` partitions each.

        Deletions come first, since a name may be reused; all sections except topics are in the last
        slice, when their partitions exist.
        """
        topics = self.topics
        if topics.size <= size:
            yield self
            return
        part, room = self._slice(), size
        for topic in topics.deleted:
            part.topics.deleted.append(topic)
            room -= len(topic.partitions)
            if room <= 0:
                yield part
                part, room = self._slice(), size
        for name, indexes in topics.changed.items():
            rest = iter(indexes)
            while taken := dict.fromkeys(islice(rest, room)):
                part.topics.changed[name] = taken
                room -= len(taken)
                if not room:
                    yield part
                    part, room = self._slice(), size
        part.topics.elections = topics.elections
        for name in SECTIONS:
            if name != "topics":
                setattr(part, name, getattr(self, name))
        yield part

    def _slice(self) -> MetadataDelta:
        part = MetadataDelta(self.base)
        part.image, part.stamp = self.image, self.stamp
        return part

    def _show(self, section: Section) -> None:
        self.image = replace(self.image, **section.take_fields())


def replay_batch(image: MetadataImage, offset: int, epoch: int, payload: bytes) -> MetadataDelta:
    """Decode and replay a committed batch, as every node does. The next image is the delta's
    `image`.

    Raises UnreadableRecord for a batch from a newer release, ReplayError for a defect.
    """
    delta = MetadataDelta(image)
    delta.replay_all(decode_records(payload), offset)
    delta.finish(offset, epoch)
    return delta


def everything(image: MetadataImage, before: MetadataImage = EMPTY_IMAGE) -> MetadataDelta:
    """A delta in which everything in `image`, and everything else in `before`, is a change."""
    delta = MetadataDelta(EMPTY_IMAGE)
    for section in MetadataDelta(image).sections():
        if isinstance(section, Topics):
            delta.take_topics(image)
        else:
            delta.replay_all(section.records(), image.offset)
    delta.finish(image.offset, image.epoch)
    delta.note_gone(before)
    return delta


def image_records(image: MetadataImage) -> Iterator[MetadataRecord]:
    """The records that create `image` from nothing, in an order that depends only on the image."""
    for section in MetadataDelta(image).sections():
        yield from section.records()
