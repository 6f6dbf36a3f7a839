"""Compares what transactional clients saw: all of a transaction, or nothing.

The names are those of Jepsen's work on Kafka. Aborted read (G1a): a read_committed consumer
receives a record of a transaction that was aborted, or that no producer asked to commit. Torn: some
records of a transaction are read and the others never (an intermediate read, G1b, shows this for a
moment). Lost: a commit was acknowledged and no record is read. A transformer reads, writes and
commits in one transaction, exactly once: each input before the committed offset has an output (else
input-lost) and only one (else processed-twice), and each output's input is before that offset (else
offset-commit-lost). No transaction depends on itself through what others have read (else G1c:
cyclic-information-flow).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from raftka.simulations.checkers.cycles import cycle
from raftka.simulations.checkers.history import show
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.violation import About, Report


class Fate(enum.Enum):
    """The outcome of a transaction as its client knows it."""

    OPEN = "it is open"
    ENDING = "its commit is asked for, and may have come about"
    COMMITTED = "its commit was acknowledged"
    ABORTED = "it was aborted, or no process is left that could commit it"


@dataclass
class Transaction:
    """One transaction of one producer."""

    producer: str
    number: int
    fate: Fate = Fate.OPEN
    records: dict[bytes, tuple[Key, int]] = field(default_factory=dict)
    """The place of each record, by its value, once it is acknowledged."""
    sources: dict[bytes, tuple[Key, int]] = field(default_factory=dict)
    """The inputs from which a transformer made records."""
    has_read: set[int] = field(default_factory=set)
    """The numbers of transactions whose records were read within this one."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"transaction {self.number} of {self.producer}"


Found = Mapping[bytes, tuple[Key, int]]
"""The records that a reader of all committed ones found, with their offsets."""


class Atomicity:
    """All transactions of a run's clients."""

    def __init__(
        self,
        report: Report,
        *,
        is_excused: Callable[[Key], bool],
        may_be_gone: Callable[[Key, int], bool],
    ) -> None:
        """`is_excused`: whether a partition lost more disks than its guarantees cover.
        `may_be_gone`: whether a record was deleted on purpose, or the cleaner may have removed it.
        """
        self.looks = Looks()
        self.transactions: list[Transaction] = []
        self._of: dict[bytes, Transaction] = {}
        self._report = report
        self._is_excused = is_excused
        self._may_be_gone = may_be_gone

    # Producers.

    def begun(self, producer: str) -> Transaction:
        """A producer begins a transaction."""
        made = Transaction(producer, len(self.transactions))
        self.transactions.append(made)
        return made

    def writes(self, transaction: Transaction, what: bytes) -> None:
        """A producer is about to send a record in a transaction."""
        self._of[what] = transaction

    def wrote(self, transaction: Transaction, what: bytes, key: Key, offset: int) -> None:
        """The record is stored."""
        transaction.records[what] = (key, offset)

    # Readers of committed records.

    def read(
        self,
        consumer: str,
        key: Key,
        offset: int,
        what: bytes,
        *,
        within: Transaction | None = None,
    ) -> None:
        """A read_committed consumer received a record, perhaps inside a transaction of its own."""
        transaction = self._of.get(what)
        if transaction is None:
            return
        if within is not None:
            within.has_read.add(transaction.number)
        self.looks("aborted-read")
        if transaction.fate in (Fate.OPEN, Fate.ABORTED) and not self._is_excused(key):
            self._report(
                "aborted-read",
                f"{consumer} reads committed records only, and was given {show(what)} at offset"
                f" {offset} of {key[0]}-{key[1]}, of {transaction.name}: {transaction.fate.value}",
                about=About(key, offset, node=consumer),
            )

    # At the end.

    def final_read(self, found: Found) -> None:
        """A new reader of committed records has read everything."""
        for what, (key, offset) in found.items():
            self.read("the last reader", key, offset, what)
        for transaction in self.transactions:
            if transaction.fate in (Fate.COMMITTED, Fate.ENDING):
                self._check_whole(transaction, found)
        self._check_order()

    def _check_order(self) -> None:
        """Whether any committed transaction depends on itself."""
        after: dict[int, set[int]] = {}
        last: dict[str, int] = {}
        for each in self.transactions:
            if each.fate in (Fate.COMMITTED, Fate.ENDING):
                self.looks("cyclic-information-flow")
                after[each.number] = set(each.has_read)
                if each.producer in last:
                    after[each.number].add(last[each.producer])
                last[each.producer] = each.number
        found = cycle(after)
        if found is not None:
            way = [self.transactions[number].name for number in (*found, found[0])]
            self._report(
                "cyclic-information-flow",
                f"{', which comes after '.join(way)}: each has read a record of the next one, or is"
                " a later one of the same producer, and all of them are committed",
                about=About(node=self.transactions[found[0]].producer),
            )

    def _check_whole(self, transaction: Transaction, found: Found) -> None:
        self.looks("lost-transaction", "torn-transaction")
        there = [what for what in transaction.records if what in found]
        lacking = [
            what
            for what, (key, offset) in transaction.records.items()
            if what not in found and not self._may_be_gone(key, offset)
        ]
        if not lacking or (not there and transaction.fate is Fate.ENDING):
            return
        if any(self._is_excused(key) for key, _ in transaction.records.values()):
            return
        key, offset = transaction.records[lacking[0]]
        self._report(
            "torn-transaction" if there else "lost-transaction",
            f"of {transaction.name} ({transaction.fate.value}) a reader of all committed records"
            f" finds {len(there)} records and not the {len(lacking)} others: {show(lacking[0])} at"
            f" offset {offset} of {key[0]}-{key[1]}, for one",
            about=About(key, offset, node=transaction.producer),
        )

    def processed(self, found: Found, committed: Mapping[Key, int], inputs: Found) -> None:
        """A group has `committed` its offsets in transactions; their outputs are `found`, and
        `inputs` are the committed records that it had to read.
        """
        self.looks("input-lost", "offset-commit-lost", "processed-twice")
        done: dict[tuple[Key, int], bytes] = {}
        for what, (key, offset) in found.items():
            transaction = self._of.get(what)
            source = transaction.sources.get(what) if transaction is not None else None
            if source is None:
                continue
            twin = done.setdefault(source, what)
            if twin is not what:
                self._report(
                    "processed-twice",
                    f"{show(what)} at offset {offset} of {key[0]}-{key[1]} and {show(twin)} are"
                    f" both made from offset {source[1]} of {source[0][0]}-{source[0][1]}, and both"
                    " are committed",
                    about=About(key, offset),
                )
            if source[1] >= committed.get(source[0], 0):
                self._report(
                    "offset-commit-lost",
                    f"{show(what)} is committed, made from offset {source[1]} of"
                    f" {source[0][0]}-{source[0][1]}, and in the same transaction the group has"
                    f" committed that offset; it finds {committed.get(source[0], 0)} there",
                    about=About(source[0], source[1]),
                )
        for key, offset in inputs.values():
            if offset < committed.get(key, 0) and (key, offset) not in done:
                self._report(
                    "input-lost",
                    f"the group has committed {committed[key]} in {key[0]}-{key[1]}, and nothing"
                    f" that is committed was made from the record at offset {offset}",
                    about=About(key, offset),
                )
                return
