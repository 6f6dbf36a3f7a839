"""`raftka metadata`: shows the metadata log and image of a running or stopped node.

It reads the node's files and changes none. Of a running node it sees what is on the disk so far; it
marks entries after the committed offset, which may still be replaced.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from raftka.configuration import SINGLE_NODE, Unreadable, make_config, read_file
from raftka.kraft.codec import UnreadableRecord, decode_records
from raftka.kraft.delta import ReplayError, replay_batch
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.kraft.raft.inspect import Inspection, LoggedEntry, inspect
from raftka.kraft.raft.journal import CorruptJournal
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.snapshot import decode_snapshot
from raftka.metadata_view import Tree, at_path, image_tree, record_fields
from raftka.model.ids import uuid_text
from raftka.model.settings import WrongSettings
from raftka.storage.posix import PosixDisk

METADATA_LOG: Final = "__cluster_metadata-0"


class NotFound(ValueError):
    """There is no metadata log, or nothing at a path; the message names the places."""


def main(argv: list[str]) -> int:
    """Show what the options ask for; the exit code."""
    options = _parser().parse_args(argv or ["summary"])
    try:
        directory = find_log(options.where)
        found = inspect(PosixDisk(), directory)
        for problem in found.problems:
            print(f"warning: {problem}", file=sys.stderr)
        options.show(found, options, directory)
    except OSError as error:
        if error.filename is None:
            raise  # It is about our output, whose reader has gone, say.
        print(f"raftka metadata: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except (CorruptJournal, NotFound, ReplayError, UnreadableRecord, Unreadable) as error:
        print(f"raftka metadata: {error}", file=sys.stderr)
        return 1
    except WrongSettings as error:
        print(f"raftka metadata: {options.where}:\n{error}", file=sys.stderr)
        return 1
    return 0


def find_log(where: str | None) -> str:
    """The directory of the metadata log that `where` refers to.

    It may be that directory, the log directory around it, or a server.properties. Raises
    NotFound, Unreadable, WrongSettings.
    """
    path = Path(where) if where is not None else Path(SINGLE_NODE["log.dirs"])
    if path.is_file():
        path = Path(make_config(read_file(str(path))).text("metadata.log.dir"))
    candidates = [path, path / METADATA_LOG]
    for candidate in reversed(candidates):
        if candidate.name == METADATA_LOG and candidate.is_dir():
            return str(candidate)
    raise NotFound(
        f"{path} has no {METADATA_LOG}; name a log directory, or the server.properties of a node"
    )


def replayed(found: Inspection, up_to: int | None = None) -> MetadataImage:
    """The image after the committed entries, or after those up to an offset.

    Raises ReplayError, UnreadableRecord.
    """
    image = EMPTY_IMAGE
    if found.snapshot is not None and found.snapshot.payload:
        snapshot = found.snapshot
        image = decode_snapshot(snapshot.payload, snapshot.index, snapshot.term)
    last = found.committed if up_to is None else up_to
    for offset, epoch, payload in found.proposals():
        if offset <= last:
            image = replay_batch(image, offset, epoch, payload).image
    return image


# Output.


def _summary(found: Inspection, options: argparse.Namespace, directory: str) -> None:
    snapshot = found.snapshot
    image = replayed(found)
    facts: Tree = {
        "directory": directory,
        "epoch": found.epoch,
        "snapshot": "none" if snapshot is None else f"{snapshot.index} of epoch {snapshot.term}",
        "entries": _span(found),
        "committed": found.committed,
        "voters": _voters(found.voters) or "those of controller.quorum.voters",
        "brokers": ", ".join(map(str, image.brokers)) or "none",
        "topics": len(image.topics),
        "partitions": sum(len(topic.partitions) for topic in image.topics.values()),
    }
    if options.json:
        _print_json(facts)
    else:
        for name, value in facts.items():
            print(f"{name:<12}{value}")


def _span(found: Inspection) -> str:
    entries = found.entries
    return f"{entries[0].offset} to {entries[-1].offset}" if entries else "none"


def _voters(voters: VoterSet) -> str:
    return ", ".join(
        f"{voter.id}@{','.join(f'{e.host}:{e.port}' for e in voter.endpoints)}"
        f":{uuid_text(voter.directory_id)}"
        for voter in voters
    )


def _log(found: Inspection, options: argparse.Namespace, directory: str) -> None:
    for entry in found.entries:
        if entry.offset < options.from_offset or entry.offset > options.to_offset:
            continue
        lines = [_entry_fields(entry, record) for record in _contents(entry)]
        for line in lines:
            print(json.dumps(line, ensure_ascii=False) if options.json else _entry_line(line))


def _contents(entry: LoggedEntry) -> list[Tree]:
    if entry.kind == "proposal":
        return [record_fields(record) for record in decode_records(entry.payload)]
    if entry.kind == "voters":
        return [{"type": "Voters", "voters": _voters(VoterSet.decode(entry.payload))}]
    return [{"type": "LeaderChange"}]


def _entry_fields(entry: LoggedEntry, contents: Tree) -> Tree:
    marks = {"committed": entry.committed, "void": entry.void}
    return {"offset": entry.offset, "epoch": entry.epoch, **marks, **contents}


def _entry_line(line: Tree) -> str:
    shown = dict(line)
    mark = " (void)" if shown.pop("void") else ""
    mark += "" if shown.pop("committed") else " (not known to be committed)"
    offset, epoch, kind = shown.pop("offset"), shown.pop("epoch"), shown.pop("type")
    details = "".join(f" {name}={_word(value)}" for name, value in shown.items())
    return f"{offset} epoch {epoch}{mark}: {kind}{details}"


def _tree(found: Inspection, options: argparse.Namespace, directory: str) -> None:
    node = _looked_up(found, options)
    if options.json:
        _print_json(node)
        return
    print(options.path)
    for line in _tree_lines(node, ""):
        print(line)


def _tree_lines(node: Any, indent: str) -> list[str]:
    if not isinstance(node, dict):
        return [f"{indent}└─ {_word(node)}"]
    lines: list[str] = []
    items = list(node.items())
    for at, (name, value) in enumerate(items):
        last = at == len(items) - 1
        branch, deeper = ("└─ ", "   ") if last else ("├─ ", "│  ")
        if isinstance(value, dict):
            lines.append(f"{indent}{branch}{name}")
            lines += _tree_lines(value, indent + deeper)
        else:
            lines.append(f"{indent}{branch}{name}: {_word(value)}")
    return lines


def _ls(found: Inspection, options: argparse.Namespace, directory: str) -> None:
    node = _looked_up(found, options)
    for name in node if isinstance(node, dict) else [options.path]:
        print(name)


def _cat(found: Inspection, options: argparse.Namespace, directory: str) -> None:
    _print_json(_looked_up(found, options))


def _looked_up(found: Inspection, options: argparse.Namespace) -> Any:
    try:
        return at_path(image_tree(replayed(found, options.at)), options.path)
    except KeyError as error:
        raise NotFound(f"there is no {error.args[0]}") from error


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raftka metadata",
        description="Look into the metadata of a node on this machine, running or not. NODE is"
        " its log directory or server.properties (default: ./raftka-data). Without"
        " COMMAND: summary.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, show, words in (
        ("summary", _summary, "epoch, committed offset, voters, how much there is"),
        ("log", _log, "the entries of the log, record by record"),
        ("tree", _tree, "the image, or a part of it, as a tree"),
        ("ls", _ls, "the names at a path of the image"),
        ("cat", _cat, "what is at a path of the image, as JSON"),
    ):
        command = commands.add_parser(name, help=words, description=words)
        command.set_defaults(show=show)
        command.add_argument("where", metavar="NODE", nargs="?", help="see raftka metadata -h")
        if name in ("summary", "log", "tree"):
            command.add_argument("--json", action="store_true", help="for programs")
        if name == "log":
            command.add_argument("--from-offset", type=int, default=0, metavar="OFFSET")
            command.add_argument("--to-offset", type=int, default=2**63, metavar="OFFSET")
        if name in ("tree", "ls", "cat"):
            command.add_argument(
                "--path", default="/", help="as /topics/songs/partitions/0 (default: /)"
            )
            command.add_argument(
                "--at", type=int, metavar="OFFSET", help="the image after this entry of the log"
            )
    return parser
