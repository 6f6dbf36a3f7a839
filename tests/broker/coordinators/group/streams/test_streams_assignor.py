"""The sticky assignor: every task once, balanced, and as few moves as that allows."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from raftka.broker.coordinators.group.streams.assignor import Worker, assign
from raftka.broker.coordinators.group.streams.tasks import NO_TASKS, Task, Tasks, each


def workers(count: int, threads: int = 1, has: dict[str, Tasks] | None = None) -> list[Worker]:
    names = [(f"m{p}.{t}", f"p{p}") for p in range(count) for t in range(threads)]
    return [Worker(name, process, (has or {}).get(name, NO_TASKS), {}) for name, process in names]


def owners(found: dict[str, Tasks]) -> dict[Task, str]:
    return {task: name for name, tasks in found.items() for task in each(tasks.active)}


def test_nobody_gets_nothing() -> None:
    assert assign([], {"0": 3}, ["0"], 1) == {}


@pytest.mark.parametrize("seed", range(25))
def test_every_task_has_one_owner_and_copies_are_on_other_processes(seed: int) -> None:
    dice = random.Random(seed)
    tasks = {str(n): dice.randint(1, 7) for n in range(dice.randint(1, 4))}
    stateful = [name for name in tasks if dice.random() < 0.7]
    replicas = dice.randint(0, 2)
    has: dict[str, Tasks] = {}
    for _ in range(5):
        members = workers(dice.randint(1, 5), dice.randint(1, 3), has)
        has = assign(members, tasks, stateful, replicas)
        processes = {each.member_id: each.process_id for each in members}
        active = [task for share in has.values() for task in each(share.active)]
        assert Counter(active) == Counter(
            (name, index) for name, count in tasks.items() for index in range(count)
        )
        copies: dict[Task, list[str]] = {}
        for name, share in has.items():
            for task in each(share.standby):
                assert task[0] in stateful
                copies.setdefault(task, []).append(processes[name])
        for task, owner in owners(has).items():
            on = [processes[owner], *copies.get(task, [])]
            assert len(on) == len(set(on)), "a process has a task twice"
            if task[0] in stateful:
                wanted = min(replicas, len(set(processes.values())) - 1)
                assert len(on) - 1 == wanted, (task, on)


def test_members_have_the_same_number_of_tasks() -> None:
    found = assign(workers(3), {"0": 9}, [], 0)
    assert sorted(len(list(each(share.active))) for share in found.values()) == [3, 3, 3]


def test_a_new_member_takes_its_share_and_the_others_keep_the_rest() -> None:
    first = assign(workers(2), {"0": 6}, ["0"], 0)
    second = assign(workers(3, has=first), {"0": 6}, ["0"], 0)
    before, after = owners(first), owners(second)
    moved = [task for task in before if before[task] != after[task]]
    assert len(moved) == 2
    assert all(after[task] == "m2.0" for task in moved)


def test_the_process_with_a_copy_takes_over() -> None:
    first = assign(workers(3), {"0": 3}, ["0"], 1)
    copies = {task: name for name, share in first.items() for task in each(share.standby)}
    left = [each for each in workers(3, has=first) if each.member_id != "m1.0"]
    after = owners(assign(left, {"0": 3}, ["0"], 1))
    for task, owner in owners(first).items():
        if owner == "m1.0":
            assert after[task] == copies[task]


def test_state_on_a_disk_attracts_its_task() -> None:
    blank = [Worker("a", "pa", NO_TASKS, {}), Worker("b", "pb", NO_TASKS, {("0", 0): 10})]
    assert owners(assign(blank, {"0": 2}, ["0"], 0))[("0", 0)] == "b"
    more = [Worker("a", "pa", NO_TASKS, {("0", 0): 99}), blank[1]]
    assert owners(assign(more, {"0": 2}, ["0"], 0))[("0", 0)] == "a"


def test_a_process_with_more_threads_gets_more() -> None:
    members = [
        *(Worker(f"a{n}", "pa", NO_TASKS, {}) for n in range(3)),
        Worker("b0", "pb", NO_TASKS, {}),
    ]
    found = owners(assign(members, {"0": 8}, [], 0))
    assert Counter(name[0] for name in found.values()) == {"a": 6, "b": 2}
