"""The promises of a streams group (KIP-1071), checked against its assignments. Pure.

- A task has one member that runs it.
- A process has a task at most once, in whatever role.
- Once the group is quiet, every task has an owner.

A member owns a task from its assignment until it gives the task back, or until its session may have
ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from raftka.simulations.checkers.looks import Looks

Task = tuple[str, int]
"""(subtopology, partition)"""
Report = Callable[[str, str], None]
"""(name of a violation, its story)"""


@dataclass(frozen=True)
class Claim:
    """One member's state of a task."""

    member: str
    process: str
    role: str


class TaskChecker:
    """All tasks of one streams group."""

    def __init__(
        self,
        session_s: float,
        now: Callable[[], float],
        report: Report,
        looks: Looks | None = None,
    ) -> None:
        self.looks = Looks() if looks is None else looks
        self._session_s = session_s
        self._now = now
        self._report = report
        self._claims: dict[Task, list[Claim]] = {}
        self._alive_until_s: dict[str, float] = {}
        self.taken = 0
        """How many tasks were started, so that a test can see that it checked any."""

    def heard(self, member: str, sent_s: float) -> None:
        """The coordinator has answered the heartbeat that the member sent at that time."""
        self._alive_until_s[member] = sent_s + self._session_s

    def took(self, claim: Claim, task: Task) -> None:
        """A member begins to work on a task."""
        self.taken += 1
        self.looks("task-with-two-owners", "task-twice-in-process")
        for other in self.holders(task):
            if other.member == claim.member and other.role == claim.role:
                continue
            if other.role == claim.role == "active":
                self._report(
                    "task-with-two-owners",
                    f"{claim.member} runs task {task} at {self._now():.3f} s, and {other.member}"
                    " has not given it back",
                )
            elif other.process == claim.process:
                self._report(
                    "task-twice-in-process",
                    f"{claim.member} has task {task} as {claim.role} at {self._now():.3f} s, and"
                    f" {other.member} of the same process as {other.role}",
                )
        self._claims.setdefault(task, []).append(claim)

    def dropped(self, member: str, task: Task) -> None:
        """A member no longer works on a task."""
        claims = self._claims.get(task, [])
        self._claims[task] = [claim for claim in claims if claim.member != member]

    def gone(self, member: str) -> None:
        """A member has left, or its process has died."""
        for task in list(self._claims):
            self.dropped(member, task)

    def holders(self, task: Task) -> list[Claim]:
        """The members that own the task, as far as its coordinator can know."""
        now_s = self._now()
        return [
            claim
            for claim in self._claims.get(task, ())
            if self._alive_until_s.get(claim.member, 0.0) > now_s
        ]

    def idle(self, tasks: Iterable[Task]) -> list[Task]:
        """Tasks without an owner."""
        return [
            task
            for task in tasks
            if not any(claim.role == "active" for claim in self.holders(task))
        ]

    def copies(self, task: Task) -> int:
        """The number of other processes with a copy of a task's state."""
        return len({claim.process for claim in self.holders(task) if claim.role != "active"})
