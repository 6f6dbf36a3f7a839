"""Kafka's releases in its tools: metadata versions and the levels of features.

Source: Apache Kafka 4.4.0's own `storage version-mapping` and `feature-dependencies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

METADATA_VERSION: Final = "metadata.version"

METADATA_VERSIONS: Final[Mapping[str, int]] = {
    "3.9-IV0": 21,
    "4.0-IV0": 22,
    "4.0-IV1": 23,
    "4.0-IV2": 24,
    "4.0-IV3": 25,
    "4.1-IV0": 26,
    "4.1-IV1": 27,
    "4.2-IV0": 28,
    "4.2-IV1": 29,
    "4.3-IV0": 30,
    "4.4-IV0": 31,
    "4.4-IV1": 32,
    "4.4-IV2": 33,
}
"""metadata.version by name; a release name stands for the last of its versions."""

ELR: Final = "eligible.leader.replicas.version"
KRAFT: Final = "kraft.version"

# For each feature, in Kafka's order: its levels, each with the lowest metadata.version whose new
# clusters have it.
_BEGIN: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    KRAFT: ((1, 21),),
    "transaction.version": ((2, 24),),
    "group.version": ((1, 22),),
    ELR: ((1, 26),),
    "share.version": ((1, 28), (2, 31)),
    "streams.version": ((1, 29),),
}
HIGHEST: Final[Mapping[str, int]] = {name: levels[-1][0] for name, levels in _BEGIN.items()}
"""The features other than metadata.version, and the highest level of each."""
_NEEDS: Final[Mapping[tuple[str, int], int]] = {(ELR, 1): 23}
"""The metadata.version that a level of a feature requires."""


class UnknownRelease(ValueError):
    """An unknown release, feature or level; the message lists the known ones."""


def metadata_version(release: str) -> int:
    """The metadata.version of 4.3, 4.3-IV0, or of a patch release, 4.3.1. Raises UnknownRelease."""
    segments = release.split(".")
    wanted = ".".join(segments[:2]) if all(segments) else release
    for name, level in reversed(list(METADATA_VERSIONS.items())):
        if wanted in (name, name.partition("-")[0]):
            return level
    raise UnknownRelease(
        f"Unknown metadata.version '{release}'. Supported metadata.version are:"
        f" {', '.join(METADATA_VERSIONS)}"
    )


def name_of(metadata_version: int) -> str:
    """4.3-IV0 for 30. Raises UnknownRelease."""
    for name, level in METADATA_VERSIONS.items():
        if level == metadata_version:
            return name
    lowest, *_, highest = METADATA_VERSIONS.values()
    raise UnknownRelease(
        f"No MetadataVersion with feature level {metadata_version}. Valid feature levels are from"
        f" {lowest} to {highest}."
    )


def default_levels(metadata_version: int) -> dict[str, int]:
    """The levels of the other features in a new cluster of that version."""
    return {
        name: max((level for level, since in levels if since <= metadata_version), default=0)
        for name, levels in _BEGIN.items()
    }


def check_level(name: str, level: int, metadata_version: int) -> None:
    """Raise UnknownRelease unless a cluster of that version can have the feature at that level."""
    if not 0 <= level <= HIGHEST[name]:
        raise UnknownRelease(f"No feature:{name} with feature level {level}")
    needed = _NEEDS.get((name, level), 0)
    if metadata_version < needed:
        raise UnknownRelease(
            f"{name} could not be set to {level} because it depends on {METADATA_VERSION} level"
            f" {needed}"
        )


def dependencies(name: str, level: int) -> list[str]:
    """The output of `feature-dependencies` for a level. Raises UnknownRelease."""
    if name == METADATA_VERSION:
        if level not in METADATA_VERSIONS.values():
            raise UnknownRelease(f"Unknown metadata.version {level}")
        return [f"{name}={level} ({name_of(level)}) has no dependencies."]
    if name not in HIGHEST:
        raise UnknownRelease(f"Unknown feature: {name}")
    if not 0 <= level <= HIGHEST[name]:
        raise UnknownRelease(f"Feature {name} has no level {level}; its highest is {HIGHEST[name]}")
    needed = _NEEDS.get((name, level))
    if needed is None:
        return [f"{name}={level} has no dependencies."]
    return [f"{name}={level} requires:", f"    {METADATA_VERSION}={needed} ({name_of(needed)})"]
