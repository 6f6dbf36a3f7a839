"""Every kind of event and its fields: docs/trace.md as data.

A test compares both with real runs.
"""

from __future__ import annotations

from typing import Final, NamedTuple

COMMON: Final = ("id", "t", "kind", "node", "cause", "after")


class Kind(NamedTuple):
    """An event's fields in addition to the common ones."""

    fields: tuple[str, ...] = ()
    """Always present."""
    optional: tuple[str, ...] = ()
    """Present only when it has a value."""
    is_open: bool = False
    """Whether its content determines further fields."""


def _kind(fields: str = "", optional: str = "", *, is_open: bool = False) -> Kind:
    return Kind(tuple(fields.split()), tuple(optional.split()), is_open)


_MESSAGE: Final = "connection number protocol api side"
_OF_KAFKA: Final = "bytes version correlation_id client_id"
_COMMITTED: Final = "metadata_offset decided_s"
"""In a flight recorder: events that every node learns from the metadata log."""
_DECIDED: Final = "reason code with rule where"

KINDS: Final[dict[str, Kind]] = {
    # Messages.
    "message-sent": _kind(f"to {_MESSAGE}", _OF_KAFKA, is_open=True),
    "message-received": _kind(f"from {_MESSAGE}", _OF_KAFKA, is_open=True),
    "silence": _kind("peer last_heard_s since_s"),
    "heard-again": _kind("peer seconds"),
    "stood-still": _kind("since_s seconds"),
    "message-lost": _kind("connection number reason"),
    "connection-lost": _kind("peer connection reason"),
    # Logs of partitions.
    "append": _kind(
        "partition base_offset last_offset leader_epoch records bytes", "producer_id sequence"
    ),
    "append-unread": _kind("partition bytes"),
    "truncate": _kind("partition offset leader_epoch bytes", _DECIDED),
    "high-watermark": _kind("partition offset"),
    "leader-epoch": _kind("partition leader_epoch start_offset"),
    # The quorum.
    "quorum-term": _kind("term"),
    "quorum-vote": _kind("term candidate", _DECIDED),
    "quorum-append": _kind("first_index last_index term", "records"),
    "quorum-truncate": _kind("index", _DECIDED),
    "quorum-commit": _kind("index"),
    "quorum-snapshot": _kind("index term"),
    "voters-changed": _kind("added removed"),
    "controller-elected": _kind("epoch", f"votes {_DECIDED} {_COMMITTED}"),
    # The metadata.
    "broker-registered": _kind("broker epoch", _COMMITTED),
    "broker-fenced": _kind("broker epoch", f"{_DECIDED} {_COMMITTED}"),
    "broker-unfenced": _kind("broker epoch", f"{_DECIDED} {_COMMITTED}"),
    "broker-unregistered": _kind("broker", f"{_DECIDED} {_COMMITTED}"),
    "leader-elected": _kind(
        "partition leader epoch isr elr reason", f"code with rule where {_COMMITTED}"
    ),
    "isr-changed": _kind(
        "partition leader isr elr replicas partition_epoch", f"{_DECIDED} {_COMMITTED}"
    ),
    "first-ack": _kind("partition leader_epoch offset"),
    # Clients.
    "produce": _kind("topic record"),
    "ack": _kind("partition offset record produce"),
    "failed": _kind("record error"),
    "send-failed": _kind("error"),
    "send-refused": _kind("error"),
    "read": _kind("partition first_offset last_offset"),
    "commit": _kind("group partitions errors"),
    "assigned": _kind("partitions"),
    "revoked": _kind("partitions"),
    "lost": _kind("partitions"),
    "consumer-failed": _kind("error"),
    "refused": _kind("error"),
    "lie-answered": _kind("lie error"),
    "must-abort": _kind("error"),
    "must-retry": _kind("error"),
    "transactor-failed": _kind("error"),
    "member-failed": _kind("error"),
    "operation": _kind("operation name"),
    "operation-done": _kind("name"),
    # Processes and machines.
    "recording": _kind("unix_s nodes offsets_ms"),
    "start": _kind("", "life unix_s"),
    "serving": _kind("life"),
    "shutdown": _kind(),
    "stopped": _kind("life"),
    "crashed": _kind("life error"),
    "kill": _kind(),
    "power-loss": _kind(),
    "pause": _kind(),
    "resume": _kind(),
    "wipe": _kind(),
    "metadata-disk-lost": _kind(),
    "join": _kind("roles"),
    "scrap": _kind(),
    "unsynced-lost": _kind("changes"),
    "batches-lost": _kind("partition count"),
    "log": _kind("level words", is_open=True),
    # Faults.
    "fault": _kind("fault name"),
    "heal": _kind(),
    "reset": _kind("between connections"),
    "slow-network": _kind("mean_s"),
    "clog": _kind("source target seconds"),
    "one-way-cut": _kind("source target"),
    "partition": _kind("one other"),
    "cut": _kind("source target"),
    "link-healed": _kind("source target"),
    "isolate": _kind(),
    "stranded-leader": _kind(),
    "divergent-failover": _kind(),
    "returning-leader": _kind(),
    "unseen-successor": _kind(),
    "starved-failover": _kind(),
    "crash-after-truncation": _kind(),
    "double-failover": _kind(),
    "overtaken-leader": _kind(),
    "service-cut": _kind("client server"),
    "bridge": _kind("between"),
    "shatter": _kind(),
    "swizzle-clog": _kind("links"),
    "lost-reply": _kind(),
    "split-frames": _kind(),
    "half-open": _kind("lost_by peer"),
    "fsync-error": _kind(),
    "lost-pages": _kind(),
    "write-error": _kind(),
    "full-disk": _kind(),
    "disk-freed": _kind(),
    "directory-failed": _kind("path"),
    "slow-disk": _kind("seconds"),
    "corruption": _kind("path at"),
    "markers-held": _kind(),
    "share-state-held": _kind(),
    "clock-jump": _kind("ms"),
    "clock-drift": _kind("rate"),
    "reassign": _kind("partition to"),
    "rebalance": _kind("partitions to"),
    "quorum-change": _kind(),
    "group-churn": _kind("end"),
    "stale-client": _kind("still_reaches"),
    # Timers.
    "timer-set": _kind("timer", "about"),
    "timer-pushed-back": _kind("timer times", "about"),
    "timer-fired": _kind("timer", "about"),
    # Verdicts.
    "checked": _kind("counts rules"),
    "scenario-left": _kind("reason"),
    "allowed-loss": _kind("partition story"),
    "violation": _kind("name story"),
}

DECISIONS: Final = frozenset(
    name for name, kind in KINDS.items() if "where" in (*kind.fields, *kind.optional)
)
"""The cluster's decisions: each such event has all explaining fields, unless its record is from a
release that did not write reasons yet.
"""
