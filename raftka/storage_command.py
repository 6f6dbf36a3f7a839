"""`raftka storage` (kafka-storage): formats log directories and shows what they are.

Options and messages are those of Apache Kafka 4.3's tool.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

from raftka.configuration import Unreadable, make_config, read_file
from raftka.formatting import (
    FormatRefused,
    format_directories,
    inspect,
    new_uuid,
    parse_initial_controllers,
    standalone_voter,
)
from raftka.kraft.controller.features import SUPPORTED
from raftka.kraft.records import LATEST_METADATA_VERSION
from raftka.model.ids import uuid_text
from raftka.model.settings import Config, WrongSettings
from raftka.storage.meta_properties import BadDirectory
from raftka.storage.posix import PosixDisk

RELEASES: Final = {"4.0-IV3": 25}
"""Metadata versions by the name of the release that they are of."""

FEATURES: Final = {**SUPPORTED, "kraft.version": (0, 1)}
"""Feature levels that --feature may ask for."""


def main(argv: list[str]) -> int:
    """Run one sub-command; the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_usage(sys.stderr)
        print("kafka-storage: error: too few arguments", file=sys.stderr)
        return 1
    try:
        return int(options.run(options))
    except WrongSettings as error:
        print(f"{options.config}: these settings are wrong:", file=sys.stderr)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
    except (BadDirectory, FormatRefused, Unreadable) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
    return 1


def _random_uuid(_: argparse.Namespace) -> int:
    print(uuid_text(new_uuid()))
    return 0


def _format(options: argparse.Namespace) -> int:
    config = make_config(read_file(options.config))
    _check_cluster_id(options.cluster_id)
    _check_features(options.feature, options.release_version)
    if options.add_scram:
        raise FormatRefused("SCRAM credentials are not supported yet: listeners are PLAINTEXT.")
    dynamic = options.standalone or options.initial_controllers is not None
    if dynamic and config.names("controller.quorum.voters"):
        raise FormatRefused(
            "You cannot specify controller.quorum.voters and format the node with"
            " --initial-controllers or --standalone. If you want to use dynamic quorum, please"
            " remove controller.quorum.voters and specify controller.quorum.bootstrap.servers"
            " instead."
        )
    voters = []
    if options.standalone:
        voters = [standalone_voter(config)]
    elif options.initial_controllers is not None:
        voters = parse_initial_controllers(options.initial_controllers, config)
    elif _must_say_how(config, no_initial=options.no_initial_controllers):
        raise FormatRefused(
            "Because controller.quorum.voters is not set on this controller, you must specify one"
            " of the following: --standalone, --initial-controllers, or --no-initial-controllers."
        )
    done = format_directories(
        config,
        PosixDisk(),
        options.cluster_id,
        ignore_formatted=options.ignore_formatted,
        voters=voters,
    )
    if not done:
        print("All of the log directories are already formatted.")
    release = next(name for name, level in RELEASES.items() if level == LATEST_METADATA_VERSION)
    metadata = config.text("metadata.log.dir")
    for path in done:
        kind = "metadata" if path == metadata else "data"
        founding = f" as one of {len(voters)} first voters" if voters and kind == "metadata" else ""
        print(f"Formatting {kind} directory {path} with metadata.version {release}{founding}.")
    return 0


def _must_say_how(config: Config, *, no_initial: bool) -> bool:
    """Whether a controller of a dynamic quorum was not told if it founds or joins it."""
    controller = "controller" in config.names("process.roles")
    return controller and not no_initial and not config.names("controller.quorum.voters")


def _check_cluster_id(text: str) -> None:
    """Any name will do, as in Kafka, but not one that a meta.properties cannot hold."""
    if not text.strip() or not text.isprintable():
        raise FormatRefused(f"{text!r} is no cluster id; make one with random-uuid")


