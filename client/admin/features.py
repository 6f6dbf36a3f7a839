"""Features of the cluster: the levels that its nodes support, and the one that is in force."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import raise_for
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest
from raftka.net.protocol.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest


class Feature(NamedTuple):
    """One feature as a node describes it."""

    name: str
    lowest: int
    highest: int
    """The levels that the node supports."""
    level: int
    """The level that is finalized for the whole cluster; 0 when it is off."""


class FeatureSet(NamedTuple):
    """All features at one time."""

    features: Mapping[str, Feature]
    epoch: int | None
    """The epoch of the finalized features; None when the node knows none yet."""


class UpgradeType(enum.IntEnum):
    """The direction in which a level may change (KIP-584, KIP-778)."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


class FeatureUpdate(NamedTuple):
    """A requested level of one feature; 0 disables it."""

    name: str
    level: int
    upgrade_type: UpgradeType = UpgradeType.UPGRADE


async def describe_features(admin: Calls) -> FeatureSet:
    """The features of the cluster, by name, as one of its nodes knows them.

    Raises KafkaError.
    """
    answer = await admin.ask(
        ApiVersionsRequest(client_software_name="raftka", client_software_version="1")
    )
    raise_for(answer.error_code)
    levels = {each.name: each.max_version_level for each in answer.finalized_features}
    found = {
        each.name: Feature(each.name, each.min_version, each.max_version, levels.get(each.name, 0))
        for each in answer.supported_features
    }
    epoch = answer.finalized_features_epoch
    return FeatureSet(dict(sorted(found.items())), epoch if epoch >= 0 else None)


async def update_features(
    admin: Calls, updates: Sequence[FeatureUpdate], *, dry_run: bool = False
) -> None:
    """Change all of these levels, or none. With `dry_run` nothing changes. Raises KafkaError, whose
    message names the feature that prevented the change.
    """
    answer = await admin.ask(
        UpdateFeaturesRequest(
            timeout=admin.timeout_ms,
            feature_updates=[
                FeatureUpdateKey(
                    feature=each.name,
                    max_version_level=each.level,
                    upgrade_type=int(each.upgrade_type),
                )
                for each in updates
            ],
            validate_only=dry_run,
        )
    )
    raise_for(answer.error_code, answer.error_message)
