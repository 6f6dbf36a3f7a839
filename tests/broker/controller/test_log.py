"""The active controller's log lines about elections."""

from __future__ import annotations

import trio
import trio.testing

from raftka.broker.controller.log import ElectionLog
from raftka.kraft.sections.topics import ElectionOutcome
from raftka.model import logs
from raftka.net.clock import SystemClock


def outcome(partition: int) -> ElectionOutcome:
    return ElectionOutcome(
        topic="wide",
        partition=partition,
        old_leader=1,
        new_leader=2,
        leader_epoch=3,
        old_isr=(1, 2),
        new_isr=(2,),
        reason="broker 1 was fenced",
        is_unclean=False,
    )


async def lines_of(count: int) -> list[str]:
    """The lines after a batch that elected so many leaders."""
    elections, found = ElectionLog(SystemClock()), list[str]()

    def take(line: logs.Line) -> None:
        found.append(line.words)

    logs.add_sink(take)
    try:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(elections.run)
            elections.note(outcome(number) for number in range(count))
            await trio.testing.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    finally:
        logs.remove_sink(take)
    assert elections.count == count
    return found


async def test_a_line_for_each_election() -> None:
    assert await lines_of(2) == [
        "wide-0: broker 2 is elected leader",
        "wide-1: broker 2 is elected leader",
    ]


async def test_of_a_large_batch_the_first_hundred_and_how_many_more() -> None:
    lines = await lines_of(1000)
    assert len(lines) == 101
    assert lines[99] == "wide-99: broker 2 is elected leader"
    assert lines[100].startswith("900 more partitions of the same batch changed")
