"""What administrators were told, to be held against what the cluster shows in the end.

Each thing that can be changed is a register: a topic with its number of partitions, a setting with
its value. A change that was acknowledged, and that no other overlapped, leaves one value that it
may have; one that failed may have come about all the same, now or later, and leaves both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from model.ids import TopicPartition

Thing = tuple[str, ...]
"""("topic", its name), or ("setting", its topic, its name)."""
Value = int | str | None
"""Partitions of a topic, or a setting's value; None when it is not there."""


@dataclass
class Register:
    """One thing, and what it may be."""

    possible: set[Value] = field(default_factory=lambda: {None})
    open: int = 0
    """Changes that have no answer yet."""
    begun: int = 0
    doubtful: bool = False
    """Whether a change has failed: it may yet come about."""


@dataclass
class Life:
    """A topic from its creation to its deletion: what was written to it in that time."""

    name: str
    """Whose records are of this life."""
    acked: dict[tuple[TopicPartition, int], bytes] = field(default_factory=dict)


class Ledger:
    """All that administrators have done in a run."""

    def __init__(self) -> None:
        self.registers: dict[Thing, Register] = {}
        self.begins_at: dict[TopicPartition, tuple[int, float]] = {}
        """Where DeleteRecords said that a partition begins now, and when."""
        self.former: dict[str, set[str]] = {}
        """By topic: lives of it that have ended for good."""
        self.lives: dict[str, Life] = {}
        """By topic: the life that it has now; none while a change of it is in doubt."""

    def created(self, topic: str, partitions: int, settings: Mapping[str, str]) -> None:
        """A topic exists, as it was asked for."""
        self.registers["topic", topic] = Register({partitions})
        for name, value in settings.items():
            self.registers["setting", topic, name] = Register({value})

    @contextmanager
    def change(self, thing: Thing, value: Value) -> Iterator[None]:
        """Around a request that makes `thing` be `value`."""
        register = self.registers.setdefault(thing, Register())
        alone = not register.open
        register.possible.add(value)
        register.open += 1
        register.begun += 1
        number = register.begun
        try:
            yield
        except BaseException:
            register.doubtful = True
            raise
        else:
            if alone and register.begun == number and not register.doubtful:
                register.possible = {value}
        finally:
            register.open -= 1

    def may_be(self, thing: Thing) -> set[Value] | None:
        """The values that a thing may have; None when nobody knows."""
        register = self.registers.get(thing)
        return None if register is None or register.open else register.possible
