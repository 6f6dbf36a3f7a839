"""Blocks of producer ids (KIP-730): the start of the next one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from raftka.kraft.records import MetadataRecord, ProducerIdsRecord
from raftka.kraft.sections.section import Section
from raftka.model.ids import NO_BROKER

PRODUCER_ID_BLOCK_SIZE: Final = 1000
"""The number of producer ids in a block."""


class ProducerIds(Section):
    """The section of producer ids."""

    FIELDS = ("next_producer_id",)
    __slots__ = (*FIELDS, "changed")

    next_producer_id: int

    def __init__(self, base: object) -> None:
        super().__init__(base)
        self.changed = False

    def records(self) -> Iterator[MetadataRecord]:
        if self.next_producer_id:
            yield ProducerIdsRecord(NO_BROKER, -1, self.next_producer_id)

    def note_gone(self, before: ProducerIds) -> None:
        self.changed |= self.next_producer_id != before.next_producer_id

    def view(self) -> Mapping[str, Any]:
        return {"next": self.next_producer_id}

    def _given(self, record: ProducerIdsRecord, _offset: int) -> None:
        self.put("next_producer_id", record.next_producer_id)
        self.changed = True

    REPLAYS: ClassVar = {ProducerIdsRecord: _given}
