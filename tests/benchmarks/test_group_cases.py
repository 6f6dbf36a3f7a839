"""The checkers of benchmarks/group_members see what they are for, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from benchmarks.group_cases.check import Sample, consumer_faults, share_faults
from benchmarks.group_cases.lines import Member, parse

SECOND = 1_000_000


def member(name: str, *lines: str, pauses: Sequence[int] = (), died: int | None = None) -> Member:
    """A member by its lines, with seconds in place of microseconds."""
    events = [
        event._replace(at_us=event.at_us * SECOND) for event in parse(f"{line}\n" for line in lines)
    ]
    died_us = None if died is None else died * SECOND
    return Member(name, events, [at * SECOND for at in pauses], died_us)


FIRST = ("1 owns 1 0,1", "2 read 0 0 a", "2 read 1 0 b", "3 commit 0 1", "4 committed 0 1")


def hands_over() -> list[Member]:
    """Partition 1 goes from m0 to m1 in generation 2."""
    return [
        member("m0", *FIRST, "5 owns 2 0", "7 read 0 1 c"),
        member("m1", "6 owns 2 1", "7 read 1 0 b", "8 commit 1 1", "9 committed 1 1"),
    ]


ENDS = {0: 2, 1: 1}
PRODUCED = {(0, 0): "a", (1, 0): "b", (0, 1): "c"}


def test_a_group_that_hands_over_is_fine() -> None:
    samples = [Sample(8 * SECOND, {0: 1})]
    assert consumer_faults(hands_over(), ENDS, PRODUCED, samples) == []


def _same_generation(members: list[Member]) -> None:
    members.append(member("m2", "20 owns 2 0"))
    members[0].died_us = 19 * SECOND


def _same_time(members: list[Member]) -> None:
    members.append(member("m2", "6 owns 3 0"))


def _skips(members: list[Member]) -> None:
    members.append(member("m2", "20 owns 3 0", "21 read 0 0 a", "22 read 0 2 d"))


def _stale_commit(members: list[Member]) -> None:
    members[0] = member(
        "m0", *FIRST, "5 owns 2 0", "7 read 0 1 c", "8 commit 1 1", "9 committed 1 1"
    )


def _commits_too_far(members: list[Member]) -> None:
    members[1] = member("m1", "6 owns 2 1", "7 read 1 0 b", "8 commit 1 2", "9 committed 1 2")


def _other_value(members: list[Member]) -> None:
    members[1] = member("m1", "6 owns 2 1", "7 read 1 0 z")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_same_generation, "partition 0 in generation 2 is owned by m0 and by m2"),
        (_same_time, "m0 and m2 have partition 0 at the same time"),
        (_skips, "m2 goes from offset 0 of partition 0 to 2"),
        (_stale_commit, "m0 committed offset 1 of partition 1, which m1 had by then"),
        (_commits_too_far, "m1 committed offset 2 of partition 1 and had read 0"),
        (_other_value, "offset 0 of partition 1 has two values"),
    ],
)
def test_a_broken_promise_is_seen(change: Callable[[list[Member]], None], words: str) -> None:
    members = hands_over()
    change(members)
    assert any(words in found for found in consumer_faults(members, ENDS, PRODUCED))


def test_what_nobody_read_is_seen() -> None:
    found = consumer_faults(hands_over(), {0: 2, 1: 3}, PRODUCED)
    assert found == ["2 of 3 records of partition 1 were read by nobody, the first is 1"]


def test_a_commit_beyond_all_reading_is_seen() -> None:
    samples = [Sample(8 * SECOND, {0: 3})]
    assert consumer_faults(hands_over(), ENDS, PRODUCED, samples) == [
        "the group has committed offset 3 of partition 0, and 1 was the furthest that was read"
    ]


def test_a_paused_member_owns_only_what_it_says_afterwards() -> None:
    members = [
        member("m0", "1 owns 1 0", "2 read 0 0 a", "20 read 0 1 b", pauses=[3]),
        member("m1", "10 owns 2 0", "11 read 0 0 a"),
    ]
    assert consumer_faults(members, {0: 2}, {}) == []
    stale = ("1 owns 1 0", "2 read 0 0 a", "20 commit 0 1", "21 committed 0 1")
    members[0] = member("m0", *stale, pauses=[3])
    assert "m0 committed offset 1 of partition 0, which m1 had by then" in consumer_faults(
        members, {0: 1}, {}
    )


def test_shared_records_are_acknowledged_and_never_come_again() -> None:
    fine = [member("m0", "1 got 0 0 1 a", "2 acked 0 0", "3 got 0 1 1 b"),
            member("m1", "40 got 0 1 2 b", "41 acked 0 1")]  # fmt: skip
    assert share_faults(fine, {0: 2}, {(0, 0): "a"}) == []
    again = [*fine, member("m2", "50 got 0 0 2 a")]
    assert share_faults(again, {0: 2}, {}) == [
        "offset 0 of partition 0 was acknowledged by m0 and delivered to m2 48000 ms later"
    ]
    often = [member("m0", "1 got 0 0 6 a", "2 acked 0 0")]
    assert share_faults(often, {0: 1}, {}) == [
        "offset 0 of partition 0 is delivered to m0 for the 6th time"
    ]


def test_only_a_dead_members_last_words_may_be_missing() -> None:
    words = ["1 of 1 records of partition 0 were acknowledged by nobody, the first is 0"]
    assert share_faults([member("m0", "1 got 0 0 1 a")], {0: 1}, {}) == words
    assert share_faults([member("m0", "1 got 0 0 1 a", died=20)], {0: 1}, {}) == words
    assert share_faults([member("m0", "1 got 0 0 1 a", died=2)], {0: 1}, {}) == []


def test_a_line_that_was_cut_off_or_is_not_a_members_is_left_out() -> None:
    lines = ["1 read 0 0 a\n", "%3|FAIL|broker down\n", "2 read 0 1 b\n", "3 read 0 2"]
    assert [event.offset for event in parse(lines)] == [0, 1]
