"""kafka-features: show and change the levels of the running cluster's features."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from raftka.client.admin import Admin, Feature, FeatureUpdate, UpgradeType
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    admin_settings,
    require_server_or_controller,
)
from raftka.client.tools.running import run
from raftka.model import releases
from raftka.model.errors import KafkaError
from raftka.model.releases import METADATA_VERSION, UnknownRelease

_OFF = 0
options = Options("kafka-features", "This tool manages feature flags in Kafka.")
options.add_argument(
    "action",
    choices=(
        *("describe", "upgrade", "downgrade", "disable"),
        *("version-mapping", "feature-dependencies"),
    ),
    help="describe: the features and their levels\nupgrade: raise levels\n"
    "downgrade: lower levels\ndisable: lower levels to 0\n"
    "version-mapping: the levels of a release\n"
    "feature-dependencies: what levels of features need",
)
options.servers()
options.text("--bootstrap-controller", metavar="HOST:PORT", help="The controllers to connect to.")
options.many("--feature", metavar="NAME=LEVEL", help="A feature and its level; may be repeated.")
options.text("--metadata", metavar="RELEASE", help="Older way to say --release-version.")
options.text(
    "--release-version", "-r", metavar="RELEASE", help="All features, at a release's levels."
)
options.flag("--unsafe", help="With downgrade and disable: even when metadata would be lost.")
options.flag("--dry-run", help="Show what would be done, and do nothing.")

_WORDS = {
    "upgrade": ("upgrade", "upgraded to {level}", "upgraded to {level}"),
    "downgrade": ("downgrade", "downgraded to {level}", "downgraded to {level}"),
    "disable": ("disable", "disabled", "disabled"),
}


def main(argv: Sequence[str]) -> int:
    """Run the tool; returns the exit code."""
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if found.action not in ("version-mapping", "feature-dependencies"):
        require_server_or_controller(found)
    if found.action == "feature-dependencies" and not found.feature:
        raise UsageError("argument --feature is required")
    if found.action in _WORDS:
        _check_wishes(found)
    return found


def _check_wishes(found: argparse.Namespace) -> None:
    chosen = [n for n in ("metadata", "release_version") if getattr(found, n) is not None]
    if (found.feature and chosen) or len(chosen) > 1:
        raise UsageError("Only one of --feature, --metadata and --release-version can be specified")
    if not found.feature and not chosen:
        raise UsageError(f"You must specify at least one feature to {found.action}")
    if found.action == "upgrade" and found.unsafe:
        raise UsageError("--unsafe is for downgrade and disable")
    if found.action == "disable" and chosen:
        raise UsageError("disable takes --feature only")


async def _work(found: argparse.Namespace) -> int:
    try:
        if found.action == "version-mapping":
            _print_mapping(found.release_version)
            return 0
        if found.action == "feature-dependencies":
            _print_dependencies(found.feature)
            return 0
        settings = admin_settings(found, controllers=found.bootstrap_controller)
        async with Admin(settings) as admin:
            if found.action == "describe":
                await _describe(admin)
                return 0
            return await _update(admin, found)
    except UnknownRelease as error:
        raise ToolError(str(error)) from None


# Sub-command describe.


async def _describe(admin: Admin) -> None:
    features, epoch = await admin.describe_features()
    for each in features.values():
        columns = (
            (f"Feature: {each.name}", 50),
            (f"SupportedMinVersion: {_level(each, each.lowest)}", 37),
            (f"SupportedMaxVersion: {_level(each, each.highest)}", 37),
            (f"FinalizedVersionLevel: {_level(each, each.level)}", 39),
        )
        line = " ".join(text.ljust(width) for text, width in columns)
        print(f"{line} Epoch: {'-' if epoch is None else epoch}")


def _level(feature: Feature, level: int) -> str:
    """A level's release name: 4.3-IV0 for 30 of metadata.version."""
    if feature.name != METADATA_VERSION:
        return str(level)
    try:
        return releases.name_of(level)
    except UnknownRelease:
        return f"UNKNOWN [{level}]"


# Sub-commands upgrade, downgrade and disable.


async def _update(admin: Admin, found: argparse.Namespace) -> int:
    verb, can, was = _WORDS[found.action]
    updates = await _updates(admin, found)
    failure: KafkaError | None = None
    try:
        await admin.update_features(updates, dry_run=found.dry_run)
    except KafkaError as error:
        failure = error
    for each in updates:
        target = "" if found.action == "disable" else f" to {each.level}"
        if failure is not None:
            could = "Can not" if found.dry_run else "Could not"
            print(f"{could} {verb} {each.name}{target}. {failure.message}")
        elif found.dry_run:
            print(f"{each.name} can be {can.format(level=each.level)}.")
        else:
            print(f"{each.name} was {was.format(level=each.level)}.")
    if failure is not None:
        raise ToolError(f"{len(updates)} out of {len(updates)} operation(s) failed.")
    return 0


async def _updates(admin: Admin, found: argparse.Namespace) -> list[FeatureUpdate]:
    change = UpgradeType.UPGRADE
    if found.action != "upgrade":
        change = UpgradeType.UNSAFE_DOWNGRADE if found.unsafe else UpgradeType.SAFE_DOWNGRADE
    if found.action == "disable":
        wishes = dict.fromkeys(found.feature, _OFF)
    elif found.feature:
        wishes = _parsed(found.feature)
    elif found.metadata is not None:
        wishes = {METADATA_VERSION: releases.metadata_version(found.metadata)}
    else:
        wishes = await _of_release(admin, found.release_version)
    return [FeatureUpdate(name, level, change) for name, level in sorted(wishes.items())]


async def _of_release(admin: Admin, release: str) -> dict[str, int]:
    """The levels of a release, for the features that the cluster has."""
    version = releases.metadata_version(release)
    levels = {METADATA_VERSION: version, **releases.default_levels(version)}
    known = (await admin.describe_features()).features
    for name in sorted(levels.keys() - known.keys()):
        print(f"{name} is not a feature of this cluster and stays as it is.")
    return {name: level for name, level in levels.items() if name in known}


def _parsed(items: Sequence[str]) -> dict[str, int]:
    wishes: dict[str, int] = {}
    for item in items:
        name, equals, level = item.partition("=")
        words = f"Can't parse feature=level string {item}:"
        if not equals:
            raise ToolError(f"{words} equals sign not found.")
        if not (level.isascii() and level.isdecimal()) or int(level) > 32767:
            raise ToolError(f"{words} unable to parse {level} as a short.")
        if name in wishes:
            raise ToolError(f"Feature {name} was specified more than once.")
        wishes[name] = int(level)
    return wishes


# Sub-commands without a cluster.


def _print_mapping(release: str | None) -> None:
    version = (
        max(releases.METADATA_VERSIONS.values())
        if release is None
        else releases.metadata_version(release)
    )
    print(f"{METADATA_VERSION}={version} ({release or releases.name_of(version)})")
    for feature, level in releases.default_levels(version).items():
        print(f"{feature}={level}")


def _print_dependencies(items: Sequence[str]) -> None:
    for name, level in _parsed(items).items():
        for line in releases.dependencies(name, level):
            print(line)
