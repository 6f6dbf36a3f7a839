"""`raftka storage` (kafka-storage): formats log directories and describes them.

Options and messages are those of Apache Kafka 4.3's tool.
"""

from __future__ import annotations

import argparse
import sys

from raftka.configuration import Unreadable, make_config, read_file
from raftka.formatting import (
    FormatRefused,
    format_directories,
    inspect,
    new_uuid,
    parse_initial_controllers,
    standalone_voter,
)
from raftka.kraft.controller import features
from raftka.kraft.records import METADATA_VERSION
from raftka.model import releases
from raftka.model.ids import uuid_text
from raftka.model.releases import HIGHEST, KRAFT, UnknownRelease
from raftka.model.settings import Config, WrongSettings
from raftka.scram_option import BadScramOption, parse_scram
from raftka.storage.meta_properties import BadDirectory
from raftka.storage.posix import PosixDisk


def main(argv: list[str]) -> int:
    """Run one sub-command; returns the exit code."""
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
    except (BadDirectory, BadScramOption, FormatRefused, UnknownRelease, Unreadable) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        if error.filename is None:
            raise  # It is about our output, whose reader has gone, say.
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
    return 1


def _random_uuid(_: argparse.Namespace) -> int:
    print(uuid_text(new_uuid()))
    return 0


def _format(options: argparse.Namespace) -> int:
    config = make_config(read_file(options.config))
    _check_cluster_id(options.cluster_id)
    scram = parse_scram(options.add_scram)
    founds = options.standalone or options.initial_controllers is not None
    if founds and config.names("controller.quorum.voters"):
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
    voted = bool(config.names("controller.quorum.voters"))
    levels = _levels(options, dynamic=not voted and (founds or options.no_initial_controllers))
    chosen = options.release_version is not None or bool(options.feature)
    begin, words = _served(levels) if chosen else (None, [])
    done = format_directories(
        config,
        PosixDisk(),
        options.cluster_id,
        ignore_formatted=options.ignore_formatted,
        voters=voters,
        levels=begin,
        scram=scram,
    )
    if not done:
        print("All of the log directories are already formatted.")
    release = releases.name_of(levels[METADATA_VERSION])
    metadata = config.text("metadata.log.dir")
    for path in done:
        kind = "metadata" if path == metadata else "data"
        founding = f" as one of {len(voters)} first voters" if voters and kind == "metadata" else ""
        print(f"Formatting {kind} directory {path} with metadata.version {release}{founding}.")
    for line in words:
        print(line)
    return 0


def _must_say_how(config: Config, *, no_initial: bool) -> bool:
    """Whether a controller of a dynamic quorum was given no way to found or join it."""
    controller = "controller" in config.names("process.roles")
    return controller and not no_initial and not config.names("controller.quorum.voters")


def _check_cluster_id(text: str) -> None:
    """Kafka accepts any name; this refuses those that meta.properties cannot hold."""
    if not text.strip() or not text.isprintable():
        raise FormatRefused(f"{text!r} is no cluster id; make one with random-uuid")


def _levels(options: argparse.Namespace, *, dynamic: bool) -> dict[str, int]:
    """The feature levels that a new cluster begins with. Raises UnknownRelease, and
    FormatRefused for levels that exclude each other."""
    asked = dict(_parse_level(item) for item in options.feature)
    if options.release_version is not None and METADATA_VERSION in asked:
        raise FormatRefused(
            f"Use --release-version instead of --feature {METADATA_VERSION}=X to avoid ambiguity."
        )
    for name in asked:
        if name not in HIGHEST and name != METADATA_VERSION:
            known = ", ".join(sorted(HIGHEST))
            raise FormatRefused(f"Unsupported feature: {name}. Supported features are: {known}")
    version = asked.pop(METADATA_VERSION, features.BOOTSTRAP[METADATA_VERSION])
    if options.release_version is not None:
        version = releases.metadata_version(options.release_version)
    releases.name_of(version)
    for name, level in asked.items():
        releases.check_level(name, level, version)
    _check_kraft_version(asked.get(KRAFT), dynamic=dynamic)
    return {METADATA_VERSION: version, **releases.default_levels(version), **asked}


def _parse_level(item: str) -> tuple[str, int]:
    name, equals, level = item.partition("=")
    words = f"Can't parse feature=level string {item}:"
    if not equals:
        raise FormatRefused(f"{words} equals sign not found.")
    if not (level.isascii() and level.isdecimal()) or int(level) > 32767:
        raise FormatRefused(f"{words} unable to parse {level} as a short.")
    return name, int(level)


def _check_kraft_version(level: int | None, *, dynamic: bool) -> None:
    flags = "--standalone, --initial-controllers, or --no-initial-controllers"
    if level == 1 and not dynamic:
        raise FormatRefused(
            "Cannot set kraft.version to 1 unless controller.quorum.voters is empty and one of the"
            f" flags {flags} is used. For dynamic controllers support, try using one of {flags}"
            " and removing controller.quorum.voters."
        )
    if level == 0 and dynamic:
        raise FormatRefused(
            f"Cannot set kraft.version to 0 if one of the flags {flags} is used. For dynamic"
            " controllers support, try removing the --feature flag for kraft.version."
        )


def _served(levels: dict[str, int]) -> tuple[dict[str, int], list[str]]:
    """The levels that this release supports, and a notice for each of the others."""
    begin, words = {}, []
    for name, level in levels.items():
        low, high = features.SUPPORTED.get(name, (0, 0))
        taken = min(max(level, low), high)
        if name in features.SUPPORTED:
            begin[name] = taken
        if taken != level and name != KRAFT:
            words.append(f"{name} begins at {taken}: level {level} is not served yet")
    return begin, words


def _info(options: argparse.Namespace) -> int:
    found = inspect(make_config(read_file(options.config)), PosixDisk())
    problems = [f"{path} does not exist" for path in found.missing]
    problems += [f"{path} is not formatted." for path in found.empty]
    problems += [f"{path} cannot be read: {error}" for path, error in found.unreadable.items()]
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
    version = features.BOOTSTRAP[METADATA_VERSION]
    given = options.release_version
    name = releases.name_of(version) if given is None else given
    version = releases.metadata_version(name)
    print(f"{METADATA_VERSION}={version} ({name})")
    for feature, level in releases.default_levels(version).items():
        print(f"{feature}={level}")
    return 0


def _feature_dependencies(options: argparse.Namespace) -> int:
    for item in options.feature:
        name, equals, level = item.partition("=")
        if not equals or not (level.isascii() and level.isdecimal()):
            raise FormatRefused(
                f"Invalid feature format: {item}. Expected format: 'feature=version' (e.g."
                " 'group.version=1')"
            )
        for line in releases.dependencies(name, int(level)):
            print(line)
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
    made.add_argument(
        "--add-scram",
        "-S",
        action="append",
        default=[],
        help="a user's password: SCRAM-SHA-256=[name=alice,password=secret], or with"
        " iterations=, salt= and saltedpassword=",
    )
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
    mapping.add_argument("--release-version", "-r", help="as 4.3, or 4.3-IV0")
    mapping.set_defaults(run=_version_mapping)
    needs = commands.add_parser("feature-dependencies", help="what levels of features need")
    needs.add_argument("--feature", "-f", action="append", required=True, help="as group.version=1")
    needs.set_defaults(run=_feature_dependencies)
    uuid = commands.add_parser("random-uuid", help="print a random uuid")
    uuid.set_defaults(run=_random_uuid)
    return parser
