"""Finds why a leader was elected, a broker fenced or an ISR shrunk, from messages, disks and
faults.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from raftka.model.reasons import Why
from raftka.tracing.memory import Memory
from raftka.tracing.messages import ALTER_CONFIGS
from raftka.tracing.timers import Timers

Fields = dict[str, Any]

_ENDS: Final = frozenset({"kill", "power-loss", "pause", "shutdown", "stopped", "crashed"})
_CUTS: Final = frozenset({"isolate", "partition", "one-way-cut", "reset", "clog", "bridge"})
_UPKEEP: Final = {"rebalance": "leader-imbalance", "unclean-allowed": "unclean-election"}
"""The timers of the controller, by the decisions that they cause."""
_TROUBLES: Final = frozenset(
    {
        *("reset", "half-open", "clog", "slow-network", "service-cut", "split-frames", "slow-disk"),
        *("full-disk", "write-error", "fsync-error", "lost-pages", "clock-jump", "corruption"),
        "directory-failed",
    }
)
"""Faults that delay or silence a node."""
_BROKERS: Final = frozenset(
    {"broker-fenced", "broker-unfenced", "broker-registered", "broker-unregistered"}
)
_ASKED_BY: Final[dict[str, tuple[str, ...]]] = {
    "new-partition": ("CreatePartitions", "CreateTopics"),
    "asked-preferred": ("ElectLeaders",),
    "asked-unclean": ("ElectLeaders",),
    "min-isr-changed": ALTER_CONFIGS,
    "reassignment-began": ("AlterPartitionReassignments",),
    "reassignment-cancelled": ("AlterPartitionReassignments",),
    "reassignment-complete": ("AlterPartition", "AlterPartitionReassignments"),
    "isr-changed-by-leader": ("AlterPartition",),
    "isr-shrunk-by-leader": ("AlterPartition",),
    "isr-expanded-by-leader": ("AlterPartition",),
    "directory-changed": ("AssignReplicasToDirs",),
}
"""The requests that cause a decision about a partition, by its code."""
_ASKED_BY_BROKER: Final = {
    "broker-shutting-down": "shutdown",
    "directory-offline": "BrokerHeartbeat",
}
"""The same if the requesting broker is in the decision's parameters."""
_OF_BROKERS: Final = {
    "broker-silent": "broker-fenced",
    "broker-gone": "broker-fenced",
    "broker-absent": "broker-fenced",
    "broker-asked": "broker-fenced",
    "broker-shut-down": "broker-fenced",
    "broker-back": "broker-unfenced",
    "broker-restarted": "broker-registered",
    "broker-restarted-uncleanly": "broker-registered",
    "broker-has-another-disk": "broker-registered",
    "broker-unregistered": "broker-unregistered",
}
"""The broker event that a decision about a partition belongs to, by the decision's code."""
_ABOUT_PARTITIONS: Final = frozenset(api for apis in _ASKED_BY.values() for api in apis)


