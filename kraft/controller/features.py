"""Feature levels of the whole cluster (KIP-584): what may be written and spoken from now on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from raftka.kraft.controller.result import Result
from raftka.kraft.image import MetadataImage
from raftka.kraft.records import (
    DEFAULT_METADATA_VERSION,
    FIRST_METADATA_VERSION,
    LATEST_METADATA_VERSION,
    METADATA_VERSION,
    FeatureLevelRecord,
    MetadataRecord,
)
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError

SUPPORTED: Final[Mapping[str, tuple[int, int]]] = {
    METADATA_VERSION: (FIRST_METADATA_VERSION, LATEST_METADATA_VERSION),
    "eligible.leader.replicas.version": (1, 1),
}
"""Lowest and highest level of each feature that this release has; 0 would be off."""

BOOTSTRAP: Final[Mapping[str, int]] = {
    METADATA_VERSION: DEFAULT_METADATA_VERSION,
    "eligible.leader.replicas.version": 1,
}
"""The levels with which a new cluster begins when its nodes were formatted with no others."""


@dataclass(frozen=True, slots=True)
class FeatureUpdate:
    """A wish for one feature's level; 0 turns it off."""

    name: str
    level: int
    allow_downgrade: bool = False


def supported_features() -> tuple[tuple[str, int, int], ...]:
    """What a broker of this release registers with: (name, lowest, highest level) each."""
    return tuple((name, low, high) for name, (low, high) in SUPPORTED.items())


def bootstrap_records(
    image: MetadataImage, levels: Mapping[str, int] = BOOTSTRAP
) -> list[MetadataRecord]:
    """The first records of a new cluster; none when it has a metadata.version already."""
    if METADATA_VERSION in image.features:
        return []
    return [FeatureLevelRecord(name, level) for name, level in levels.items()]


def update(
    image: MetadataImage, updates: Sequence[FeatureUpdate]
) -> Result[dict[str, KafkaError | None]]:
    """Change levels: all of them, or none when one is refused."""
    answers: dict[str, KafkaError | None] = {}
    records: list[MetadataRecord] = []
    for each in updates:
        words = _refusal(image, each)
        failure = None if words is None else KafkaError(ErrorCode.INVALID_UPDATE_VERSION, words)
        answers[each.name] = failure
        if failure is None and image.features.get(each.name, 0) != each.level:
            records.append(FeatureLevelRecord(each.name, each.level))
    if any(answers.values()):
        records = []
    return Result(records, answers)


def _refusal(image: MetadataImage, wish: FeatureUpdate) -> str | None:
    if wish.name not in SUPPORTED:
        return f"There is no feature {wish.name}; there are {', '.join(sorted(SUPPORTED))}."
    low, high = SUPPORTED[wish.name]
    if not low <= wish.level <= high:
        return f"{wish.name} {wish.level} is not supported here; {low} to {high} are."
    for _, broker in sorted(image.brokers.items()):
        levels = {name: (least, most) for name, least, most in broker.features}
        least, most = levels.get(wish.name, (0, 0))
        if not least <= wish.level <= most:
            return (
                f"Broker {broker.broker_id} supports {wish.name} {least} to {most}, "
                f"not {wish.level}."
            )
    if wish.level < image.features.get(wish.name, 0) and not wish.allow_downgrade:
        return f"{wish.name} would go down to {wish.level}, which was not allowed."
    return None
