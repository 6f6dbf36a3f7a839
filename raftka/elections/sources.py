"""Sources of elections: flight recorders, and the metadata log for what they no longer have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from raftka.kraft.codec import UnreadableRecord
from raftka.kraft.delta import ReplayError, replay_batch
from raftka.kraft.image import EMPTY_IMAGE
from raftka.kraft.raft.inspect import inspect
from raftka.kraft.raft.journal import CorruptJournal
from raftka.kraft.snapshot import decode_snapshot
from raftka.metadata_command import NotFound, find_log
from raftka.storage.posix import PosixDisk
from raftka.trace_command import NoRecording, recording
from raftka.tracing.flight_file import Recording
from raftka.tracing.metadata import changes
from raftka.tracing.recordings import merge

Event = dict[str, Any]
_OF_BOTH: Final = frozenset({"leader-elected", "controller-elected", "broker-fenced"})


class NothingThere(ValueError):
    """Neither a recorder nor a metadata log where one was named; the message says what to name."""


def events_of(directories: Sequence[str], answered: Sequence[Recording] = ()) -> list[Event]:
    """What the nodes' recorders and metadata logs have, each once; `at_s` is seconds since 1970.

    `answered` are recorders of nodes that were asked over the network. Raises NothingThere, and
    what trace_command.recording raises for a damaged recorder.
    """
    recordings = list(answered)
    known_nodes = {each.node_id for each in answered}
    logged: list[Event] = []
    for each in directories:
        missing = ""
        try:
            found = recording(Path(each))
            if found.node_id not in known_nodes:
                known_nodes.add(found.node_id)
                recordings.append(found)
        except NoRecording as error:
            missing = str(error)
        try:
            logged += of_metadata_log(find_log(each))
        except (NotFound, CorruptJournal, ReplayError, UnreadableRecord) as error:
            if missing:
                raise NothingThere(f"{missing}; and {error}") from error
    merged = merge(recordings)
    events = [{**event, "at_s": merged.began_unix_s + event["t"]} for event in merged.events[1:]]
    known = {_key(event) for event in events}
    number = 0
    for event in logged:
        if (key := _key(event)) not in known:
            known.add(key)
            number -= 1
            events.append({**event, "id": number})
    return events


def of_metadata_log(directory: str) -> Iterator[Event]:
    """The elections and fences that a metadata log has, with the times of its batches; batches of
    before there were any have none, and are left out.

    Raises CorruptJournal, ReplayError, UnreadableRecord.
    """
    found = inspect(PosixDisk(), directory)
    image = EMPTY_IMAGE
    if found.snapshot is not None and found.snapshot.payload:
        snapshot = found.snapshot
        image = decode_snapshot(snapshot.payload, snapshot.index, snapshot.term)
    for offset, epoch, payload in found.proposals():
        if offset > found.committed:
            return
        before, delta = image, replay_batch(image, offset, epoch, payload)
        image = delta.image
        stamp = delta.stamp
        if stamp is None:
            continue
        at_s = stamp.wall_ms / 1000
        common = {"at_s": at_s, "decided_s": at_s, "metadata_offset": offset}
        if stamp.controller >= 0:
            head = {"kind": "controller-elected", "node": f"n{stamp.controller}", "epoch": epoch}
            yield {**head, "reason": stamp.reason, **common}
        for kind, fields in changes(before, image, delta):
            if kind in _OF_BOTH:
                yield {"kind": kind, **fields, **common}


def _key(event: Event) -> tuple[Any, ...]:
    if event["kind"] not in _OF_BOTH:
        return ("event", event["id"])
    subject = event.get("partition", event.get("broker"))
    return (event["kind"], event.get("metadata_offset"), subject)