class Elections:
    """The events that may cause elections and metadata changes."""

    def __init__(self) -> None:
        self.down: dict[str, int] = {}
        """The event that stopped a node, until it starts again."""
        self._lost: dict[str, int] = {}
        """The latest broken connection to a node."""
        self._lost_by: dict[tuple[str, str], int] = {}
        """The same, by the node that lost it."""
        self._leads: dict[str, str] = {}
        """The leader whose append-entries a node received last."""
        self._votes: dict[tuple[str, int], dict[str, int]] = {}
        """The votes a candidate got in a term, and their events."""
        self._asked: Memory[tuple[str, str, int]] = Memory()
        """A candidate's request: by voter, candidate and term."""
        self._vote_events: Memory[tuple[str, int]] = Memory()
        self._entries: Memory[tuple[str, int]] = Memory()
        """The event that wrote a raft entry to a node's disk: by node and index."""
        self._brought: Memory[tuple[str, int]] = Memory()
        """The message that brought the entry."""
        self._heard: dict[str, int] = {}
        """The newest append-entries that a node received."""
        self._requests: Memory[tuple[str, str]] = Memory()
        """The newest request about a partition, topic or broker: by API and name."""
        self.cuts: dict[tuple[str, str], int] = {}
        """The links that are cut now, and the events that cut them."""
        self.begun: dict[str, int] = {}
        """The event of a node's latest start."""
        self.led: dict[str, int] = {}
        """The latest election, or change of the ISR, of a partition."""
        self._troubles: dict[str, int] = {}
        """The newest fault of a node's disk, clock or network; "" has faults of all nodes."""
        self.timers = Timers(lambda *a, **k: 0, self.silencers)
        """Replaced by the observer, which can write."""
        self._silent: dict[tuple[str, str], int] = {}
        """The silence of one node towards another, by the pair; only flight recorders record it."""
        self._resigned: dict[str, tuple[str, int]] = {}
        """The leader that announced its resignation to a node, and the message."""
        self._session_over: dict[str, int] = {}
        """The timer that found a node silent."""
        self._resumed: dict[str, int] = {}
        self._brokers: list[tuple[float, int, int]] = []
        """(time, event, broker) of changes of brokers at the current moment."""

    def timer_fired(self, node: str, timer: str, about: str) -> int:
        """A timer of a node has fired; return the event's id."""
        event = self.timers.fired(node, timer, about, self.begun.get(node))
        if timer == "session":
            self._session_over[about] = event
        return event

    def connection_lost(self, node: str, peer: str, event: int) -> None:
        """`node` found a connection to `peer` broken."""
        self._lost[peer] = self._lost_by[node, peer] = event

    def fell_silent(self, node: str, peer: str, event: int) -> None:
        """`node` notices that `peer` is silent."""
        self._silent[node, peer] = event

    def heard_again(self, node: str, peer: str) -> int | None:
        """`node` hears it again; return the event of the silence."""
        return self._silent.pop((node, peer), None)

    # The quorum.

    def raft_arrived(
        self, node: str, peer: str, api: str, side: str, fields: Fields, event: int
    ) -> None:
        """A message of the quorum reached `node`."""
        if api in ("append-entries", "snapshot") and side == "request":
            self._leads[node] = peer
            self._heard[node] = event
            self._resigned.pop(node, None)
            self._lost_by.pop((node, peer), None)  # They are connected again.
            self.timers.pushed(node, "election", "", event, waits_for=peer)
            if "last_index" in fields:
                self._brought.put((node, fields["last_index"]), event)
        elif api == "end-epoch":
            self._resigned[node] = (peer, event)
        elif api == "vote" and side == "request":
            self._asked.put((node, peer, fields["term"]), event)
        elif api == "append-entries":
            self.timers.pushed(node, "lease", "", event)
        elif api == "vote":
            self._votes.setdefault((node, fields["term"]), {})[peer] = event

    def of_message(
        self, node: str, api: str, side: str, fields: Fields, request: int | None
    ) -> tuple[int | None, list[int]]:
        """The cause of a raft message."""
        own = self._vote_events.get((node, fields["term"])) if api == "vote" else None
        if side == "response":
            stored = self._entries.get((node, fields.get("next_index", 0) - 1))
            after = own if api == "vote" else stored
            return request or None, [after] if after is not None else []
        if api == "vote":
            return own, []
        if api == "append-entries" and "last_index" in fields:
            return self._entries.get((node, fields["last_index"])), []
        if api == "pre-vote":
            return self._stands_because(node), []
        return self._vote_events.get((node, fields["term"])), []

    def of_disk(self, node: str, kind: str, fields: Fields) -> int | None:
        """The cause of a raft write; a vote also gets its reason."""
        if kind == "quorum-append":
            # A follower got the entry in a request; a leader's own entry carries the term of its
            # election.
            found = self._brought.get((node, fields["last_index"]))
            return found or self._vote_events.get((node, fields["term"])) or self.begun.get(node)
        if kind == "quorum-commit":
            return self._heard.get(node)
        if kind == "quorum-truncate":
            why = Why("quorum-diverged", index=fields["index"])
            fields |= {"reason": str(why), "code": why.code, "with": dict(why.values)}
            return self._heard.get(node) or None
        if kind != "quorum-vote":
            return self._heard.get(node) or self.begun.get(node)
        candidate = f"n{fields.pop('candidate')}"
        fields["candidate"] = candidate
        if candidate != node:
            why = Why("vote-granted", candidate=candidate, term=fields["term"])
            fields |= {"reason": str(why), "code": why.code, "with": dict(why.values)}
            return self._asked.get((node, candidate, fields["term"]))
        leader = self._leads.get(node, "")
        if self._has_resigned(node) is not None:
            why = Why("leader-resigned", leader=leader)
        else:
            known = {"leader": leader} if leader else {}
            why = Why("link-broke" if (node, leader) in self._lost_by else "leader-silent", **known)
        fields |= {"reason": str(why), "code": why.code, "with": dict(why.values)}
        return self._stands_because(node)

    def _has_resigned(self, node: str) -> int | None:
        """The message by which the node's leader resigned."""
        found = self._resigned.get(node)
        return found[1] if found is not None and found[0] == self._leads.get(node) else None

    def _stands_because(self, node: str) -> int | None:
        """Why a node stands for election: its leader resigned, the link broke, or its timer
        fired.
        """
        if (resigned := self._has_resigned(node)) is not None:
            return resigned
        lost = self._lost_by.get((node, self._leads.get(node, "")))
        timer = self.timers.newest.get((node, "election"))
        if lost is None:
            return self._silent.get((node, self._leads.get(node, "")), timer)
        return timer if self._resumed.get(node, 0) > lost else lost

    def silencers(self, node: str, other: str) -> list[int]:
        """The faults in this trace that silence one node towards another; newest last."""
        found = [
            self.down.get(other),
            self._resumed.get(node),
            *(self.cuts.get(way) for way in ((other, node), (node, other))),
            *(self._troubles.get(each) for each in (node, other, "")),
        ]
        if not other:
            found += [event for way, event in self.cuts.items() if node in way]
            found += [event for host, event in self.down.items() if host != node]
        return sorted({event for event in found if event is not None})

    def disk_told(self, node: str, kind: str, fields: Fields, event: int) -> None:
        """Write the event for a write of the quorum."""
        if kind == "quorum-append":
            for index in range(fields["first_index"], fields["last_index"] + 1):
                self._entries.put((node, index), event)
        elif kind == "quorum-vote":
            self._vote_events.put((node, fields["term"]), event)

    # The metadata.

    def asked(self, fields: Fields) -> int | None:
        """The newest request that an Envelope may contain: the same API and subject."""
        api = fields.get("carries", "")
        names = [str(fields["broker_id"])] if api == "UnregisterBroker" else _subjects(fields)
        found = [self._requests.get((api, name)) for name in names]
        return max((event for event in found if event is not None), default=None)

    def request_arrived(self, node: str, api: str, fields: Fields, event: int) -> None:
        """A request reached the broker or controller that answers it."""
        if api == "BrokerHeartbeat" and "broker_id" in fields:
            broker = f"n{fields['broker_id']}"
            self.timers.pushed(node, "session", broker, event, waits_for=broker)
        if api in ("BrokerHeartbeat", "BrokerRegistration") and "broker_id" in fields:
            api = "shutdown" if fields.get("want_shut_down") else api
            self._requests.put((api, str(fields["broker_id"])), event)
        api = fields.get("carries", api)
        if api == "UnregisterBroker":
            self._requests.put((api, str(fields["broker_id"])), event)
        if api in _ABOUT_PARTITIONS:
            for name in _subjects(fields):
                self._requests.put((api, name), event)

    def cause_of(self, kind: str, node: str | None, fields: Fields, now: float) -> int | None:
        """Finds a cause for an event that has none; may add further causes."""
        if kind == "controller-elected" and node is not None:
            votes = self._votes.get((node, fields["epoch"]), {})
            fields["votes"] = sorted({node, *votes})
            why = Why("majority", votes=", ".join(fields["votes"]))
            fields |= {"code": why.code, "with": {"votes": fields["votes"]}}
            fields.setdefault("reason", str(why))
            own = self._vote_events.get((node, fields["epoch"]), self.begun.get(node))
            return max(votes.values(), default=own)
        if kind in ("crashed", "stopped", "unsynced-lost") and node is not None:
            found = (self.down.get(node), self._troubles.get(node), self.begun.get(node))
            return max((event for event in found if event is not None), default=None)
        if kind in _BROKERS:
            return self._of_broker(kind, fields["broker"], fields.get("code", ""))
        if kind in ("leader-elected", "isr-changed"):
            return self._of_partition(kind, fields, now)
        return None

    def _of_broker(self, kind: str, broker: int, code: str) -> int | None:
        name = str(broker)
        if kind == "broker-registered":
            return self._requests.get(("BrokerRegistration", name))
        if kind == "broker-unfenced":
            return self._requests.get(("BrokerHeartbeat", name))
        if kind == "broker-unregistered":
            return self._requests.get(("UnregisterBroker", name))
        if code == "broker-silent":
            noticed = [event for (_, peer), event in self._silent.items() if peer == f"n{broker}"]
            return self._session_over.get(f"n{broker}", max(noticed, default=None))
        found = (
            self._lost.get(f"n{broker}"),
            self.down.get(f"n{broker}"),
            self._requests.get(("shutdown", name)),
        )
        return max((event for event in found if event is not None), default=None)

    def _of_partition(self, kind: str, fields: Fields, now: float) -> int | None:
        self._brokers = [each for each in self._brokers if each[0] == now]
        code = fields.get("code", "").partition(".")[0]
        broker = fields.get("with", {}).get("broker")
        if code in _ASKED_BY_BROKER:
            asked = self._requests.get((_ASKED_BY_BROKER[code], str(broker)))
            if asked is not None:
                return asked
        same = [event for _, event, about in self._brokers if about == broker]
        if same:
            return same[-1]
        if broker is not None and code in _OF_BROKERS:
            # A broker with many replicas: batches of its partitions come before its own.
            because = self._of_broker(_OF_BROKERS[code], broker, code)
            if because is not None:
                return because
        if kind == "isr-changed":
            gone = [event for _, event, broker in self._brokers if broker not in fields["isr"]]
            if gone:
                return gone[-1]
        elif self._brokers:
            return self._brokers[-1][1]
        if code in _UPKEEP and (at := self.timers.newest_of(_UPKEEP[code])) is not None:
            return at
        partition = fields["partition"]
        names = (partition, partition.rpartition("-")[0], "")
        return self._newest_request(_ASKED_BY.get(code, ()), names) or self._newest_request(
            _ABOUT_PARTITIONS, names
        )

    def _newest_request(self, apis: Iterable[str], names: tuple[str, ...]) -> int | None:
        found = (self._requests.get((api, name)) for api in apis for name in names)
        return max((event for event in found if event is not None), default=None)

    def beats_because(self, node: str, fields: Fields) -> int | None:
        """The cause of a broker's heartbeat: a shutdown, or a failed disk."""
        if fields.get("want_shut_down"):
            return self.down.get(node)
        return self._troubles.get(node) if "offline_log_dirs" in fields else None

    def told(self, kind: str, node: str | None, fields: Fields, event: int, now: float) -> None:
        """Write an event of the run or of the metadata; return its id."""
        if kind in _BROKERS:
            self._brokers = [each for each in self._brokers if each[0] == now]
            self._brokers.append((now, event, fields["broker"]))
        if kind == "heal":
            self.down.clear()
        if kind == "cut":
            self.cuts[fields["source"], fields["target"]] = event
        elif kind == "link-healed":
            self.cuts.pop((fields["source"], fields["target"]), None)
        elif kind in _TROUBLES:
            hosts = [node, *fields.get("between", ()), fields.get("source"), fields.get("target")]
            hosts += [fields.get("lost_by"), fields.get("peer"), fields.get("server")]
            for host in [host for host in hosts if host] or [""]:
                self._troubles[host] = event
        elif kind in ("leader-elected", "isr-changed"):
            self.led[fields["partition"]] = event
        if node is None:
            return
        if kind in _ENDS or kind in _CUTS:
            self.down[node] = event
        elif kind == "start":
            self.begun[node] = event
            self.timers.forget(node)
            self._heard.pop(node, None)
            self._leads.pop(node, None)
        elif kind in ("serving", "resume"):
            self.down.pop(node, None)
            self._lost.pop(node, None)
            if kind == "resume":
                self._resumed[node] = event


def _subjects(fields: Fields) -> list[str]:
    """The partitions and topics of a request; "" for a request about all of them."""
    names = [each.get("partition") or each["topic"] for each in fields.get("partitions", ())]
    names += [each.get("topic", "") for each in fields.get("resources", ())]
    return names or [""]
