"""The clients' checker: each anomaly by the name that it is known by."""

from __future__ import annotations

import pytest

from raftka.simulations.checkers.history import History, show, value_of

KEY = ("t", 0)


class Told:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, strict_acks_1: bool = False) -> None:
        monkeypatch.setattr("trio.current_time", lambda: 1.0)
        self.violations: list[str] = []
        self.history = History(
            lambda name, story, **about: self.violations.append(name),
            lambda key, offset, witness: None,
            strict_acks_1=strict_acks_1,
        )

    def ack(self, offset: int, number: int, *, acks: int = -1, idempotent: bool = True) -> None:
        value = value_of("p", number, idempotent, 10)
        self.history.acknowledged("p", KEY, offset, value, acks=acks, idempotent=idempotent)

    def poll(self, offset: int, number: int, last: int | None = None) -> None:
        self.history.polled("c", KEY, last, offset, value_of("p", number, True, 10))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


def test_a_good_history_is_silent(told: Told) -> None:
    for offset in range(5):
        told.ack(offset, offset)
    for offset in range(5):
        told.poll(offset, offset, offset - 1 if offset else None)
    values = {offset: value_of("p", offset, True, 10) for offset in range(5)}
    told.history.final_read(KEY, values, 5)
    assert told.violations == []


def test_two_values_at_one_offset(told: Told) -> None:
    told.ack(3, 1)
    told.poll(3, 2)
    assert told.violations == ["inconsistent-offsets"]


def test_one_value_at_two_offsets(told: Told) -> None:
    told.ack(3, 1)
    told.poll(4, 1)
    assert told.violations == ["duplicate"]


def test_going_back_without_a_seek(told: Told) -> None:
    told.poll(5, 5)
    told.poll(4, 4, last=5)
    assert told.violations == ["nonmonotonic-poll"]


def test_passing_records_over(told: Told) -> None:
    told.poll(5, 5)
    told.poll(7, 7, last=5)
    assert told.violations == ["poll-skip"]


def test_an_acknowledged_record_that_nobody_can_read(told: Told) -> None:
    told.ack(0, 0)
    told.history.final_read(KEY, {}, 0)
    assert told.violations == ["lost-write"]


def test_acks_1_may_lose_unless_it_is_held_to_more(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.ack(0, 0, acks=1, idempotent=False)
    told.history.final_read(KEY, {}, 0)
    assert told.violations == []
    assert len(told.history.lost_acks_1) == 1
    strict = Told(monkeypatch, strict_acks_1=True)
    strict.ack(0, 0, acks=1, idempotent=False)
    strict.history.final_read(KEY, {}, 0)
    assert strict.violations == ["lost-write"]


def test_an_idempotent_producer_out_of_order(told: Told) -> None:
    values = {0: value_of("p", 1, True, 10), 1: value_of("p", 0, True, 10)}
    told.history.final_read(KEY, values, 2)
    assert told.violations == ["reordered"]


def test_a_commit_past_what_was_consumed(told: Told) -> None:
    told.history.consumed("g", KEY, 10)
    told.history.found_committed("g", KEY, 10)
    assert told.violations == []
    told.history.found_committed("g", KEY, 11)
    assert told.violations == ["commit-past-consumption"]


def test_records_have_names() -> None:
    assert show(value_of("p1", 7, False, 40)) == "record 7 of p1"


@pytest.mark.parametrize(
    ("numbers", "names"),
    [([0, 1, 1, 0, 2], []), ([1, 2, 2], []), ([1, 0], ["reordered"])],
)
def test_one_request_at_a_time_keeps_the_order(
    told: Told, numbers: list[int], names: list[str]
) -> None:
    values = {at: value_of("p", number, False, 10) for at, number in enumerate(numbers)}
    told.history.final_read(KEY, values, len(values))
    assert told.violations == [], "of others nobody knows"
    told.history.one_at_a_time = frozenset({"p"})
    told.history.final_read(KEY, values, len(values))
    assert told.violations == names


def test_the_first_copy_of_a_record_may_have_been_cleaned_away(told: Told) -> None:
    """Records 0, 1 and 0 again: the cleaning that removed the first may have kept record 1."""
    told.history.one_at_a_time = frozenset({"p"})
    values = {1: value_of("p", 1, False, 10), 2: value_of("p", 0, False, 10)}
    told.history.may_be_gone = lambda key, offset: key == KEY and offset == 0
    told.history.final_read(KEY, values, 3)
    assert "reordered" not in told.violations
    told.history.may_be_gone = lambda key, offset: False
    told.history.final_read(KEY, values, 3)
    assert "reordered" in told.violations
