"""From one image to the next: replays records and remembers what they changed.

A delta is made of sections, one per subject (kraft/sections/); each replays its own records.

`MetadataDelta.image` can be read at any time and shows the records replayed so far; that is how
the controller decides one operation on top of others that are not committed yet. The cost of a
delta is that of its changes, plus one shallow copy of each mapping and each topic's list of
partitions that it touches.

Replay never refuses a record: what reaches it is committed, and every node has to come to the same
image. A record that cannot be right (an unknown topic, say) is a defect, and raises ReplayError.
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
"""By their names in a delta, in the order in which a snapshot has them."""

_REPLAYS: Final[dict[type[MetadataRecord], tuple[str, Callable[[Any, Any, int], None]]]] = {
    kind: (name, replay)
    for name, section in SECTIONS.items()
    for kind, replay in section.REPLAYS.items()
}


class MetadataDelta:
    """Collects what records change in `base`."""

    def __init__(self, base: MetadataImage) -> None:
        self.base = base
        self.image = base
        """`base` with everything replayed so far; its mappings may still change under a reader
        that keeps it, until `finish`."""
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
        """When the batch was written, and by whom where that is new."""

    def sections(self) -> Iterator[Section]:
        """All sections, in a snapshot's order."""
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
        """The next image. The delta can be read, but must not be replayed into, from here on."""
        self.image = replace(self.image, offset=offset, epoch=epoch)
        return self.image

    def note_gone(self, before: MetadataImage) -> None:
        """Mark as changed what `before` had: this delta's image, a snapshot, takes its place."""
        other = MetadataDelta(before)
        for name in SECTIONS:
            getattr(self, name).note_gone(getattr(other, name))

    # Slices.

    def slices(self, size: int) -> Iterator[MetadataDelta]:
        """The same change in several deltas of about `size` partitions each.

        Deletions come first, since a name may be used again; all sections but the topics come
        whole with the last slice, when the partitions that they concern are there.
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
    """What every node does with a committed batch. The next image is the delta's `image`.

    Raises UnreadableRecord for a batch from a newer release, ReplayError for a defect.
    """
    delta = MetadataDelta(image)
    delta.replay_all(decode_records(payload), offset)
    delta.finish(offset, epoch)
    return delta


def everything(image: MetadataImage, before: MetadataImage = EMPTY_IMAGE) -> MetadataDelta:
    """A delta in which all of `image` is a change, and all that `before` had besides."""
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
    """The records that make `image` out of nothing, in an order that depends on it alone."""
    for section in MetadataDelta(image).sections():
        yield from section.records()
