"""Sources of elections: flight recorders, and the metadata log for what they no longer have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from raftka.client.admin.metadata_logs import MetadataLog
from raftka.kraft.codec import UnreadableRecord, decode_records
from raftka.kraft.delta import MetadataDelta, ReplayError, replay_batch
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.kraft.raft.inspect import Inspection, inspect
from raftka.kraft.raft.journal import CorruptJournal
from raftka.kraft.snapshot import decode_snapshot
from raftka.metadata_command import NotFound, find_log
from raftka.storage.posix import PosixDisk
from raftka.trace_command import NoRecording, recording
from raftka.tracing.flight_file import Entry, Recording
from raftka.tracing.metadata import changes
from raftka.tracing.recordings import merge

Event = dict[str, Any]
_OF_BOTH: Final = frozenset({"leader-elected", "controller-elected", "broker-fenced"})


class NothingThere(ValueError):
    """No recorder and no metadata log at the given place; the message says what to name instead."""


def events_of(
    directories: Sequence[str],
    answered: Sequence[Recording] = (),
    log: MetadataLog | None = None,
) -> list[Event]:
    """The events of the nodes' recorders and metadata logs, each once; `at_s` is seconds since
    1970. `answered`: recorders of nodes that were asked over the network. `log`: the metadata log
    of one of them. Raises NothingThere, UnreadableRecord and ReplayError for a log, and what
    trace_command.recording raises for a damaged recorder.
    """
    recordings = list(answered)
    known_nodes = {each.node_id for each in answered}
    logged: list[Event] = [] if log is None else list(of_answered_log(log))
    for each in directories:
        missing, published = "", 0
        try:
            found = recording(Path(each))
            published = max(map(_offset, found.events), default=0)
            if found.node_id not in known_nodes:
                known_nodes.add(found.node_id)
                recordings.append(found)
        except NoRecording as error:
            missing = str(error)
        try:
            logged += of_metadata_log(find_log(each), published)
        except (NotFound, CorruptJournal, ReplayError, UnreadableRecord) as error:
            if missing:
                raise NothingThere(f"{missing}; and {error}") from error
    merged = merge(recordings)
    events = [{**event, "at_s": merged.began_unix_s + event["t"]} for event in merged.events[1:]]
    return events + list(_not_recorded(events, logged))


def _not_recorded(events: Sequence[Event], logged: Iterable[Event]) -> Iterator[Event]:
    """Events that only a metadata log has. A recorder has only the first partitions of a large
    batch: the others get the causes of those that changed for the same reason.
    """
    known = {_key(event) for event in events}
    causes = {
        (event["metadata_offset"], event.get("reason")): event["cause"]
        for event in events
        if event["kind"] == "leader-elected" and "cause" in event and "metadata_offset" in event
    }
    number = 0
    for event in logged:
        if (key := _key(event)) in known:
            continue
        known.add(key)
        number -= 1
        cause = None
        if event["kind"] == "leader-elected":
            cause = causes.get((event["metadata_offset"], event.get("reason")))
        yield {**event, "id": number} | ({} if cause is None else {"cause": cause})


def _offset(recorded: Entry) -> int:
    content = recorded.content
    value = content.get("metadata_offset") if isinstance(content, dict) else None
    return value if isinstance(value, int) else 0


def of_metadata_log(directory: str, published: int = 0) -> Iterator[Event]:
    """The elections and fencings in a metadata log, with the times of its batches; batches without
    a time, from older versions, are left out. `published`: the offset of metadata that this node
    has published. Its log is committed up to there, although its files may show that only after the
    next write. Raises CorruptJournal, ReplayError, UnreadableRecord.
    """
    found = inspect(PosixDisk(), directory)
    return of_inspected_log(found, max(found.committed, published))


def of_inspected_log(found: Inspection, last: int) -> Iterator[Event]:
    """The same for records that were read, up to the offset `last`."""
    if found.entries and found.entries[0].offset == 1:  # Elections in a snapshot, too.
        whole = (each for each in found.entries if each.kind == "proposal" and not each.void)
        batches = ((each.offset, each.epoch, each.payload) for each in whole)
        return _events(EMPTY_IMAGE, (each for each in batches if each[0] <= last))
    image = EMPTY_IMAGE
    if found.snapshot is not None and found.snapshot.payload:
        snapshot = found.snapshot
        image = decode_snapshot(snapshot.payload, snapshot.index, snapshot.term)
    return _events(image, (each for each in found.proposals() if each[0] <= last))


def of_answered_log(log: MetadataLog) -> Iterator[Event]:
    """The same for a log that a running node sent. Raises ReplayError, UnreadableRecord."""
    delta = MetadataDelta(EMPTY_IMAGE)
    for rows in log.of_snapshot:
        delta.replay_all(decode_records(rows), log.snapshot_offset)
    return _events(delta.finish(log.snapshot_offset, log.snapshot_epoch), log.batches)


def _events(image: MetadataImage, batches: Iterable[tuple[int, int, bytes]]) -> Iterator[Event]:
    for offset, epoch, payload in batches:
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
