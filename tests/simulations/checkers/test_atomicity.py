"""Each anomaly of transactions by its name, and histories without one."""

from __future__ import annotations

import pytest

from raftka.simulations.checkers.atomicity import Atomicity, Fate, Transaction
from raftka.simulations.checkers.cycles import cycle
from raftka.simulations.checkers.history import value_of
from tests.support.scene import Told

A, B = ("t", 0), ("t", 1)


def what(number: int) -> bytes:
    return value_of("tx", number, True, 20)


class Case:
    """A transaction with a record in each of two partitions."""

    def __init__(self, fate: Fate) -> None:
        self.told = Told()
        self.excused: set[tuple[str, int]] = set()
        self.gone: set[tuple[tuple[str, int], int]] = set()
        self.checker = Atomicity(
            self.told,
            is_excused=self.excused.__contains__,
            may_be_gone=lambda key, offset: (key, offset) in self.gone,
        )
        self.transaction = self.begin(fate, 0, 1)

    def begin(self, fate: Fate, *numbers: int) -> Transaction:
        made = self.checker.begun("tx")
        for number in numbers:
            self.checker.writes(made, what(number))
            self.checker.wrote(made, what(number), (A, B)[number % 2], number)
        made.fate = fate
        return made


@pytest.mark.parametrize("fate", list(Fate))
def test_only_what_may_be_committed_is_read(fate: Fate) -> None:
    case = Case(fate)
    case.checker.read("reader", A, 7, what(0))
    wrong = fate in (Fate.OPEN, Fate.ABORTED)
    assert case.told.names == (["aborted-read"] if wrong else [])
    case.checker.read("reader", A, 8, b"p:other:1:0:")
    assert len(case.told.names) == wrong


@pytest.mark.parametrize(
    ("fate", "found", "names"),
    [
        (Fate.COMMITTED, [0, 1], []),
        (Fate.COMMITTED, [0], ["torn-transaction"]),
        (Fate.COMMITTED, [], ["lost-transaction"]),
        (Fate.ENDING, [0, 1], []),
        (Fate.ENDING, [1], ["torn-transaction"]),
        (Fate.ENDING, [], []),
        (Fate.ABORTED, [], []),
        (Fate.ABORTED, [0], ["aborted-read"]),
    ],
)
def test_all_of_it_or_nothing(fate: Fate, found: list[int], names: list[str]) -> None:
    case = Case(fate)
    case.checker.final_read({what(number): ((A, B)[number], 5) for number in found})
    assert case.told.names == names


def test_what_a_cleaning_has_removed_is_not_missed() -> None:
    case = Case(Fate.COMMITTED)
    case.gone.add((B, 1))
    case.checker.final_read({what(0): (A, 5)})
    assert case.told.names == []


def test_what_was_lost_with_its_disks_is_excused() -> None:
    case = Case(Fate.COMMITTED)
    case.excused.add(B)
    case.checker.final_read({what(0): (A, 5)})
    assert case.told.names == []


@pytest.mark.parametrize(
    ("outputs", "committed", "names"),
    [
        ({10: 0, 11: 1}, 2, []),
        ({10: 0, 11: 0, 12: 1}, 2, ["processed-twice"]),
        ({10: 0}, 2, ["input-lost"]),
        ({10: 0, 11: 1}, 1, ["offset-commit-lost"]),
        ({10: 0}, 1, []),
    ],
)
def test_each_input_is_processed_once(
    outputs: dict[int, int], committed: int, names: list[str]
) -> None:
    """Inputs are at offsets 0 and 1; `outputs` are made from the one of that offset."""
    case = Case(Fate.COMMITTED)
    made = case.begin(Fate.COMMITTED, *outputs)
    made.sources = {what(number): (A, source) for number, source in outputs.items()}
    found = {what(number): (B, number) for number in outputs}
    inputs = {b"i:p:0:0:": (A, 0), b"i:p:1:0:": (A, 1)}
    case.checker.processed(found, {A: committed}, inputs)
    assert case.told.names == names


def test_transactions_that_read_each_other_are_a_cycle() -> None:
    """G1c: each was committed, and each comes after the other."""
    case = Case(Fate.COMMITTED)
    other = case.checker.begun("other")
    case.checker.writes(other, what(2))
    case.checker.wrote(other, what(2), A, 2)
    other.fate = Fate.COMMITTED
    case.checker.read("one", A, 2, what(2), within=case.transaction)
    case.checker.final_read({what(number): (A, number) for number in range(3)})
    assert case.told.names == []
    case.checker.read("other", A, 0, what(0), within=other)
    case.checker.final_read({what(number): (A, number) for number in range(3)})
    assert case.told.names == ["cyclic-information-flow"]


@pytest.mark.parametrize("ending", list(Fate))
def test_a_producers_later_transaction_is_not_read_by_its_earlier_one(ending: Fate) -> None:
    """A transaction that did not take effect orders nothing."""
    case = Case(Fate.COMMITTED)
    later = case.begin(Fate.COMMITTED, 2)
    other = case.checker.begun("other")
    other.fate = ending
    other.has_read = {later.number}
    case.transaction.has_read = {other.number}
    case.checker.final_read({what(number): (A, number) for number in range(3)})
    is_cycle = ending in (Fate.COMMITTED, Fate.ENDING)
    assert case.told.names == (["cyclic-information-flow"] if is_cycle else [])


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ({}, None),
        ({0: [1], 1: [2], 2: []}, None),
        ({0: [1, 2], 1: [3], 2: [3], 3: [4]}, None),
        ({0: [0]}, [0]),
        ({0: [1], 1: [2], 2: [1]}, [1, 2]),
        ({0: [3], 1: [2], 2: [0], 3: [4], 4: [1]}, [0, 3, 4, 1, 2]),
    ],
)
def test_cycles(after: dict[int, list[int]], found: list[int] | None) -> None:
    assert cycle(after) == found


def test_a_long_way_is_no_trouble() -> None:
    after = {number: [number + 1] for number in range(100_000)}
    assert cycle(after) is None
    after[100_000] = [0]
    assert len(cycle(after) or ()) == 100_001