def _check_features(features: list[str], release: str | None) -> None:
    if release is not None and release not in RELEASES:
        raise FormatRefused(
            f"Unknown metadata.version {release}. Supported metadata.version are"
            f" {', '.join(RELEASES)}"
        )
    for item in features:
        name, equals, level = item.partition("=")
        if not equals or not level.isdecimal():
            raise FormatRefused(f"Can't parse feature=level string {item}: equals sign not found.")
        if name not in FEATURES:
            raise FormatRefused(
                f"Unsupported feature: {name}. Supported features are: {', '.join(FEATURES)}"
            )
        low, high = FEATURES[name]
        if not low <= int(level) <= high:
            raise FormatRefused(
                f"No feature:{name} with feature level {level}; levels {low} to {high} are known"
            )


def _info(options: argparse.Namespace) -> int:
    found = inspect(make_config(read_file(options.config)), PosixDisk())
    problems = [f"{path} does not exist" for path in found.missing]
    problems += [f"{path} is not formatted." for path in found.empty]
    clusters = {meta.cluster_id for meta in found.formatted.values()}
    if len(clusters) > 1:
        problems.append(f"The directories are of several clusters: {', '.join(sorted(clusters))}")
    if found.formatted or found.empty:
        paths = sorted([*found.formatted, *found.empty])
        print("Found log director" + ("ies:" if len(paths) > 1 else "y:"))
        for path in paths:
            print(f"  {path}")
        print()
    if found.formatted:
        meta = next(iter(found.formatted.values()))
        directory = uuid_text(meta.directory_id) if meta.directory_id else "none"
        print(
            f"Found metadata: {{cluster.id={meta.cluster_id}, directory.id={directory},"
            f" node.id={meta.node_id}, version=1}}"
        )
        print()
    if problems:
        print("Found problem" + ("s:" if len(problems) > 1 else ":"))
        for problem in problems:
            print(f"  {problem}")
        print()
    return 1 if problems else 0


def _version_mapping(options: argparse.Namespace) -> int:
    release = options.release_version or next(iter(RELEASES))
    if release not in RELEASES:
        raise FormatRefused(
            f"Unknown release version '{release}'. Supported versions are: {', '.join(RELEASES)}"
        )
    print(f"metadata.version={RELEASES[release]} ({release})")
    print(f"kraft.version={FEATURES['kraft.version'][1]}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kafka-storage", description="The Kafka storage tool.")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(dest="command")
    info = commands.add_parser("info", help="what the log directories of this node are")
    info.set_defaults(run=_info)
    made = commands.add_parser("format", help="format the log directories of this node")
    made.set_defaults(run=_format)
    for each in (info, made):
        each.add_argument("--config", "-c", required=True, help="server.properties of the node")
    made.add_argument("--cluster-id", "-t", required=True, help="the cluster's id")
    made.add_argument(
        "--ignore-formatted",
        "-g",
        action="store_true",
        help="pass over directories that are formatted instead of failing",
    )
    made.add_argument("--release-version", "-r", help="the release whose features to begin with")
    made.add_argument(
        "--feature",
        "-f",
        action="append",
        default=[],
        help="a feature's level, as name=level",
    )
    made.add_argument("--add-scram", "-S", action="append", default=[], help=argparse.SUPPRESS)
    how = made.add_mutually_exclusive_group()
    how.add_argument(
        "--standalone",
        "-s",
        action="store_true",
        help="found a quorum of this controller alone, to which others can be added",
    )
    how.add_argument(
        "--no-initial-controllers",
        "-N",
        action="store_true",
        help="found no quorum: this node will join one",
    )
    how.add_argument(
        "--initial-controllers",
        "-I",
        help="found a quorum of these controllers: id@host:port:directory-id,...; the same on"
        " all of them",
    )
    mapping = commands.add_parser("version-mapping", help="the feature levels of a release")
    mapping.add_argument("--release-version", "-r")
    mapping.set_defaults(run=_version_mapping)
    uuid = commands.add_parser("random-uuid", help="print a random uuid")
    uuid.set_defaults(run=_random_uuid)
    return parser
