"""The story of a partition and of one of its records: its leaders, copies and readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from raftka.simulations.story.chronicle import LINKS, Chronicle, Event
from raftka.simulations.story.copies import Copies, State
from raftka.simulations.story.record import record_facts, stored_twice
from raftka.simulations.story.story import Moment, Row, Story, prune
from raftka.simulations.story.words import brokers, hosts, is_node, sentence

ROWS_MAX: Final = 36
_ENDS: Final[Mapping[str, float]] = {
    "kill": 2.5,
    "power-loss": 2.5,
    "crashed": 2.5,
    "stopped": 2.0,
    "wipe": 3.0,
    "pause": 2.5,
    "resume": 2.0,
    "scrap": 2.0,
    "join": 2.0,
    "shutdown": 1.5,
    "start": 1.5,
    "serving": 1.0,
    "fsync-error": 2.0,
    "lost-pages": 2.0,
    "write-error": 2.0,
    "full-disk": 2.0,
    "slow-disk": 0.8,
    "clock-jump": 0.8,
}
"""Events of a machine, and their weights in a timeline."""
_OF_BROKERS: Final[Mapping[str, float]] = {
    "broker-fenced": 2.0,
    "broker-unfenced": 1.2,
    "broker-registered": 1.0,
    "broker-unregistered": 2.0,
}
_OF_ALL: Final[Mapping[str, float]] = {
    "controller-elected": 1.2,
    "heal": 2.0,
    "violation": 9.0,
    "voters-changed": 0.5,
    "slow-network": 0.3,
}
_ABOUT_REQUESTS: Final = ("duplicate", "reordered", "inconsistent-offsets")
"""Violations for which the number of sends of the record matters."""
_ABOUT_FILES: Final = ("epoch-cache", "log-not", "index", "time-index", "corrupt")
_BETWEEN: Final[Mapping[str, tuple[str, str]]] = {
    "clog": ("source", "target"),
    "half-open": ("lost_by", "peer"),
}


class PartitionStory:
    """The story of a partition's violation."""

    def __init__(self, chronicle: Chronicle, name: str) -> None:
        about = chronicle.about
        self.chronicle = chronicle
        self.violation = name
        self.copies = Copies(chronicle, about.offset)
        self.others = Copies(chronicle, about.elsewhere) if about.elsewhere is not None else None
        self.partition = self.copies.name
        self.by_id = chronicle.by_id
        self.replicas = self._replicas()
        self.producer, self.number = self.copies.producer, self.copies.number
        self.requests = self._requests()
        self._seen: set[tuple[str, ...]] = set()
        self._before = State(0, 0.0)
        self._weight_of_requests = 3.5 if name in _ABOUT_REQUESTS else 2.4
        if name.startswith(_ABOUT_FILES):
            self._weight_of_requests = 0.5
        self._with_elr = any(state.elr for state in self.copies.states)

    def _replicas(self) -> frozenset[str]:
        found = {broker for state in self.copies.states for broker in state.isr}
        for event in self.chronicle.events:
            if event.get("partition") == self.partition and "replicas" in event:
                found |= set(event["replicas"])
        return frozenset(f"n{broker}" for broker in found)

    def _requests(self) -> dict[int, int]:
        """The Produce requests that carried the record and the messages that they caused: the
        number of the request, by event.
        """
        given = {
            event["id"]
            for event in self.chronicle.events
            if event["kind"] == "produce"
            and (event["node"], event["record"]) == (self.producer, self.number)
        }
        found: dict[int, int] = {}
        for event in self.chronicle.events:
            if not event["kind"].startswith("message"):
                continue
            causes = {event.get("cause"), *event.get("after", ())}
            if causes & given and event["api"] == "Produce":
                found[event["id"]] = event["correlation_id"]
            elif event.get("cause") in found:
                found[event["id"]] = found[event["cause"]]
        return found

    def tell(self) -> Story:
        """The story."""
        story = Story()
        if self.copies.offset is not None:
            story.facts += record_facts(self.copies, self.chronicle.about.elsewhere, story)
            if self.copies.sightings:
                story.tables.append(self.copies.table(self.replicas))
            found = self.copies.moment()
            story.came_to(found if found.words else self.copies.parting())
        else:
            story.facts += self._of_node()
        if self.violation == "fenced-in-isr":
            story.came_to(self._fenced()._replace(at_s=story.lost_from_s))
        if self.others is not None and self.others.sightings:
            if self.others.value == self.copies.value:
                story.came_to(stored_twice(self.copies, self.others))
            story.tables.append(self.others.table(self.replicas))
        rows = list(self._rows())
        telling = [row.at_s for row in rows if row.weight >= 4]
        story.timeline, story.left_out = prune(rows, ROWS_MAX, telling)
        story.title = f"{self.partition}, event by event"
        story.columns = ("leader", "epoch", "ISR", *(["ELR"] * self._with_elr))
        if self.copies.sightings:
            where = "on the disks of" if self.others is None else f"offset {self.copies.offset} on"
            story.columns += (where,)
        return story

    def _of_node(self) -> Iterator[tuple[str, str]]:
        """The events of the violation's node."""
        node = self.chronicle.about.node
        last: dict[str, str] = {}
        for event in self.chronicle.events:
            is_its = event.get("node") == node or f"n{event.get('broker')}" == node
            if is_its and (event["kind"] in _ENDS or event["kind"] in _OF_BROKERS):
                last.pop(event["kind"], None)
                last[event["kind"]] = f"at {event['t']:.3f} s {sentence(event)}"
        if node is not None and last:
            yield node, "; ".join(list(last.values())[-4:])

    def _fenced(self) -> Moment:
        """The time from which a fenced broker was in the ISR."""
        node, last = self.chronicle.about.node or "", "it was not registered"
        for event in self.chronicle.events:
            if event["kind"] in _OF_BROKERS and f"n{event['broker']}" == node:
                how = "fenced" if event["kind"] == "broker-fenced" else "registered, as fenced,"
                last = f"it was {how} at {event['t']:.3f} s"
        since = self.copies.states[-1]
        for state in reversed(self.copies.states):
            if node not in state.members:
                break
            since = state
        words = f"from {since.at_s:.3f} s on {node} was in the ISR, although {last}"
        return Moment(words, None, "fenced-in-isr", {"t": since.at_s, "node": node})

    # The timeline.

    def _rows(self) -> Iterator[Row]:
        rows = list(self._all_rows())
        begin = 0
        if self.copies.offset is not None:
            begin = next((n for n, row in enumerate(rows) if _is_of_record(row)), 0)
        # The state before the record existed: the leader, and the links that were cut.
        earlier = rows[:begin]
        kept = {id(row) for row in [row for row in earlier if row.weight >= 3][-2:]}
        kept |= {id(row) for row in _still_cut(earlier)}
        yield from (row for row in earlier if id(row) in kept)
        yield from rows[begin:]

    def _all_rows(self) -> Iterator[Row]:
        shown: set[int] = set()
        for place, event in enumerate(self.chronicle.events):
            state = self.copies.state_at(place)
            found = self._row(place, event, state)
            gone = [s for s in self.copies.sightings if s.place == place and s.batch is None]
            for each in gone:
                if found is not None and event.get("node") == each.host:
                    found = max(found[0], 4.0), found[1]
                if found is None or event.get("node") != each.host:
                    words = f"the record leaves the disk of {each.host}, which {each.why}"
                    yield Row(each.at_s, words, 4, self._columns(state))
            if found is not None and event["id"] not in shown:
                weight, words = found
                words += self._because(event)
                yield Row(event["t"], words, weight, self._columns(state), event)
            self._before = state

    def _columns(self, state: State) -> tuple[str, ...]:
        leader = f"n{state.leader}" if state.leader >= 0 else "-"
        epoch = str(state.epoch) if state.epoch >= 0 else ""
        found: tuple[str, ...] = (leader, epoch, brokers(state.isr) if state.isr else "-")
        if self._with_elr:
            found += (brokers(state.elr) if state.elr else "-",)
        if self.copies.sightings:
            found += (" ".join(sorted(state.has)) or "-",)
        return found

    def _because(self, event: Event) -> str:
        cause = self.by_id.get(event.get("cause", 0))
        if cause is not None and cause["kind"] == "fault":
            return f" ({cause['name']})"
        return ""

    def _row(self, place: int, event: Event, state: State) -> tuple[float, str] | None:
        """(weight, sentence) of an event that matters to this partition."""
        kind, node = event["kind"], event.get("node", "")
        if event.get("partition") == self.partition:
            return self._of_partition(event, state)
        if kind in _OF_ALL:
            words = f"{event['name']} is seen" if kind == "violation" else sentence(event)
            return _OF_ALL[kind], words
        if kind in _ENDS and event.get("life", 2) == 1:
            return None
        if kind in _ENDS:
            return (_ENDS[kind], sentence(event)) if self._counts(node) else None
        if kind in _OF_BROKERS:
            exists = state.epoch >= 0
            return (_OF_BROKERS[kind], sentence(event)) if exists else None
        if kind == LINKS:
            return self._links(event)
        if kind in _BETWEEN:
            ends = [event[name] for name in _BETWEEN[kind]]
            return (0.8, sentence(event)) if all(map(self._counts, ends)) else None
        if kind == "reset":
            return (0.8, sentence(event)) if all(map(self._counts, event["between"])) else None
        if kind == "lost-reply":
            return (1.0, sentence(event)) if node == self.producer else None
        if kind == "failed" and (node, event["record"]) == (self.producer, self.number):
            return 4.0, sentence(event)
        if kind == "produce" and (node, event["record"]) == (self.producer, self.number):
            return 4.0, sentence(event)
        if kind.startswith("message"):
            return self._message(event)
        if kind == "corruption" and self.partition in event["path"]:
            return 3.0, sentence(event)
        return None

    def _links(self, event: Event) -> tuple[float, str] | None:
        """Links between relevant hosts."""
        own = {
            name: [pair for pair in event[name] if all(map(self._counts, pair))]
            for name in ("cut", "healed")
        }
        if not own["cut"] and not own["healed"]:
            return None
        of_nodes = any(is_node(a) and is_node(b) for pairs in own.values() for a, b in pairs)
        return (2.0 if of_nodes else 1.0), sentence({**event, **own})

    def _counts(self, host: str) -> bool:
        """Nodes are relevant, as any may be the controller; clients if the violation has them."""
        if is_node(host):
            return True
        return host in (self.producer, self.chronicle.about.node, self.chronicle.about.other)

    def _of_partition(self, event: Event, state: State) -> tuple[float, str] | None:
        kind = event["kind"]
        if kind == "leader-elected":
            return 4.6, sentence(event)
        if kind == "isr-changed":
            return 3.5, self._isr(event, state)
        if kind == "append":
            return self._append(event)
        if kind == "truncate":
            offset = self.copies.offset
            takes = offset is not None and event["offset"] <= offset
            return (4.0 if takes else 1.5), sentence(event)
        if kind == "high-watermark":
            return self._mark(event)
        if kind == "leader-epoch" and self.violation.startswith(_ABOUT_FILES):
            return (3.0, sentence(event)) if event["node"] == self.chronicle.about.node else None
        if kind == "ack" and (
            self.copies.is_acked_by(event) or event["offset"] == self.copies.offset
        ):
            return 4.0, sentence(event)
        if kind == "read" and self.copies.tells(event) and self._first("read", event["node"]):
            return 3.0, f"{event['node']} reads the record"
        if kind == "batches-lost":
            return (1.5, sentence(event)) if event["count"] else None
        if kind in ("allowed-loss", "reassign"):
            return 3.0, sentence(event)
        if kind == "log" and event["level"] in ("warning", "error"):
            return 1.0, sentence(event)
        return None

    def _isr(self, event: Event, state: State) -> str:
        came, went = state.members - self._before.members, self._before.members - state.members
        words = [f"{hosts(went)} leave{'s' * (len(went) == 1)} the ISR"] * bool(went)
        words += [f"{hosts(came)} join{'s' * (len(came) == 1)} the ISR"] * bool(came)
        cause = self.by_id.get(event.get("cause", 0), {})
        if cause.get("kind") == "broker-fenced":
            words.append("fenced" if went else f"as n{cause['broker']} is fenced")
        return ", ".join(words) or sentence(event)

    def _append(self, event: Event) -> tuple[float, str] | None:
        covered = [
            copies
            for copies in (self.copies, self.others)
            if copies is not None
            and copies.offset is not None
            and event["base_offset"] <= copies.offset <= event["last_offset"]
        ]
        if not covered:
            return None
        what = self._written(event, covered[0])
        cause = self.by_id.get(event.get("cause", 0), {})
        words = f"{event['node']} writes {what}"
        if cause.get("api") == "Produce":
            words += f", which {cause['from']} has sent"
        elif "from" in cause:
            words += f", copied from {cause['from']}"
        return 4.0, words

    def _written(self, event: Event, copies: Copies) -> str:
        offset, epoch = copies.offset, event["leader_epoch"]
        found = "another record"
        for stay in copies.stays():
            if stay.host == event["node"] and stay.since_s <= event["t"]:
                found = copies.words_of(stay.batch)
        number = event.get("sequence")
        sequence = f", sequence {number}" if number is not None and number >= 0 else ""
        return f"{found} at offset {offset} under leader epoch {epoch}{sequence}"

    def _mark(self, event: Event) -> tuple[float, str] | None:
        offset = self.copies.offset
        if self.violation.startswith(("high-watermark", "offsets-out")):
            return (2.0, sentence(event)) if event["node"] == self.chronicle.about.node else None
        if offset is None or event["offset"] <= offset or not self._first("mark", event["node"]):
            return None
        return (
            2.2,
            f"{event['node']} takes the record as committed (high watermark {event['offset']})",
        )

    def _first(self, *what: str) -> bool:
        if what in self._seen:
            return False
        self._seen.add(what)
        return True

    def _message(self, event: Event) -> tuple[float, str] | None:
        """A request with the record or its answer; a leader's request for another ISR."""
        kind, node = event["kind"], event.get("node", "")
        number = self.requests.get(event["id"])
        if number is not None and kind == "message-lost":
            sent = self.by_id[event["cause"]]
            what = "answer to request" if sent["side"] == "response" else "request"
            return 3.5, f"the {what} {number} is lost: {event['reason']}"
        if kind != "message-sent":
            return None
        own = [p for p in event.get("partitions", ()) if p.get("partition") == self.partition]
        if number is not None and event["side"] == "request":
            words = f"{node} sends its record {self.number} to {event['to']} (request {number})"
            return self._weight_of_requests, words
        error = f" with {own[0]['error']}" if own and "error" in own[0] else ""
        if number is not None:
            return (
                self._weight_of_requests - 0.3,
                f"{node} answers request {number} of {event['to']}{error}",
            )
        asks_for_isr = "AlterPartition" in (event["api"], event.get("carries"))
        if not own or not asks_for_isr:
            return None
        if event["side"] == "request":
            isr = brokers(own[0].get("new_isr", ()))
            return 1.8, f"{node} asks {event['to']} for the ISR {isr}"
        return (1.8, f"{node} answers {event['to']}{error}") if error else None


def _is_of_record(row: Row) -> bool:
    return row.weight >= 4 and (row.event is None or row.event["kind"] != "leader-elected")


def _still_cut(rows: list[Row]) -> list[Row]:
    """The cuts that are in force after some rows."""
    cut: set[tuple[str, str]] = set()
    found: list[Row] = []
    for row in rows:
        if row.event is not None and row.event["kind"] == LINKS:
            cut |= {(a, b) for a, b in row.event["cut"]}
            cut -= {(a, b) for a, b in row.event["healed"]}
            found = [*found, row] if cut else []
    return found[-4:]
