"""The assignor "sticky" of streams groups (KIP-1071): balanced, with as few moves as possible.

A task stays with the member that runs it, or goes to one that has its state, unless that member
already has its fair share; the remaining tasks go to the least loaded member of the least loaded
process. Standby tasks go to processes that do not have the task yet. The load of a process is its
number of tasks divided by its number of members (threads).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from raftka.broker.coordinators.group.streams.tasks import Task, Tasks, each, grouped
from raftka.model.logs import get_logger

log = get_logger(__name__)


class Worker(NamedTuple):
    """A member as the assignor sees it."""

    member_id: str
    process_id: str
    has: Tasks
    """Its previous target assignment."""
    offsets: Mapping[Task, int]
    """How many offsets of each task's state it has restored to its disk, as reported."""


class _Process:
    """A process during the assignment."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.members: dict[str, int] = {}
        """The number of tasks that each member has so far."""
        self.tasks: set[Task] = set()

    @property
    def load(self) -> float:
        return sum(self.members.values()) / len(self.members)

    def least_loaded(self) -> str:
        return min(self.members, key=lambda member_id: self.members[member_id])


class _Quota:
    """The fair share of a member; members that have theirs are excluded from the rest."""

    def __init__(self, tasks: int, members: int) -> None:
        self._tasks = tasks
        self._members = members
        self.each = self._share()

    def _share(self) -> int:
        return -(-self._tasks // self._members) if self._members else 0

    def count(self, tasks_of_member: int) -> None:
        """Record that a member now has that many tasks."""
        if tasks_of_member == self.each:
            self._members -= 1
            self._tasks -= tasks_of_member
            self.each = self._share()


def assign(
    workers: Sequence[Worker],
    tasks: Mapping[str, int],
    stateful: Iterable[str],
    standby_replicas: int,
) -> dict[str, Tasks]:
    """The new assignment of each member. `tasks` is the number of tasks of each subtopology."""
    if not workers:
        return {}
    return _Assigning(workers, tasks, frozenset(stateful), standby_replicas).run()


class _Assigning:
    """The state of one computation."""

    def __init__(
        self,
        workers: Sequence[Worker],
        tasks: Mapping[str, int],
        stateful: frozenset[str],
        standby_replicas: int,
    ) -> None:
        self._all = [(name, index) for name, count in tasks.items() for index in range(count)]
        self._standby = [task for task in self._all if task[0] in stateful]
        self._replicas = standby_replicas
        self._processes: dict[str, _Process] = {}
        self._process_of: dict[str, _Process] = {}
        self._active: dict[str, list[Task]] = {}
        self._copies: dict[str, list[Task]] = {}
        self._ran: dict[Task, str] = {}
        """The member that had it as an active task."""
        self._knows: dict[Task, list[str]] = {}
        """The members with state of it, best first."""
        for worker in workers:
            process = self._processes.setdefault(worker.process_id, _Process(len(self._processes)))
            process.members[worker.member_id] = 0
            self._process_of[worker.member_id] = process
            self._ran.update(dict.fromkeys(each(worker.has.active), worker.member_id))
        self._rank_state(workers)
        copies = len(self._standby) * standby_replicas
        self._active_quota = _Quota(len(self._all), len(workers))
        self._quota = _Quota(len(self._all) + copies, len(workers))

    def _rank_state(self, workers: Sequence[Worker]) -> None:
        """Prefer standby tasks to state that is only on a disk, and more state to less."""
        found: dict[Task, list[tuple[bool, int, str]]] = {}
        for worker in workers:
            standby = set(each(worker.has.standby))
            for task in standby | worker.offsets.keys():
                rank = (task not in standby, -worker.offsets.get(task, 0), worker.member_id)
                found.setdefault(task, []).append(rank)
        self._knows = {
            task: [member_id for _, _, member_id in sorted(ranks)] for task, ranks in found.items()
        }

    def run(self) -> dict[str, Tasks]:
        self._assign_active()
        if self._replicas:
            self._assign_standby()
        return {
            member_id: Tasks(
                grouped(self._active.get(member_id, ())),
                grouped(self._copies.get(member_id, ())),
                {},
            )
            for member_id in self._process_of
        }

    def _give(self, task: Task, member_id: str, *, active: bool) -> None:
        process = self._process_of[member_id]
        process.members[member_id] += 1
        process.tasks.add(task)
        count = process.members[member_id]
        self._quota.count(count)
        if active:
            self._active_quota.count(count)
        (self._active if active else self._copies).setdefault(member_id, []).append(task)

    def _has_room(self, member_id: str, quota: _Quota) -> bool:
        return self._process_of[member_id].members[member_id] < quota.each

    # ---- active tasks

    def _assign_active(self) -> None:
        # By partition, so that tasks of the same partitions stay together.
        left = []
        for task in sorted(self._all, key=_by_partition):
            member_id = self._ran.get(task)
            if member_id is not None and self._has_room(member_id, self._active_quota):
                self._give(task, member_id, active=True)
            else:
                left.append(task)
        rest = []
        for task in left:
            member_id = self._least_loaded_that_knows(
                task, lambda each: self._has_room(each, self._active_quota)
            )
            if member_id is None:
                rest.append(task)
            else:
                self._give(task, member_id, active=True)
        heap = self._heap()
        for task in sorted(rest):
            _, _, process = heappop(heap)
            self._give(task, process.least_loaded(), active=True)
            heappush(heap, (process.load, process.rank, process))

    def _heap(self) -> list[tuple[float, int, _Process]]:
        heap = [(each.load, each.rank, each) for each in self._processes.values()]
        heapify(heap)
        return heap

    def _least_loaded_that_knows(self, task: Task, may: Callable[[str], bool]) -> str | None:
        """Of the members with state of it, the first one, unless another is less loaded."""
        best: tuple[float, int, str] | None = None
        for member_id in self._knows.get(task, ()):
            if may(member_id):
                process = self._process_of[member_id]
                load, count = process.load, process.members[member_id]
                if best is None or (load < best[0] and count < best[1]):
                    best = load, count, member_id
        return None if best is None else best[2]

    # ---- standby tasks

    def _assign_standby(self) -> None:
        left: list[tuple[Task, int]] = []
        for task in sorted(self._standby, key=_by_partition, reverse=True):
            for given in range(self._replicas):
                member_id = self._sticky_standby(task)
                if member_id is None:
                    left.append((task, self._replicas - given))
                    break
                self._give(task, member_id, active=False)
        heap = self._heap()
        short = [
            task
            for task, replicas in sorted(left, reverse=True)
            if not self._spread(task, replicas, heap)
        ]
        if short:
            log.info(
                f"{len(short)} tasks have fewer standby replicas than {self._replicas}: start more"
                " instances of the application, or set streams.num.standby.replicas lower"
            )

    def _sticky_standby(self, task: Task) -> str | None:
        """The member that ran it, or one that had it as standby, if it has room."""

        def may(member_id: str) -> bool:
            is_there = task in self._process_of[member_id].tasks
            return not is_there and self._has_room(member_id, self._quota)

        ran = self._ran.get(task)
        if ran is not None and may(ran):
            return ran
        return self._least_loaded_that_knows(task, may)

    def _spread(self, task: Task, replicas: int, heap: list[tuple[float, int, _Process]]) -> bool:
        """Give it to the least loaded processes; return whether there were enough of them."""
        passed = []
        while replicas and heap:
            entry = heappop(heap)
            process = entry[2]
            if task not in process.tasks:
                self._give(task, process.least_loaded(), active=False)
                entry = (process.load, process.rank, process)
                replicas -= 1
            passed.append(entry)
        for entry in passed:
            heappush(heap, entry)
        return not replicas


def _by_partition(task: Task) -> tuple[int, str]:
    return task[1], task[0]
