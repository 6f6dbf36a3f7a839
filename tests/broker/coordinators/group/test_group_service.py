"""The service over a log in memory: loading, appending, committing, failing, and virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.leave_group import MemberIdentity
from tests.support.group_service import (
    ACCESS,
    GROUP,
    IMAGE,
    OFFSETS,
    PARTITION,
    Answers,
    Coordinator,
)
from tests.support.offsets_log import MemoryOffsetsLog


def commit_code(answers: Answers) -> ErrorCode:
    return ErrorCode(answers.answer.topics[0].partitions[0].error_code)


@pytest.fixture
async def coordinator(nursery: trio.Nursery) -> AsyncIterator[Coordinator]:
    found = Coordinator(MemoryOffsetsLog(), nursery)
    await found.lead()
    yield found


async def test_an_answer_waits_until_its_records_are_committed(coordinator: Coordinator) -> None:
    coordinator.log.commits_at_once = False
    commit = coordinator.commit(7)
    await trio.testing.wait_all_tasks_blocked()
    assert len(coordinator.log.records(PARTITION)) == 1
    assert not commit.done
    coordinator.log.commit(PARTITION)
    assert commit_code(commit) is ErrorCode.NONE


async def test_offsets_are_not_told_before_they_are_committed(
    coordinator: Coordinator, nursery: trio.Nursery
) -> None:
    coordinator.log.commits_at_once = False
    coordinator.commit(7)
    seen: list[int] = []

    async def fetch() -> None:
        seen.append(await coordinator.committed())

    nursery.start_soon(fetch)
    await trio.testing.wait_all_tasks_blocked()
    assert seen == []
    coordinator.log.commit(PARTITION)
    await trio.testing.wait_all_tasks_blocked()
    assert seen == [7]


async def test_what_comes_in_one_turn_is_appended_together(coordinator: Coordinator) -> None:
    commits = [coordinator.commit(offset, offset % 2) for offset in range(20)]
    await trio.testing.wait_all_tasks_blocked()
    assert [len(batch) for batch in coordinator.log.batches[PARTITION]] == [20]
    assert all(commit_code(commit) is ErrorCode.NONE for commit in commits)


async def test_appends_do_not_wait_for_each_other(coordinator: Coordinator) -> None:
    coordinator.log.commits_at_once = False
    for offset in range(3):
        coordinator.commit(offset)
        await trio.testing.wait_all_tasks_blocked()
    assert len(coordinator.log.batches[PARTITION]) == 3


async def test_a_large_turn_is_cut_into_batches(
    nursery: trio.Nursery,
) -> None:
    coordinator = Coordinator(MemoryOffsetsLog(), nursery, max_record_bytes=500)
    await coordinator.lead()
    commits = [coordinator.commit(offset) for offset in range(20)]
    await trio.testing.wait_all_tasks_blocked()
    assert len(coordinator.log.batches[PARTITION]) > 3
    assert len(coordinator.log.records(PARTITION)) == 20
    assert all(commit_code(commit) is ErrorCode.NONE for commit in commits)


async def test_members_join_sync_beat_and_leave(coordinator: Coordinator) -> None:
    member_id, generation = await coordinator.member()
    assert member_id.startswith("c-")
    assert len(member_id) == len("c-") + 36
    beat = HeartbeatRequest(group_id=GROUP, generation_id=generation, member_id=member_id)
    coordinator.service.heartbeat(beat)
    described = await coordinator.service.describe_group(GROUP)
    assert described.group_state == "Stable"
    (answer,) = await coordinator.service.leave_group(GROUP, [MemberIdentity(member_id=member_id)])
    assert answer.error_code == ErrorCode.NONE
    (listed,) = await coordinator.service.list_groups(["EMPTY"], ["Classic"])
    assert listed.group_id == GROUP
    await coordinator.service.delete_group(GROUP)
    assert await coordinator.service.list_groups([], []) == []
    assert [value for _, value in coordinator.log.records(PARTITION)][-1] is None


async def test_a_session_ends_by_the_clock(
    coordinator: Coordinator, autojump_clock: MockClock
) -> None:
    await coordinator.member()
    await trio.sleep(9.9)
    described = await coordinator.service.describe_group(GROUP)
    assert described.group_state == "Stable"
    await trio.sleep(0.2)
    described = await coordinator.service.describe_group(GROUP)
    assert described.group_state == "Empty"


async def test_a_new_leader_reads_the_log(coordinator: Coordinator, nursery: trio.Nursery) -> None:
    member_id, generation = await coordinator.member()
    successor = Coordinator(coordinator.log, nursery)
    beat = HeartbeatRequest(group_id=GROUP, generation_id=generation, member_id=member_id)
    with pytest.raises(KafkaError, match="NOT_COORDINATOR"):
        successor.service.heartbeat(beat)
    successor.service.on_partition_elected(PARTITION, 2)
    with pytest.raises(KafkaError, match="COORDINATOR_LOAD_IN_PROGRESS"):
        successor.service.heartbeat(beat)
    with pytest.raises(KafkaError, match="COORDINATOR_LOAD_IN_PROGRESS"):
        await successor.service.list_groups([], [])
    await trio.testing.wait_all_tasks_blocked()
    successor.service.heartbeat(beat)


async def test_nothing_is_told_of_a_log_that_is_not_committed_yet(
    coordinator: Coordinator, nursery: trio.Nursery
) -> None:
    coordinator.log.commits_at_once = False
    coordinator.commit(7)
    await trio.testing.wait_all_tasks_blocked()
    successor = Coordinator(coordinator.log, nursery)
    await successor.lead()
    with pytest.raises(KafkaError, match="COORDINATOR_LOAD_IN_PROGRESS"):
        await successor.committed()
    coordinator.log.commit(PARTITION)
    await trio.testing.wait_all_tasks_blocked()
    assert await successor.committed() == 7


async def test_who_waits_when_the_leader_resigns_looks_elsewhere(
    coordinator: Coordinator,
) -> None:
    await coordinator.member()
    joining = coordinator.join(version=3)
    coordinator.log.commits_at_once = False
    leaving = coordinator.join("c-unknown")
    coordinator.service.on_partition_resigned(PARTITION)
    assert joining.code is ErrorCode.NOT_COORDINATOR
    assert leaving.code is ErrorCode.UNKNOWN_MEMBER_ID
    assert coordinator.commit(1).answer is not None
    with pytest.raises(KafkaError, match="NOT_COORDINATOR"):
        await coordinator.committed()


async def test_a_commit_that_waits_when_the_leader_resigns_is_refused(
    coordinator: Coordinator,
) -> None:
    coordinator.log.commits_at_once = False
    commit = coordinator.commit(7)
    await trio.testing.wait_all_tasks_blocked()
    coordinator.service.on_partition_resigned(PARTITION)
    assert commit_code(commit) is ErrorCode.NOT_COORDINATOR


async def test_an_isr_that_is_too_small_refuses_writers_only_in_words(
    coordinator: Coordinator,
) -> None:
    coordinator.log.refusal = ErrorCode.NOT_ENOUGH_REPLICAS
    commit = coordinator.commit(7)
    assert commit_code(commit) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert coordinator.join().code is ErrorCode.COORDINATOR_NOT_AVAILABLE
    coordinator.log.refusal = None
    assert await coordinator.committed() == -1


async def test_a_failed_append_voids_the_shard_and_the_log_is_read_again(
    coordinator: Coordinator, autojump_clock: MockClock
) -> None:
    coordinator.commit(7)
    await trio.testing.wait_all_tasks_blocked()
    coordinator.log.append_refusal = ErrorCode.NOT_ENOUGH_REPLICAS
    commit = coordinator.commit(8)
    await trio.testing.wait_all_tasks_blocked()
    assert commit_code(commit) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    coordinator.log.append_refusal = None
    await trio.sleep(1)
    assert await coordinator.committed() == 7, "8 never reached the log"


async def test_an_append_of_a_deposed_leader_voids_the_shard(coordinator: Coordinator) -> None:
    coordinator.log.commits_at_once = False
    commit = coordinator.commit(7)
    await trio.testing.wait_all_tasks_blocked()
    coordinator.log.lose(PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert commit_code(commit) is ErrorCode.NOT_COORDINATOR
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(KafkaError, match="COORDINATOR_LOAD_IN_PROGRESS"):
        await coordinator.committed()


async def test_a_commit_that_the_replicas_do_not_take_in_time_is_told_so(
    coordinator: Coordinator, autojump_clock: MockClock
) -> None:
    coordinator.log.commits_at_once = False
    commit = coordinator.commit(7)
    await trio.sleep(4.9)
    assert not commit.done
    await trio.sleep(0.2)
    assert commit_code(commit) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    with pytest.raises(KafkaError, match="COORDINATOR_NOT_AVAILABLE"):
        await coordinator.committed()
    coordinator.log.commit(PARTITION)
    assert await coordinator.committed() == 7, "it was in the log all the time"


async def test_a_deleted_topic_takes_its_offsets_along(coordinator: Coordinator) -> None:
    coordinator.commit(7)
    delta = MetadataDelta(IMAGE)
    delta.topics.deleted.append(ACCESS)
    coordinator.service.publish(MetadataImage(topics={OFFSETS_TOPIC: OFFSETS}), delta)
    await trio.testing.wait_all_tasks_blocked()
    assert await coordinator.committed() == -1
    assert coordinator.log.records(PARTITION)[-1][1] is None


async def test_without_the_offsets_topic_there_is_no_coordinator(
    nursery: trio.Nursery,
) -> None:
    coordinator = Coordinator(MemoryOffsetsLog(), nursery)
    coordinator.service.publish(EMPTY_IMAGE, MetadataDelta(EMPTY_IMAGE))
    assert coordinator.join().code is ErrorCode.NOT_COORDINATOR
    assert await coordinator.service.list_groups([], []) == []
