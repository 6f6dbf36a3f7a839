"""How a streams group's coordinator reads its log, as other brokers may have written it."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.group.streams import log as written
from raftka.net.protocol.messages import streams_group_current_member_assignment_value as current
from raftka.net.protocol.messages.streams_group_current_member_assignment_key import (
    StreamsGroupCurrentMemberAssignmentKey,
)
from tests.support.groups import GROUP
from tests.support.streams_groups import StreamsWorld


@pytest.mark.parametrize("epochs", [None, [], [1], [1, 1, 1, 1, 1]])
def test_a_record_with_too_few_or_too_many_epochs_loses_no_task(epochs: list[int] | None) -> None:
    world = StreamsWorld()
    world.member("m1")
    world.quiet()
    tasks = current.TaskIds(subtopology_id="0", partitions=[0, 1, 2], assignment_epochs=epochs)
    written.FORMATS[written.CURRENT].replay(
        world.shard.core,
        StreamsGroupCurrentMemberAssignmentKey(group_id=GROUP, member_id="m1"),
        current.StreamsGroupCurrentMemberAssignmentValue(
            member_epoch=2, previous_member_epoch=2, active_tasks=[tasks]
        ),
    )
    held = world.streams.members["m1"].assigned.active["0"]
    assert held == dict.fromkeys((0, 1, 2), 2), "all of them, since the member's epoch"
