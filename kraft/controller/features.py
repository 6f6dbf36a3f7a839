"""Feature levels of the whole cluster (KIP-584): which records and protocols may be used."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final

from raftka.kraft.controller.result import Result
from raftka.kraft.image import MetadataImage
from raftka.kraft.records import (
    DEFAULT_METADATA_VERSION,
    FIRST_METADATA_VERSION,
    LATEST_METADATA_VERSION,
    METADATA_VERSION,
    RAFTKA_VERSION,
    FeatureLevelRecord,
    MetadataRecord,
    UserScramCredentialRecord,
    is_own,
    records_changed,
)
from raftka.kraft.sections.scram import NO_CREDENTIALS, ScramKey
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.scram import ScramCredential

TRANSACTION_VERSION: Final = "transaction.version"
GROUP_VERSION: Final = "group.version"
"""From level 1 on groups may use the consumer protocol (KIP-848)."""
SHARE_VERSION: Final = "share.version"
STREAMS_VERSION: Final = "streams.version"
"""From level 1 on groups may use the streams protocol (KIP-1071)."""

SUPPORTED: Final[Mapping[str, tuple[int, int]]] = {
    METADATA_VERSION: (FIRST_METADATA_VERSION, LATEST_METADATA_VERSION),
    "eligible.leader.replicas.version": (1, 1),
    TRANSACTION_VERSION: (0, 2),
    GROUP_VERSION: (0, 1),
    SHARE_VERSION: (0, 2),
    STREAMS_VERSION: (0, 1),
    RAFTKA_VERSION: (0, 1),
}
"""The lowest and highest level of each feature in this release; 0 means off."""

BOOTSTRAP: Final[Mapping[str, int]] = {
    METADATA_VERSION: DEFAULT_METADATA_VERSION,
    "eligible.leader.replicas.version": 1,
    TRANSACTION_VERSION: 2,
    GROUP_VERSION: 1,
    SHARE_VERSION: 2,
    STREAMS_VERSION: 1,
    RAFTKA_VERSION: 1,
}
"""The levels of a new cluster whose nodes were formatted without explicit ones."""


class Change(enum.IntEnum):
    """The allowed direction of a change; the values are those of UpdateFeatures."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


@dataclass(frozen=True, slots=True)
class FeatureUpdate:
    """A requested level of one feature; 0 turns it off."""

    name: str
    level: int
    change: int = Change.UPGRADE


def supported_features() -> tuple[tuple[str, int, int], ...]:
    """The features that a broker of this release registers: (name, lowest, highest level)."""
    return tuple((name, low, high) for name, (low, high) in SUPPORTED.items())


def bootstrap_records(
    image: MetadataImage,
    levels: Mapping[str, int] = BOOTSTRAP,
    scram: Mapping[ScramKey, ScramCredential] = NO_CREDENTIALS,
) -> list[MetadataRecord]:
    """The first records of a new cluster; none if it has a metadata.version already."""
    if METADATA_VERSION in image.features:
        return []
    return [
        *(
            FeatureLevelRecord(name, level)
            for name, level in {**levels, RAFTKA_VERSION: levels.get(RAFTKA_VERSION, 1)}.items()
        ),
        *(
            UserScramCredentialRecord(user, mechanism, *credential)
            for (user, mechanism), credential in scram.items()
        ),
    ]


def update(
    image: MetadataImage, updates: Sequence[FeatureUpdate], controller_id: int = 0
) -> Result[dict[str, KafkaError | None]]:
    """Change levels: all of them, or none if one is refused.

    Error codes and messages are those of Apache Kafka 4.4.0.
    """
    answers: dict[str, KafkaError | None] = {}
    records: list[MetadataRecord] = []
    for each in updates:
        words = _refusal(image, each, controller_id)
        failure = None if words is None else KafkaError(ErrorCode.INVALID_UPDATE_VERSION, words)
        answers[each.name] = failure
        if failure is None and image.features.get(each.name, 0) != each.level:
            records.append(FeatureLevelRecord(each.name, each.level))
    if any(answers.values()):
        records = []
    return Result(records, answers)


def _refusal(image: MetadataImage, wish: FeatureUpdate, controller_id: int) -> str | None:
    intro = f"Invalid update version {wish.level} for feature {wish.name}."
    if wish.change not in tuple(Change):
        return f"{intro} The controller does not support the given upgrade type."
    supported = [(f"Local controller {controller_id}", SUPPORTED.get(wish.name))]
    for broker_id, broker in sorted(image.brokers.items()):
        levels = {name: (least, most) for name, least, most in broker.features}
        supported.append((f"Broker {broker_id}", levels.get(wish.name)))
    for who, bounds in supported:
        if bounds is None and wish.level:
            return f"{intro} {who} does not support this feature."
        if bounds is not None and not bounds[0] <= wish.level <= bounds[1]:
            return f"{intro} {who} only supports versions {bounds[0]}-{bounds[1]}"
    present = image.features.get(wish.name, 0)
    if wish.level > present and wish.change != Change.UPGRADE:
        return f"{intro} Can't downgrade to a newer version."
    if wish.level < present:
        if wish.change == Change.UPGRADE:
            return (
                f"{intro} Can't downgrade the version of this feature without setting the upgrade"
                " type to either safe or unsafe downgrade."
            )
        if wish.name == METADATA_VERSION:
            return _lossy(present, wish)
        if wish.name == RAFTKA_VERSION and (kept := _unreadable_before(image)):
            return f"{intro} A release before it cannot read {kept}: remove them first."
    return None


def _unreadable_before(image: MetadataImage) -> str:
    """The metadata that releases before raftka.version 1 cannot read, in words."""
    cordoned = [each.broker_id for each in image.brokers.values() if each.cordoned_log_dirs]
    found = {
        "ACLs (kafka-acls)": image.acls,
        "passwords of users (kafka-configs --entity-type users)": image.scram,
        "delegation tokens (kafka-delegation-tokens)": image.tokens,
        "client quotas (kafka-configs --entity-type users, clients, ips)": image.client_quotas,
        f"cordoned.log.dirs of brokers {cordoned}": cordoned,
    }
    return ", ".join(name for name, present in found.items() if present)


def check_readable(image: MetadataImage, records: Sequence[MetadataRecord]) -> None:
    """Check that every node of the cluster can read the decided records.

    Raises KafkaError UNSUPPORTED_VERSION until an upgrade from an earlier release is finalized.
    """
    if image.features.get(RAFTKA_VERSION, 0) or not any(map(is_own, records)):
        return
    raised = (each for each in records if isinstance(each, FeatureLevelRecord))
    if not any(each.name == RAFTKA_VERSION and each.level for each in raised):
        kind = next(filter(is_own, records)).__class__.__name__
        words = (
            f"The cluster is at raftka.version 0, so that nodes of an earlier release may be in it,"
            f" and those do not know {kind}. Upgrade all nodes, then run"
            " 'raftka features upgrade --feature raftka.version=1'."
        )
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, words)


def _lossy(present: int, wish: FeatureUpdate) -> str | None:
    """Why metadata.version cannot be lowered: the lower level may not have the current layout of
    records. That is so only if the layout of a record changed in between."""
    if not records_changed(wish.level, present):
        return None
    intro = f"Unsupported metadata.version downgrade from {present} to {wish.level}."
    if wish.change == Change.SAFE_DOWNGRADE:
        return (
            f"{intro} Refusing to perform the requested downgrade because it might delete metadata"
            " information."
        )
    return f"{intro} Unsafe metadata downgrade is not supported in this version."
