"""Committed offsets, as coordinators report them: an acknowledged commit is found again.

A group's offset of a partition is a register. A commit is superseded once a later one is
acknowledged; one without an answer stays possible, for it may have reached the log. So each
register has the values that it may hold, and an OffsetFetch reports one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import trio

from raftka.model.errors import ErrorCode
from raftka.model.ids import NO_OFFSET
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.violation import About, Report

Place = tuple[str, Key]
"""A group, and a partition that it reads."""

_NEVER_STORED: Final = frozenset(
    {
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.GROUP_ID_NOT_FOUND,
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.STALE_MEMBER_EPOCH,
        ErrorCode.FENCED_MEMBER_EPOCH,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
)
"""A commit with one of these changes nothing, now or later."""


class _Value(NamedTuple):
    """A value that a register may hold."""

    commit: int
    """The commit that set it; 0 for the value before the first commit."""
    offset: int


class _Commit(NamedTuple):
    request: Any
    number: int
    values: dict[Place, _Value]
    older: dict[Place, frozenset[_Value]]
    """The commits that were acknowledged before it was sent, which it therefore follows."""
    log_end: int
    """Where the coordinator's log ended when it was sent: its record goes there or beyond."""


_FIRST: Final = _Value(0, NO_OFFSET)


class CommittedOffsets:
    """Checks commits and the responses to fetches of them."""

    def __init__(
        self,
        watched: Watched,
        report: Report,
        *,
        is_excused: Callable[[str], bool],
        log_end: Callable[[str, str], int],
        check_stored: Callable[[str, str, int], None],
    ) -> None:
        """`is_excused`: a group's coordinator may have lost its state with its disks.
        `log_end(group, host)`: the end of the log with the group's offsets. `check_stored(group,
        host)`: checks that its in-sync replicas have that much.
        """
        self.looks = Looks()
        self._report = report
        self._is_excused = is_excused
        self._log_end = log_end
        self._check_stored = check_stored
        self._number = 0
        self._deleted: set[str] = set()
        """Topics that were deleted: their offsets go sooner or later."""
        self._may_hold: dict[Place, set[_Value]] = {}
        self._acknowledged: dict[Place, set[_Value]] = {}
        """The entries of `_may_hold` whose commit was answered."""
        self._told_at: dict[_Value, str] = {}
        self._commits: dict[int, _Commit] = {}
        self._fetches: dict[int, tuple[Any, dict[Place, set[_Value]]]] = {}
        self._transactional: set[str] = set()
        """Groups that commit in transactions: checkers/atomicity.py checks those."""
        watched.request(
            "TxnOffsetCommit", lambda _, __, asked: self._transactional.add(asked.group_id)
        )
        watched.request("OffsetCommit", self._commit_sent)
        watched.answer("OffsetCommit", self._commit_answered)
        watched.request("OffsetFetch", self._fetch_sent)
        watched.answer("OffsetFetch", self._fetch_answered)

    def forget(self, topic: str) -> None:
        """The topic was deleted, and sooner or later its offsets with it."""
        self._deleted.add(topic)

    def _of(self, place: Place) -> set[_Value]:
        return self._may_hold.setdefault(place, {_FIRST})

    # Commits.

    def _commit_sent(self, client: str, server: str, request: Any) -> None:
        self._number += 1
        values: dict[Place, _Value] = {}
        older: dict[Place, frozenset[_Value]] = {}
        for topic in request.topics:
            for partition in topic.partitions:
                place = (request.group_id, (topic.name, partition.partition_index))
                values[place] = _Value(self._number, partition.committed_offset)
                older[place] = frozenset({_FIRST, *self._acknowledged.get(place, ())})
                self._of(place).add(values[place])
        log_end = self._log_end(request.group_id, server)
        self._commits[id(request)] = _Commit(request, self._number, values, older, log_end)

    def _commit_answered(self, client: str, server: str, request: Any, response: Any) -> None:
        commit = self._commits.pop(id(request), None)
        if commit is None:
            return
        if any(not part.error_code for topic in response.topics for part in topic.partitions):
            self._check_stored(request.group_id, server, commit.log_end)
        for topic in response.topics:
            for partition in topic.partitions:
                place = (request.group_id, (topic.name, partition.partition_index))
                value = commit.values.get(place)
                if value is None:
                    continue
                if partition.error_code in _NEVER_STORED:
                    self._may_hold[place].discard(value)
                elif not partition.error_code:
                    self._taken(place, value, commit.older[place], f"{server} acknowledged")

    def _taken(self, place: Place, value: _Value, older: frozenset[_Value], words: str) -> None:
        self._may_hold[place] -= older
        acknowledged = self._acknowledged.setdefault(place, set())
        acknowledged -= older
        acknowledged.add(value)
        self._told_at[value] = f"{words} at {trio.current_time():.3f} s"

    # Fetches.

    def _fetch_sent(self, client: str, server: str, request: Any) -> None:
        asked = {
            (group, (topic, index)): set(self._of((group, (topic, index))))
            for group, topics in _asked(request)
            for topic, indexes in topics
            for index in indexes
        }
        self._fetches[id(request)] = (request, asked)

    def _fetch_answered(self, client: str, server: str, request: Any, response: Any) -> None:
        _, asked = self._fetches.pop(id(request), (None, {}))
        for group, topic, partition in told_offsets(request, response):
            place = (group, (topic, partition.partition_index))
            if partition.error_code or place not in asked or topic in self._deleted:
                continue
            if group in self._transactional:
                continue
            self.looks("committed-offset-lost")
            possible = asked[place] | self._may_hold[place]
            if any(value.offset == partition.committed_offset for value in possible):
                continue
            if not self._is_excused(group):
                self._lost(place, server, client, partition.committed_offset)

    def _lost(self, place: Place, server: str, client: str, told: int) -> None:
        group, (topic, index) = place
        known = [
            f"{value.offset}, which {self._told_at[value]}"
            for value in sorted(self._acknowledged.get(place, ()))
        ]
        self._report(
            "committed-offset-lost",
            f"{server} answers {client} that group {group} has committed"
            f" {told if told >= 0 else 'no offset'} of {topic}-{index}; the last commit was"
            f" {' or '.join(known) or 'none'}",
            about=About((topic, index), told, node=server, group=group),
        )


def _asked(request: Any) -> Iterator[tuple[str, list[tuple[str, Iterable[int]]]]]:
    """(group, its topics with partitions) of an OffsetFetch that names partitions."""
    groups = [(each.group_id, each.topics) for each in request.groups or ()]
    if not groups:
        groups = [(request.group_id, request.topics)]
    for group, topics in groups:
        yield group, [(topic.name, topic.partition_indexes) for topic in topics or ()]


def told_offsets(request: Any, response: Any) -> Iterator[tuple[str, str, Any]]:
    """(group, topic, one partition's result) in a response."""
    groups = [(each.group_id, each.error_code, each.topics) for each in response.groups or ()]
    if not groups:
        groups = [(request.group_id, response.error_code, response.topics)]
    for group, error_code, topics in groups:
        for topic in topics or () if not error_code else ():
            for partition in topic.partitions:
                yield group, topic.name, partition


def java_hash(text: str) -> int:
    """Java's String.hashCode, for ASCII."""
    code = 0
    for character in text:
        code = (31 * code + ord(character)) & 0xFFFFFFFF
    return code - (1 << 32) if code >> 31 else code
