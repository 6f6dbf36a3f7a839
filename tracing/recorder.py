"""The flight recorder of a real node: records its control plane, always on.

It records votes, terms, elections, fencing, ISR changes, broken links between nodes, and the log
lines of deciding nodes; nothing of the data plane, so requests are not slowed down. Events are
those of docs/trace.md; `raftka trace` exports them (tracing/recordings.py), even after a kill.

Nodes' clocks are compared by messages that both ends have recorded: the quorum's append-entries
contain the leader's time, which the follower returns, so that it identifies the pair.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from raftka.broker.recorded import Recorded
from raftka.model import logs
from raftka.model.errors import ErrorCode
from raftka.model.logs import Line, get_logger
from raftka.model.ports import Disk
from raftka.tracing.elections import Elections
from raftka.tracing.files import TracedDisk
from raftka.tracing.flight_file import NAME, RING_OF_EVENTS, RING_OF_SAMPLES, FlightFile
from raftka.tracing.memory import Memory
from raftka.tracing.metadata import changes
from raftka.tracing.safely import Safely
from raftka.tracing.silence import Listening, Silence

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.broker.replication.replica import Replica
    from raftka.kraft.delta import MetadataDelta
    from raftka.kraft.image import MetadataImage
    from raftka.model.ids import TopicPartition

log = get_logger(__name__)

_OF_CONTROL: Final = ("raftka.kraft.", "raftka.broker.controller.", "raftka.broker.lifecycle")
_LOGS_ELECTIONS: Final = "raftka.broker.controller.log"
"""These lines are recorded as events."""
_STARTS_AND_STOPS: Final = ("raftka.broker.serve", "raftka.server_command")
_OF_JOURNALS: Final = frozenset({"quorum-term", "quorum-vote", "quorum-truncate"})
_STANDING: Final = frozenset({"request_vote", "pre_vote"})
_LONGEST_REST_S: Final = 0.1
"""The longest interval between messages for a voter with a leader: raftka.quorum.heartbeat.ms."""
_VOTES: Final = frozenset({"request_vote", "response_vote"})
_PARTITIONS_A_BATCH: Final = 200
"""The limit of partitions of one metadata batch with an event each: recording must not delay a
failover, nor push older events out of the ring.
"""
_SAMPLES_OF: Final = 16
"""One in this many messages is a sample, the same ones on both sides."""
_TAKEN: Final = frozenset({"id", "t", "kind", "node", "cause", "level", "words", "after"})


class Recorder:
    """Events of one node; they are kept in memory until `open` gets the file's location."""

    def __init__(
        self,
        node_id: int,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = f"n{node_id}"
        self._node_id = node_id
        self._monotonic = monotonic
        self._wall_at_zero = wall() - monotonic()
        """Later steps of the wall clock do not change the order of events."""
        self._began = self._now()
        self._file: FlightFile | None = None
        self._before: list[tuple[str, str | None, int | None, dict[str, Any], float]] = []
        self._last = 0
        self._elections = Elections()
        self._image: MetadataImage | None = None
        self._lock = threading.RLock()
        """Threads sync the journals."""
        self._lines = Safely("log lines in the flight recorder", self._lock)
        self._elected: Memory[tuple[str, int]] = Memory()
        """The election event of a leader: by partition and epoch."""
        self._listening = Listening()
        self._silent_since: dict[int, float] = {}
        self._known_offset = 0
        """The metadata offset that an earlier process has recorded."""
        self._acks = Safely("acknowledgements in the flight recorder", self._lock)
        self._messages = Safely("messages in the flight recorder", self._lock)
        logs.add_sink(self.line)

    def open(self, path: str) -> None:
        """Open the file; if the disk is full the node continues without a recorder."""
        try:
            self._file = FlightFile(path, self._node_id)
        except OSError as error:
            logs.remove_sink(self.line)
            log.warning(f"there is no flight recorder: {path} cannot be made: {error}")
            return
        self._last = self._file.last_event
        began = self._began
        self._write("start", self._host, None, {"unix_s": round(began, 6)}, began)
        for each in self._before:
            self._write(*each)
        self._before.clear()

    def event(
        self, kind: str, *, node: str | None = None, cause: int | None = None, **fields: Any
    ) -> int:
        """Write one event; return its id, 0 while the file is not open."""
        with self._lock:
            if self._file is None:
                if len(self._before) < 100:
                    self._before.append((kind, node, None, fields, self._now()))
                return 0
            return self._write(kind, node, cause, fields, self._now())

    def _write(
        self, kind: str, node: str | None, cause: int | None, fields: dict[str, Any], at: float
    ) -> int:
        assert self._file is not None
        self._last += 1
        event: dict[str, Any] = {"t": round(at, 6), "kind": kind}
        if node is not None:
            event["node"] = node
        if cause:
            event["cause"] = cause
        self._file.event(self._last, event | fields)
        return self._last

    def _now(self) -> float:
        return self._wall_at_zero + self._monotonic()

    # Observers.

    def line(self, line: Line) -> None:
        """Take a line of the log (model/logs.py)."""
        of_control = line.logger.startswith(_OF_CONTROL) and line.logger != _LOGS_ELECTIONS
        if line.level == "error" or of_control or line.logger in _STARTS_AND_STOPS:
            self._lines(self._logged, line)

    def _logged(self, line: Line) -> None:
        details = {name: value for name, value in line.details.items() if name not in _TAKEN}
        self.event("log", node=self._host, level=line.level, words=line.words, **details)

    def disk(self, inner: Disk) -> Disk:
        """Wrap the node's disk port; only the quorum's journals are observed."""
        return _JournalsOnly(inner, lambda *_: None, self._of_journal, self._lock)

    def _of_journal(self, kind: str, fields: dict[str, Any]) -> None:
        if kind in _OF_JOURNALS:
            cause = self._elections.of_disk(self._host, kind, fields)
            event = self.event(kind, node=self._host, cause=cause, **fields)
            self._elections.disk_told(self._host, kind, fields, event)

    def follow(self, node: Node) -> None:
        """Observe a composed node; the file is in the directory of its metadata log."""
        self.open(f"{node.config.text('metadata.log.dir')}/{NAME}")
        if self._file is None:
            return
        self._known_offset = self._file.newest("metadata_offset")
        safely = Safely("the metadata in the flight recorder", self._lock)
        node.loader.add(lambda image, delta: safely(self._published, node, image, delta))
        node.quorum.watch(self)
        node.recorder = self
        if node.is_broker:
            node.replicas.role_listeners.append(self)

    def after(self, event: int, sample: int, max_bytes: int) -> Recorded:
        """See RecorderReader. Samples get the bytes that events leave, but at least a quarter."""
        file = self._file
        assert file is not None
        with self._lock:
            newest = file.last_sample
            events = file.after(RING_OF_EVENTS, event, self._last, max_bytes * 3 // 4)
            left = max_bytes - sum(len(data) for _, data in events)
            samples = file.after(RING_OF_SAMPLES, sample, newest, left)
            return Recorded(self._last, newest, events, samples)

    # Of partitions that this broker leads.

    def became_leader(self, replica: Replica) -> None:
        """See RoleListener. The first committed record of this epoch becomes an event."""
        state = replica.state
        end = state.log_end_offset + 1
        first = _FirstRecord(self, state.topic_partition, state.view.leader_epoch, end - 1)
        replica.wait_for(end, first, 0)

    def resigned(self, topic_partition: TopicPartition, leader_epoch: int) -> None:
        """See RoleListener: the waiter was released."""

    def first_acknowledged(self, partition: TopicPartition, epoch: int, offset: int) -> None:
        """A new leader's first record is committed: a producer with acks=all is answered."""
        self._acks(self._first_ack, str(partition), epoch, offset)

    def _first_ack(self, name: str, epoch: int, offset: int) -> None:
        cause = self._elected.get((name, epoch))
        self.event(
            "first-ack",
            node=self._host,
            cause=cause,
            partition=name,
            leader_epoch=epoch,
            offset=offset,
        )

    # The metadata.

    def _published(self, node: Node, image: MetadataImage, delta: MetadataDelta) -> None:
        before, self._image = self._image, image
        if before is None or not before.offset or image.offset <= self._known_offset:
            return  # Already present, or recorded by an earlier process.
        stamp = delta.stamp
        if image.epoch != before.epoch:
            leader = node.active_controller_id if stamp is None else stamp.controller
            fields: dict[str, Any] = {"epoch": image.epoch}
            if stamp is not None and stamp.reason:
                fields["reason"] = stamp.reason
            self._changed("controller-elected", f"n{leader}", image, delta, **fields)
        count = 0
        for kind, fields in changes(before, image, delta):
            count += "partition" in fields
            if count > _PARTITIONS_A_BATCH:
                break
            self._changed(kind, None, image, delta, **fields)
        if count > _PARTITIONS_A_BATCH:
            count = sum(map(len, delta.topics.changed.values()))
            words = f"up to {count - _PARTITIONS_A_BATCH} more partitions changed in one batch"
            self.event("log", node=self._host, level="info", words=words, offset=image.offset)

    def _changed(
        self, kind: str, host: str | None, image: MetadataImage, delta: MetadataDelta, **fields: Any
    ) -> None:
        now = float(image.offset)
        cause = self._elections.cause_of(kind, host, fields, now)
        if host != self._host:
            fields.pop("votes", None)  # Only the elected node knows them.
        fields["metadata_offset"] = image.offset
        if delta.stamp is not None:
            fields["decided_s"] = delta.stamp.wall_ms / 1000
        event = self.event(kind, node=host, cause=cause, **fields)
        self._elections.told(kind, host, fields, event, now)
        if kind == "leader-elected":
            self._elected.put((fields["partition"], fields["epoch"]), event)

    # The quorum.

    def message(self, replica_id: int, message: dict[str, Any], sent: bool) -> None:
        """See QuorumWatch."""
        self._messages(self._message, replica_id, message, sent)

    def link_broken(self, replica_id: int) -> None:
        """See QuorumWatch."""
        self._messages(self._link_broken, replica_id)

    def stood_still(self, rested_s: float, late_s: float) -> None:
        """See QuorumWatch: the process was stopped, or got no CPU time."""
        self._messages(self._stood_still, rested_s, late_s)

    def _stood_still(self, rested_s: float, late_s: float) -> None:
        # The process was suspended at some time within its planned sleep.
        meant_s = min(rested_s - late_s, _LONGEST_REST_S)
        since = self._now() - rested_s + meant_s / 2
        seconds = round(self._now() - since, 3)
        self._listening.stood_still()
        event = self.event("stood-still", node=self._host, since_s=round(since, 6), seconds=seconds)
        self._elections.down[self._host] = event

    def _link_broken(self, peer: int) -> None:
        host = f"n{peer}"
        self._listening.lost(peer)
        event = self.event(
            "connection-lost",
            node=self._host,
            cause=self._elections.down.get(host),
            peer=host,
            connection=f"quorum {self._host} {host}",
            reason="the link between the two replicas broke",
        )
        self._elections.connection_lost(self._host, host, event)

    def _silent(self, peer: int, silence: Silence | None) -> None:
        """Record a new silence."""
        if silence is None:
            return
        host = f"n{peer}"
        self._silent_since[peer] = silence.since_s
        event = self.event(
            "silence",
            node=self._host,
            peer=host,
            last_heard_s=round(silence.last_heard_s, 6),
            since_s=round(silence.since_s, 6),
        )
        self._elections.fell_silent(self._host, host, event)

    def _listen(self, peer: int, kind: str, sent: bool) -> None:
        now = self._now()
        if not sent and peer in self._silent_since:
            fields = {"peer": f"n{peer}", "seconds": round(now - self._silent_since.pop(peer), 3)}
            cause = self._elections.heard_again(self._host, f"n{peer}")
            self.event("heard-again", node=self._host, cause=cause, **fields)
        if kind == "append_entries":
            if sent:
                self._silent(peer, self._listening.showed_itself(peer, now))
            else:
                self._listening.heard_leader(peer, now)
        elif kind == "acknowledgement" and not sent:
            self._listening.heard_follower(peer, now)
        elif kind in _STANDING and sent and (found := self._listening.stands(now)) is not None:
            self._silent(*found)

    def _message(self, peer: int, message: dict[str, Any], sent: bool) -> None:
        kind, host = message["type"], f"n{peer}"
        self._listen(peer, kind, sent)
        moment = message.get("sent")
        if moment is not None:
            if kind == "append_entries" and not sent:
                self._elections.raft_arrived(self._host, host, "append-entries", "request", {}, 0)
            if int(moment * 1000) % _SAMPLES_OF == 0 and self._file is not None:
                content = [round(self._now(), 6), kind[:2], sent, peer, message["term"], moment]
                self._file.sample(content)
        elif kind in _VOTES:
            side = "request" if kind == "request_vote" else "response"
            self._vote(host, side, message["term"], sent)
        elif kind == "end_epoch":
            self._farewell(host, message["term"], sent)

    def _farewell(self, host: str, term: int, sent: bool) -> None:
        event = self._told("end-epoch", host, "request", {"term": term}, sent, None)
        if not sent:
            self._elections.raft_arrived(self._host, host, "end-epoch", "request", {}, event)

    def _vote(self, host: str, side: str, term: int, sent: bool) -> None:
        fields = {"term": term} | ({"granted": True} if side == "response" else {})
        cause = None
        if sent:
            cause, after = self._elections.of_message(self._host, "vote", side, fields, None)
            cause = cause or (after[0] if after else None)
        event = self._told("vote", host, side, fields, sent, cause)
        if not sent:
            self._elections.raft_arrived(self._host, host, "vote", side, fields, event)

    def _told(
        self, api: str, host: str, side: str, fields: dict[str, Any], sent: bool, cause: int | None
    ) -> int:
        """Record a message of the quorum; its number is its term's."""
        return self.event(
            "message-sent" if sent else "message-received",
            node=self._host,
            cause=cause,
            **{"to" if sent else "from": host},
            connection=f"quorum {self._host if sent else host} {host if sent else self._host}",
            number=fields["term"],
            protocol="raft",
            api=api,
            side=side,
            **fields,
        )


class _FirstRecord:
    """Waits, like a producer, until the first record under a new leader is committed."""

    done = False

    def __init__(
        self, recorder: Recorder, partition: TopicPartition, epoch: int, offset: int
    ) -> None:
        self._recorder = recorder
        self._partition, self._epoch, self._offset = partition, epoch, offset

    def acknowledged(self, slot: int, code: ErrorCode) -> None:
        """See AckWaiter; an error ends this broker's leadership."""
        if code is ErrorCode.NONE:
            self._recorder.first_acknowledged(self._partition, self._epoch, self._offset)


class _JournalsOnly(TracedDisk):
    """Observes only the journals; other files are opened unchanged."""

    watches_segments = False
