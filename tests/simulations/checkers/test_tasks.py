"""The checker of streams groups notices a task that is held twice."""

from __future__ import annotations

from raftka.simulations.checkers.tasks import Claim, TaskChecker

TASK = ("0", 1)


def violations(*claims: Claim) -> list[str]:
    found: list[str] = []
    checker = TaskChecker(45.0, lambda: 1.0, lambda name, _: found.append(name))
    for claim in claims:
        checker.heard(claim.member, 1.0)
        checker.took(claim, TASK)
    return found


def test_one_member_has_a_task_in_one_role() -> None:
    assert violations(Claim("m", "p", "active"), Claim("m", "p", "standby")) == [
        "task-twice-in-process"
    ]


def test_a_member_may_be_given_again_what_it_has() -> None:
    assert not violations(Claim("m", "p", "active"), Claim("m", "p", "active"))


def test_a_task_has_one_owner() -> None:
    assert violations(Claim("m", "p", "active"), Claim("n", "q", "active")) == [
        "task-with-two-owners"
    ]
    assert not violations(Claim("m", "p", "active"), Claim("n", "q", "standby"))
