"""Whether members of a group saw what a group promises; pure, over the lines that they printed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from benchmarks.group_cases.lines import Event, Member

_SLACK_US: Final = 300_000
"""A record may have been given to a member this long before its line is written."""
_CLOCK_US: Final = 1_000
"""Some clients' clocks have milliseconds."""
_LAST_WORDS_US: Final = 5_000_000
"""What a member got this long before it was killed may be acknowledged."""
DELIVERIES: Final = 5
"""group.share.delivery.count.limit, as it is by default."""


class Sample(NamedTuple):
    """What a group had committed, as asked by an observer."""

    at_us: int
    """When the answer had come."""
    offsets: Mapping[int, int]


Place = tuple[int, int]
"""A partition, and an offset in it."""


class Claim(NamedTuple):
    """A member had a partition."""

    begin_us: int
    end_us: int
    member: str


def consumer_faults(
    members: Sequence[Member],
    ends: Mapping[int, int],
    produced: Mapping[Place, str],
    samples: Sequence[Sample] = (),
) -> list[str]:
    """What is wrong with a group of consumers.

    `ends` has the log end of each partition, `produced` the value of each record that a producer
    had acknowledged.
    """
    return [
        *_two_in_a_generation(members),
        *_two_at_a_time(members),
        *_gaps(members),
        *unread(members, ends),
        *_values(members, "read", produced),
        *_late_commits(members),
        *_own_commits(members),
        *_committed_ahead(members, samples),
    ]


def share_faults(
    members: Sequence[Member], ends: Mapping[int, int], produced: Mapping[Place, str]
) -> list[str]:
    """What is wrong with a share group whose members accept all that they get."""
    return [
        *_again(members),
        *_counts(members),
        *unacknowledged(members, ends),
        *_values(members, "got", produced),
    ]


def unread(members: Iterable[Member], ends: Mapping[int, int]) -> list[str]:
    """Offsets before the log's end that no member has read."""
    return _missing(members, ends, {"read"}, "were read by nobody")


def unacknowledged(members: Iterable[Member], ends: Mapping[int, int]) -> list[str]:
    """Offsets that nobody acknowledged, but for those that a member had when it was killed.

    Its acknowledgement may have reached the broker, and the member could no longer say so.
    """
    heard = [Member(member.name, list(_settled(member))) for member in members]
    return _missing(heard, ends, {"acked"}, "were acknowledged by nobody")


def _settled(member: Member) -> Iterator[Event]:
    for event in member.events:
        unsure = member.died_us is not None and member.died_us - event.at_us < _LAST_WORDS_US
        if event.kind == "acked" or (event.kind == "got" and unsure):
            yield event._replace(kind="acked")


def _missing(
    members: Iterable[Member], ends: Mapping[int, int], kinds: set[str], what: str
) -> list[str]:
    seen: dict[int, set[int]] = defaultdict(set)
    for member in members:
        for event in member.events:
            if event.kind in kinds:
                seen[event.partition].add(event.offset)
    found = []
    for partition, end in sorted(ends.items()):
        missing = sorted(set(range(end)) - seen[partition])
        if missing:
            found.append(
                f"{len(missing)} of {end} records of partition {partition} {what},"
                f" the first is {missing[0]}"
            )
    return found


def _two_in_a_generation(members: Iterable[Member]) -> Iterator[str]:
    owner: dict[tuple[int, int], str] = {}
    for member in members:
        for event in member.events:
            if event.kind != "owns" or event.generation is None:
                continue
            for partition in event.owned:
                place = (event.generation, partition)
                if owner.setdefault(place, member.name) != member.name:
                    yield (
                        f"partition {partition} in generation {event.generation} is owned by"
                        f" {owner[place]} and by {member.name}"
                    )


def _claims(member: Member) -> Iterator[tuple[int, Claim]]:
    since: dict[int, int] = {}
    pauses = [Event(at, "paused", ()) for at in member.pauses_us]
    last = member.died_us or max((e.at_us for e in member.events), default=0)
    for event in sorted([*member.events, *pauses], key=lambda e: e.at_us):
        if event.kind not in ("owns", "paused"):
            continue
        now = event.owned if event.kind == "owns" else frozenset()
        for partition in [p for p in since if p not in now]:
            yield partition, Claim(since.pop(partition), event.at_us, member.name)
        for partition in now:
            since.setdefault(partition, event.at_us)
    for partition, begin in since.items():
        yield partition, Claim(begin, last, member.name)


