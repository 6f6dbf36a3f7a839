"""A share group's guarantees, and the checker's violations."""

from __future__ import annotations

import pytest

from raftka.model.ids import TopicPartition
from raftka.simulations.checkers.shares import ShareChecker, Where

RECORD, OTHER = (Where(TopicPartition("t", 0), offset) for offset in (5, 6))


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def checker(told: list[str]) -> ShareChecker:
    return ShareChecker(2, 30.0, lambda name, _story: told.append(name))


def test_what_is_acknowledged_comes_back_to_nobody(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.acknowledged(RECORD, 2.0)
    checker.delivered("b", RECORD, 1, 0, 1.5, 2.5)
    assert told == [], "the answer was on its way"
    checker.delivered("b", RECORD, 1, 0, 2.5, 3.0)
    assert told == ["acknowledged-delivered-again"]


def test_one_member_at_a_time_under_one_leader(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.delivered("b", RECORD, 1, 1, 2.0, 3.0)
    assert told == [], "another leader does not know who held it"
    checker.delivered("a", RECORD, 2, 1, 3.0, 4.0)
    assert told == ["delivered-to-two"]


def test_a_record_that_was_let_go_may_go_to_another(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.let_go("a", RECORD)
    checker.delivered("b", RECORD, 2, 0, 1.0, 2.0)
    checker.all_let_go("b")
    checker.delivered("a", RECORD, 3, 0, 3.0, 4.0)
    assert told == ["delivered-beyond-limit"]


def test_nobody_lets_go_for_another(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.let_go("b", RECORD)
    checker.delivered("b", RECORD, 2, 0, 1.0, 2.0)
    assert told == ["delivered-to-two"]


def test_what_is_missing(checker: ShareChecker) -> None:
    checker.delivered("a", RECORD, 2, 0, 0.0, 1.0)
    assert checker.missing([RECORD, OTHER]) == [OTHER]
    checker.in_doubt(OTHER)
    assert checker.missing([RECORD, OTHER]) == [], "it may count"
    checker.acknowledged(OTHER, 1.0)
    assert checker.missing([RECORD, OTHER]) == []
    assert checker.over_count == 1


def test_only_who_holds_a_record_acknowledges_it(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.delivered("b", RECORD, 2, 0, 31.0, 32.0)
    checker.acknowledged(RECORD, 34.0, member="a", said_s=31.5, epoch=0)
    checker.acknowledged(RECORD, 99.0, member="a", said_s=98.0, epoch=0)
    assert told == [], "they met on the way"
    checker.delivered("a", OTHER, 1, 0, 0.0, 1.0)
    checker.delivered("b", OTHER, 2, 0, 31.0, 32.0)
    checker.acknowledged(OTHER, 34.0, member="a", said_s=33.0, epoch=0)
    assert told == ["acknowledged-by-another"]


def test_who_is_no_longer_connected_holds_nothing(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0, lambda: False)
    checker.delivered("b", RECORD, 2, 0, 2.0, 3.0)
    assert told == []


def test_a_renewed_record_is_held_for_longer(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.renewed("a", RECORD, 20.0)
    checker.delivered("b", RECORD, 2, 0, 40.0, 41.0)
    assert told == ["delivered-to-two"]


def test_an_acknowledgement_of_what_is_over_counts(checker: ShareChecker, told: list[str]) -> None:
    # The holder's answer, or that there is no record, is with the leader before its own answer.
    checker.delivered("b", RECORD, 1, 0, 0.0, 1.0)
    checker.said("b", RECORD)
    checker.acknowledged(RECORD, 3.0, member="a", said_s=2.0, epoch=0)
    checker.delivered("b", OTHER, 1, 0, 0.0, 1.0)
    checker.acknowledged(OTHER, 3.0, member="a", said_s=2.0)
    assert told == [], "the log may have lost it"
    assert checker.looks["acknowledged-by-another"] == 1


def test_a_delivery_by_a_former_leader_counts(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    assert checker.missing([RECORD]) == [RECORD]
    checker.counted(RECORD, 2)
    assert checker.missing([RECORD]) == []
    checker.letters_found([RECORD])
    assert told == []


def test_dead_letters_are_of_what_was_due(checker: ShareChecker, told: list[str]) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.in_doubt(RECORD, is_rejected=True)
    assert checker.letters_found([]) == [], "the rejection may not have counted"
    checker.acknowledged(RECORD, 1.5, member="a", said_s=1.0, epoch=0, is_rejected=True)
    assert checker.letters_found([]) == [RECORD]
    assert checker.letters_found([RECORD]) == []
    assert told == []
    checker.letters_found([OTHER])
    assert told == ["dead-letter-of-nobody"]


def test_no_letter_is_due_of_what_another_has_accepted(checker: ShareChecker) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.in_doubt(RECORD, is_rejected=True)
    checker.delivered("b", RECORD, 2, 0, 31.0, 32.0)
    checker.acknowledged(RECORD, 33.0, member="b", said_s=32.5, epoch=0)
    checker.acknowledged(RECORD, 34.0, member="a", said_s=1.0, epoch=0, is_rejected=True)
    assert checker.letters_found([]) == []


def test_no_letter_is_due_where_an_acceptance_may_count(checker: ShareChecker) -> None:
    checker.delivered("a", RECORD, 1, 0, 0.0, 1.0)
    checker.in_doubt(RECORD)
    checker.in_doubt(RECORD, is_rejected=True)
    checker.acknowledged(RECORD, 2.0, member="a", said_s=1.5, epoch=0, is_rejected=True)
    assert checker.letters_found([]) == [], "the share coordinator may have the first, and keeps it"
