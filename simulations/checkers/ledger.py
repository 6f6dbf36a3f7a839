"""Keeps the changes that were acknowledged to administrators, and compares them with the cluster at
the end.

Each thing that can be changed is a register: a topic with its number of partitions, a setting with
its value. After an acknowledged change that no other overlapped, a register has one possible value.
After a failed one it has two, since the change may still take effect. The same holds for a change
that was sent more than once: while there is no controller a broker holds a request, even when its
sender has retried at another broker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from raftka.model.ids import TopicPartition
from raftka.simulations.observers.kafka_wire import Watched

Thing = tuple[str, ...]
"""("topic", its name), or ("setting", its topic, its name)."""
Value = int | str | None
"""Partitions of a topic, or a setting's value; None when it is not there."""


@dataclass
class Register:
    """A register, and the values that it may have."""

    possible: set[Value] = field(default_factory=lambda: {None})
    open: int = 0
    """Changes that have no answer yet."""
    begun: int = 0
    doubtful: bool = False
    """Whether a change has failed, or was sent again: it may still take effect."""


@dataclass
class Life:
    """A topic from its creation to its deletion, and what was written to it in that time."""

    name: str
    """The producers whose records belong to this life."""
    acked: dict[tuple[TopicPartition, int], bytes] = field(default_factory=dict)


class Ledger:
    """All changes by administrators in a run."""

    def __init__(self) -> None:
        self.registers: dict[Thing, Register] = {}
        self.begins_at: dict[TopicPartition, tuple[int, float]] = {}
        """The log start that DeleteRecords answered for a partition, and when."""
        self.former: dict[str, set[str]] = {}
        """By topic: its lives that have ended for good."""
        self.lives: dict[str, Life] = {}
        """By topic: its current life; none while the outcome of a change is unknown."""
        self._sent: Counter[Thing] = Counter()
        """How often changes were sent, by kind and topic."""

    def listen(self, watched: Watched) -> None:
        """Observe the requests of administrators."""

        def count(kind: str, names: Iterable[str | None]) -> None:
            self._sent.update((kind, name or "") for name in names)

        for api in ("CreateTopics", "DeleteTopics", "CreatePartitions"):
            watched.request(
                api, lambda _, __, asked: count("topic", (t.name for t in asked.topics))
            )
        watched.request(
            "IncrementalAlterConfigs",
            lambda _, __, asked: count("setting", (r.resource_name for r in asked.resources)),
        )

    def created(self, topic: str, partitions: int, settings: Mapping[str, str]) -> None:
        """A topic was created as requested."""
        self.registers["topic", topic] = Register({partitions})
        for name, value in settings.items():
            self.registers["setting", topic, name] = Register({value})

    @contextmanager
    def change(self, thing: Thing, value: Value) -> Iterator[None]:
        """Around a request that sets `thing` to `value`."""
        register = self.registers.setdefault(thing, Register())
        alone = not register.open
        register.possible.add(value)
        register.open += 1
        register.begun += 1
        number, sent = register.begun, self._sent[thing[:2]]
        try:
            yield
        except BaseException:
            register.doubtful = True
            raise
        else:
            register.doubtful |= self._sent[thing[:2]] > sent + 1
            if alone and register.begun == number and not register.doubtful:
                register.possible = {value}
        finally:
            register.open -= 1

    def is_doubtful(self, thing: Thing) -> bool:
        """Whether a requested change may still take effect."""
        return self.registers[thing].doubtful

    def may_be(self, thing: Thing) -> set[Value] | None:
        """The values that a register may have; None when unknown."""
        register = self.registers.get(thing)
        return None if register is None or register.open else register.possible
