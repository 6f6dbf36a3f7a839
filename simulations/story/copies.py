"""The copies of one record: their disks and periods, leaders and ISRs, and since when it is
missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from raftka.simulations.checkers.history import parse, show
from raftka.simulations.observers.partition_log import Batch
from raftka.simulations.story.chronicle import Chronicle, Event, Sighting
from raftka.simulations.story.story import Moment, Table
from raftka.simulations.story.words import hosts


@dataclass(frozen=True)
class State:
    """The state of a partition after an event."""

    place: int
    at_s: float
    leader: int = -1
    epoch: int = -1
    isr: tuple[int, ...] = ()
    elr: tuple[int, ...] = ()
    has: frozenset[str] = frozenset()
    """The brokers whose disks have the record."""
    sighting: Sighting | None = None
    """The change that the event was, if any."""

    @property
    def members(self) -> frozenset[str]:
        return frozenset(f"n{member}" for member in self.isr)


class Stay(NamedTuple):
    """One replica's log had certain contents at the record's offset for a while."""

    host: str
    batch: Batch
    since_s: float
    place: int
    until_s: float | None
    why: str


class Copies:
    """The copies of one record of one partition."""

    def __init__(self, chronicle: Chronicle, offset: int | None) -> None:
        self.chronicle = chronicle
        self.offset = offset
        self.name = _name(chronicle)
        self.sightings = [each for each in chronicle.sightings if each.offset == offset]
        self.value = chronicle.known.get(offset) if offset is not None else None
        if self.value is None:
            self.value = self._value_on_disk()
        self.producer, self.number = self._record()
        self.states = list(self._states())

    def _record(self) -> tuple[str, int]:
        """The record's producer and number: producers number their values."""
        try:
            producer, number = parse(self.value or b"")
        except ValueError:
            return "", -1
        return producer.decode(), number

    def is_it(self, batch: Batch | None) -> bool:
        """Whether a batch at the offset has the record in it."""
        if batch is None or self.offset is None:
            return False
        record = self.chronicle.records.get((self.offset, batch.crc))
        return record is not None and record.value == self.value

    def words_of(self, batch: Batch) -> str:
        """A phrase for the contents of a batch at the offset."""
        assert self.offset is not None
        record = self.chronicle.records.get((self.offset, batch.crc))
        if record is None or record.value is None:
            return "something else"
        return "the record" if record.value == self.value else show(record.value)

    def _value_on_disk(self) -> bytes | None:
        """If no client knows the record: the contents of the other log, or of the first replica."""
        about = self.chronicle.about
        first = None
        for sighting in self.sightings:
            if sighting.batch is None or self.offset is None:
                continue
            record = self.chronicle.records.get((self.offset, sighting.batch.crc))
            if record is not None and (first is None or sighting.host == about.other):
                first = record.value
        return first

    def state_at(self, place: int) -> State:
        """The state after the event at a position."""
        found = State(0, 0.0)
        for state in self.states:
            if state.place > place:
                break
            found = state
        return found

    def _states(self) -> Iterator[State]:
        state = State(0, 0.0)
        events = self.chronicle.events
        changes: list[tuple[int, int, Any]] = [(each.place, 0, each) for each in self.sightings]
        changes += [
            (place, 1, event)
            for place, event in enumerate(events)
            if event["kind"] in ("leader-elected", "isr-changed")
            and event["partition"] == self.name
        ]
        for place, _, change in sorted(changes, key=lambda each: each[:2]):
            if isinstance(change, Sighting):
                has = state.has - {change.host}
                if self.is_it(change.batch):
                    has |= {change.host}
                state = replace(state, place=place, at_s=change.at_s, has=has, sighting=change)
            else:
                state = State(
                    place,
                    change["t"],
                    change["leader"],
                    change.get("epoch", state.epoch),
                    tuple(change["isr"]),
                    tuple(change["elr"]),
                    state.has,
                )
            yield state

    def stays(self) -> list[Stay]:
        """The contents at the offset on each disk, and their fate."""
        found: list[Stay] = []
        for host in sorted({each.host for each in self.sightings}):
            own = [each for each in self.sightings if each.host == host]
            for number, each in enumerate(own):
                if each.batch is None:
                    continue
                after = own[number + 1] if number + 1 < len(own) else None
                until, why = (after.at_s, after.why) if after is not None else (None, "")
                found.append(Stay(host, each.batch, each.at_s, each.place, until, why))
        return sorted(found, key=lambda stay: (stay.since_s, stay.place, stay.host))

    def table(self, replicas: frozenset[str]) -> Table:
        """Each replica's contents at the offset, with their periods."""
        table = Table(
            f"offset {self.offset} of {self.name} on the disks",
            ("replica", "what it has there", "from", "epoch", "brought by", "until", "when it"),
        )
        stays = self.stays()
        for stay in stays:
            table.rows.append(
                (
                    stay.host,
                    self.words_of(stay.batch),
                    f"{stay.since_s:.3f}",
                    str(stay.batch.epoch),
                    self._brought_by(stay),
                    f"{stay.until_s:.3f}" if stay.until_s is not None else "still",
                    stay.why,
                )
            )
        for host in sorted(replicas - {stay.host for stay in stays}):
            table.rows.append((host, "nothing, ever", "", "", "", "", ""))
        return table

    def _brought_by(self, stay: Stay) -> str:
        """The sender of the message that caused an append."""
        events = self.chronicle.events
        for event in events[stay.place : stay.place + 3]:
            if event["kind"] == "append" and event.get("node") == stay.host:
                cause = next(
                    (e for e in reversed(events[: stay.place]) if e["id"] == event.get("cause")),
                    None,
                )
                return str(cause["from"]) if cause is not None and "from" in cause else "itself"
        return "?"

    def is_acked_by(self, event: Event) -> bool:
        """Whether an `ack` is of the record, at this offset or another."""
        if event["node"] != self.producer or event.get("record") != self.number:
            return False
        return bool(event.get("partition") == self.name)

    # The time from which it was missing.

    def told_at(self) -> int:
        """The event by which a client first knew the record."""
        for place, event in enumerate(self.chronicle.events):
            if self.tells(event):
                return place
        first = next((state.place for state in self.states if state.has), None)
        return len(self.chronicle.events) if first is None else first

    def tells(self, event: dict[str, Any]) -> bool:
        """Whether an event informs a client of the record."""
        if self.offset is None or event.get("partition") != self.name:
            return False
        if event["kind"] == "ack":
            own = (event["node"], event["record"]) == (self.producer, self.number)
            return own and bool(event["offset"] == self.offset)
        found = event["kind"] == "read"
        return found and bool(event["first_offset"] <= self.offset <= event["last_offset"])

    def moment(self) -> Moment:
        """When the record was lost; nothing when it was not."""
        told = self.told_at()
        states = [self.state_at(told), *(each for each in self.states if each.place > told)]
        last, culprit = states[-1], self.chronicle.about.node or ""
        values: dict[str, Any]
        if not last.isr or self.offset is None:
            return Moment()
        if not last.members & last.has:
            since = _since(states, lambda state: not state.members & state.has)
            words = f"from {since.at_s:.3f} s on no replica in the ISR had it:"
            words += f" {self._change(since)}"
            if not last.has:
                gone = _since(states, lambda state: not state.has)
                words += f". From {gone.at_s:.3f} s on it was on no disk at all"
                code, values = "on-no-disk", {"t": since.at_s, "gone": gone.at_s}
            else:
                words += f". {hosts(last.has)}, outside of the ISR, still had it"
                code, values = "outside-of-isr", {"t": since.at_s, "nodes": sorted(last.has)}
            return Moment(_sentences(words, self._of(culprit, last)), since.at_s, code, values)
        leader = f"n{last.leader}"
        if last.leader >= 0 and leader not in last.has:
            since = _since(states, lambda state: f"n{state.leader}" == leader not in state.has)
            words = f"from {since.at_s:.3f} s on the leader, {leader}, did not have it:"
            words += f" {self._change(since)}. {hosts(last.has)} still had it"
            values = {"t": since.at_s, "leader": leader, "nodes": sorted(last.has)}
            said = _sentences(words, self._of(culprit, last))
            return Moment(said, since.at_s, "leader-lacks", values)
        if culprit in last.members - last.has:
            since = _since(states, lambda state: culprit in state.members - state.has)
            words = f"from {since.at_s:.3f} s on {culprit} was in the ISR without it:"
            words += f" {self._change(since)}. {hosts(last.has)} had it"
            ends = since.sighting is not None and since.sighting.host == culprit
            said = words if ends else _sentences(words, self._of(culprit, last))
            values = {"t": since.at_s, "node": culprit, "nodes": sorted(last.has)}
            return Moment(said, since.at_s, "member-lacks", values)
        return Moment(self._of(culprit, last))

    def parting(self) -> Moment:
        """How the two logs of the violation differ at the offset."""
        last = {stay.host: stay for stay in self.stays() if stay.until_s is None}
        one, other = (
            last.get(h or "") for h in (self.chronicle.about.node, self.chronicle.about.other)
        )
        if one is None or other is None or one.batch[1:5] == other.batch[1:5]:
            return Moment()
        has = [
            f"{stay.host} has {self.words_of(stay.batch)} of leader epoch {stay.batch.epoch} since"
            f" {stay.since_s:.3f} s"
            for stay in sorted((one, other), key=lambda stay: stay.since_s)
        ]
        later = max(one.since_s, other.since_s)
        words = f"from {later:.3f} s on the two logs diverge at offset {self.offset}"
        values = {"t": later, "one": one.host, "other": other.host, "offset": self.offset or 0}
        return Moment(f"{words}: {', '.join(has)}", None, "logs-diverge", values)

    def _change(self, state: State) -> str:
        """The event that led to a state."""
        before = self.state_at(state.place - 1)
        if state.sighting is not None and state.sighting.host in before.has:
            return f"{state.sighting.host} {state.sighting.why}"
        words = []
        if state.leader != before.leader:
            words.append(
                f"n{state.leader} became the leader in epoch {state.epoch}"
                if state.leader >= 0
                else "no node led any longer"
            )
        if gone := before.members - state.members:
            words.append(f"{hosts(gone)} left the ISR")
        if came := state.members - before.members - {f"n{state.leader}"}:
            words.append(f"{hosts(came)} joined the ISR")
        return ", and ".join(words) or "a client knew it"

    def _of(self, host: str, last: State) -> str:
        """The fate of the record on the replica of the violation."""
        stays = [stay for stay in self.stays() if stay.host == host and self.is_it(stay.batch)]
        if not host.removeprefix("n").isdecimal() or host in last.has:
            return ""
        if not stays:
            return f"{host} never had it"
        words = f"{host} had it until {stays[-1].until_s:.3f} s"
        return f"{words}, when it {stays[-1].why}" if stays[-1].why else words


def _since(states: list[State], holds: Any) -> State:
    """The earliest state of the final run of states for which a condition holds."""
    found = states[-1]
    for state in reversed(states):
        if not holds(state):
            break
        found = state
    return found


def _sentences(*words: str) -> str:
    return ". ".join(each for each in words if each)


def _name(chronicle: Chronicle) -> str:
    key = chronicle.about.partition
    return f"{key[0]}-{key[1]}" if key is not None else ""