def _two_at_a_time(members: Iterable[Member]) -> Iterator[str]:
    claims: dict[int, list[Claim]] = defaultdict(list)
    for member in members:
        for partition, claim in _claims(member):
            claims[partition].append(claim)
    for partition, all_of_it in sorted(claims.items()):
        latest: Claim | None = None
        for claim in sorted(all_of_it):
            if latest and latest.end_us > claim.begin_us + _CLOCK_US:
                if latest.member != claim.member:
                    both_ms = (min(latest.end_us, claim.end_us) - claim.begin_us) // 1000
                    yield (
                        f"{latest.member} and {claim.member} have partition {partition} at the"
                        f" same time, for {both_ms} ms"
                    )
                if latest.end_us >= claim.end_us:
                    continue
            latest = claim


def _gaps(members: Iterable[Member]) -> Iterator[str]:
    """A member goes on where it was for as long as it has a partition."""
    for member in members:
        at: dict[int, int] = {}
        for event in member.events:
            if event.kind == "owns":
                at = {p: offset for p, offset in at.items() if p in event.owned}
            elif event.kind == "read":
                last = at.get(event.partition)
                if last is not None and event.offset > last + 1:
                    yield (
                        f"{member.name} goes from offset {last} of partition {event.partition}"
                        f" to {event.offset}"
                    )
                at[event.partition] = event.offset


def _values(members: Iterable[Member], kind: str, produced: Mapping[Place, str]) -> Iterator[str]:
    """Each offset has one value, the producer's, and each value one offset."""
    value_at = dict(produced)
    place_of = {value: place for place, value in produced.items()}
    for member in members:
        for event in member.events:
            if event.kind != kind:
                continue
            place, value = (event.partition, event.offset), event.words[-1]
            if value_at.setdefault(place, value) != value:
                yield f"offset {place[1]} of partition {place[0]} has two values"
            if place_of.setdefault(value, place) != place:
                yield f"value {value} is at {place_of[value]} and at {place}"


def _late_commits(members: Sequence[Member]) -> Iterator[str]:
    """Nothing that is sent after another member got the partition may be accepted."""
    gained = sorted(
        (claim.begin_us, partition, member.name)
        for member in members
        for partition, claim in _claims(member)
    )
    for member in members:
        sent: dict[int, int] = {}
        for event in member.events:
            if event.kind == "commit":
                sent[event.partition] = event.at_us
            if event.kind != "committed" or event.partition not in sent:
                continue
            before = [
                name
                for at, partition, name in gained
                if partition == event.partition and at + _CLOCK_US < sent[event.partition]
            ]
            if before and before[-1] != member.name:
                yield (
                    f"{member.name} committed offset {event.offset} of partition"
                    f" {event.partition}, which {before[-1]} had by then"
                )


def _own_commits(members: Iterable[Member]) -> Iterator[str]:
    for member in members:
        read: dict[int, int] = {}
        for event in member.events:
            if event.kind == "read":
                read[event.partition] = event.offset
            elif event.kind == "committed" and event.offset > read.get(event.partition, -1) + 1:
                yield (
                    f"{member.name} committed offset {event.offset} of partition"
                    f" {event.partition} and had read {read.get(event.partition)}"
                )


def _committed_ahead(members: Sequence[Member], samples: Iterable[Sample]) -> Iterator[str]:
    """No commit passes what was consumed, whoever sent it."""
    reads = sorted(
        (event.at_us, event.partition, event.offset)
        for member in members
        for event in member.events
        if event.kind == "read"
    )
    furthest: dict[int, int] = {}
    position = 0
    for sample in sorted(samples, key=lambda s: s.at_us):
        while position < len(reads) and reads[position][0] <= sample.at_us + _SLACK_US:
            _, partition, offset = reads[position]
            furthest[partition] = max(furthest.get(partition, -1), offset)
            position += 1
        for partition, committed in sample.offsets.items():
            if committed > furthest.get(partition, -1) + 1:
                yield (
                    f"the group has committed offset {committed} of partition {partition}, and"
                    f" {furthest.get(partition)} was the furthest that was read"
                )


def _again(members: Iterable[Member]) -> Iterator[str]:
    """What is acknowledged is never delivered again."""
    acked: dict[Place, tuple[int, str]] = {}
    everything = sorted(
        ((event, member.name) for member in members for event in member.events),
        key=lambda pair: pair[0].at_us,
    )
    for event, name in everything:
        if event.kind == "acked":
            acked.setdefault((event.partition, event.offset), (event.at_us, name))
    for event, name in everything:
        if event.kind != "got":
            continue
        done = acked.get((event.partition, event.offset))
        if done and done[0] + _SLACK_US < event.at_us:
            yield (
                f"offset {event.offset} of partition {event.partition} was acknowledged by"
                f" {done[1]} and delivered to {name} {(event.at_us - done[0]) // 1000} ms later"
            )


def _counts(members: Iterable[Member]) -> Iterator[str]:
    for member in members:
        for event in member.events:
            if event.kind == "got" and int(event.words[2]) > DELIVERIES:
                yield (
                    f"offset {event.offset} of partition {event.partition} is delivered to"
                    f" {member.name} for the {event.words[2]}th time"
                )
