"""The share coordinator's shard: states of share-partitions, and refused requests."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.share import records
from raftka.broker.coordinators.share.shard import NOTHING
from raftka.broker.coordinators.timers import Moment
from raftka.broker.share.key import SharePartitionKey
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET
from raftka.model.rules import Rule
from tests.support.share_states import KEY, TOPIC_ID, StateWorld, acknowledged


@pytest.fixture
def world() -> StateWorld:
    world = StateWorld()
    world.shard.initialize(KEY, 1, NO_OFFSET, world.now)
    return world


def refusal_of(action: object, *args: object, **named: object) -> ErrorCode:
    with pytest.raises(KafkaError) as caught:
        action(*args, **named)  # type: ignore[operator]
    return caught.value.code


def test_changes_are_laid_over_each_other(world: StateWorld) -> None:
    world.write(acknowledged(3, 5), start=0, state_epoch=1)
    world.write(acknowledged(0, 1), start=2, state_epoch=1, complete=3)
    found = world.shard.read(KEY, 0, world.now)
    assert (found.start_offset, found.complete_count) == (2, 3)
    assert found.batches == (acknowledged(3, 5),)


def test_another_coordinator_reads_the_same(world: StateWorld) -> None:
    world.write(acknowledged(3, 5), start=0, state_epoch=1)
    world.write(acknowledged(8, 9), state_epoch=1, leader_epoch=4)
    assert world.reloaded().states() == world.shard.states()


def test_every_so_many_changes_are_a_snapshot() -> None:
    world = StateWorld(updates_per_snapshot=3)
    world.shard.initialize(KEY, 1, 0, world.now)
    for offset in range(8):
        world.write(acknowledged(offset, offset), state_epoch=1)
    kinds = [type(records.decode(*record)).__name__ for record in world.written()]
    assert kinds == ["Snapshot", *["Update"] * 3, "Snapshot", *["Update"] * 3, "Snapshot"]
    assert world.reloaded().states() == world.shard.states()
    assert world.shard.states()[KEY].snapshot_epoch == 2


def test_a_leader_that_was_replaced_is_fenced(world: StateWorld) -> None:
    world.shard.read(KEY, 7, world.now)
    code = refusal_of(world.write, acknowledged(0, 1), state_epoch=1, leader_epoch=6)
    assert code is ErrorCode.FENCED_LEADER_EPOCH
    assert refusal_of(world.shard.read, KEY, 6, world.now) is ErrorCode.FENCED_LEADER_EPOCH
    world.write(acknowledged(0, 1), state_epoch=1, leader_epoch=7)


def test_without_that_rule_a_leader_that_was_replaced_still_writes() -> None:
    world = StateWorld(rules_off={Rule.SHARE_LEADER_EPOCH_FENCES})
    world.shard.initialize(KEY, 1, NO_OFFSET, world.now)
    world.shard.read(KEY, 7, world.now)
    world.write(acknowledged(0, 1), state_epoch=1, leader_epoch=6)
    assert world.shard.states()[KEY].batches == (acknowledged(0, 1),)


def test_a_read_fences_under_the_next_coordinator_too(world: StateWorld) -> None:
    world.shard.read(KEY, 7, world.now)
    successor = world.reloaded()
    assert refusal_of(successor.read, KEY, 6, world.now) is ErrorCode.FENCED_LEADER_EPOCH


def test_state_that_began_again_takes_nothing_from_before(world: StateWorld) -> None:
    world.write(acknowledged(0, 9), state_epoch=1)
    world.shard.initialize(KEY, 2, 100, world.now)
    code = refusal_of(world.write, acknowledged(10, 11), state_epoch=1)
    assert code is ErrorCode.FENCED_STATE_EPOCH
    found = world.shard.read(KEY, 0, world.now)
    assert (found.state_epoch, found.start_offset, found.batches) == (2, 100, ())
    assert refusal_of(world.shard.initialize, KEY, 1, 0, world.now) is ErrorCode.FENCED_STATE_EPOCH


def test_without_that_rule_a_late_write_changes_the_state_that_began_again() -> None:
    world = StateWorld(rules_off={Rule.SHARE_STATE_EPOCH_FENCES})
    world.shard.initialize(KEY, 1, NO_OFFSET, world.now)
    world.shard.initialize(KEY, 2, 100, world.now)
    world.write(acknowledged(110, 111), state_epoch=1)
    assert world.shard.read(KEY, 0, world.now).batches == (acknowledged(110, 111),)


def test_only_what_was_initialized_is_read_and_written(world: StateWorld) -> None:
    other = KEY._replace(partition=1)
    assert refusal_of(world.shard.read, other, 0, world.now) is ErrorCode.INVALID_REQUEST
    assert world.shard.summary(other) == NOTHING


def test_partitions_that_do_not_exist_are_refused(world: StateWorld) -> None:
    for key in (KEY._replace(partition=3), SharePartitionKey("workers", bytes(16), 0)):
        code = refusal_of(world.shard.initialize, key, 1, 0, world.now)
        assert code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    code = refusal_of(world.shard.summary, KEY._replace(partition=-1))
    assert code is ErrorCode.INVALID_REQUEST


def test_what_is_deleted_is_gone_for_the_next_coordinator(world: StateWorld) -> None:
    world.shard.delete(KEY, world.now)
    world.shard.delete(KEY, world.now)
    assert world.shard.sizes() == {"share_partitions": 0}
    assert world.reloaded().states() == {}


def test_a_deleted_topic_takes_its_state_along(world: StateWorld) -> None:
    world.drop_topic()
    assert [value for _, value in world.written()][-1] is None
    assert world.shard.states() == {}


def test_the_key_is_as_kafka_spells_it() -> None:
    assert str(SharePartitionKey("g", TOPIC_ID, 4)) == "g:AAAAAAAAAAAAAAAAAAAABw:4"


def test_a_log_that_is_half_redundant_is_summed_up_after_the_interval(world: StateWorld) -> None:
    other = KEY._replace(partition=1)
    world.shard.initialize(other, 1, 5, world.now)
    assert world.shard.next_deadline_s() is None
    for offset in range(4):
        world.write(acknowledged(offset, offset), state_epoch=1)
    due_s = world.shard.next_deadline_s()
    assert due_s == world.now.monotonic_s + 300
    world.written()
    world.shard.tick(Moment(due_s - 1, 0))
    assert not world.shard.outbox.supersedes and not world.written()
    world.shard.tick(Moment(due_s, 0))
    assert world.shard.outbox.supersedes
    world.log.clear()
    assert {type(records.decode(*each)).__name__ for each in world.written()} == {"Snapshot"}
    assert world.shard.next_deadline_s() is None
    assert world.reloaded().states() == world.shard.states()
    assert len(world.log) == 2


def test_without_that_rule_a_log_that_was_cut_has_lost_a_state() -> None:
    world = StateWorld(rules_off={Rule.SHARE_STATE_IS_SUMMED_UP})
    for key in (KEY, KEY._replace(partition=1)):
        world.shard.initialize(key, 1, 5, world.now)
    for offset in range(4):
        world.write(acknowledged(offset, offset), state_epoch=1)
    due_s = world.shard.next_deadline_s()
    assert due_s is not None
    world.written()
    world.shard.tick(Moment(due_s, 0))
    world.log.clear()
    assert set(world.reloaded().states()) == {KEY}


def test_what_is_deleted_is_summed_up_with_the_next_state(world: StateWorld) -> None:
    other = KEY._replace(partition=1)
    for _ in range(3):
        world.shard.initialize(other, 1, 5, world.now)
        world.shard.delete(other, world.now)
    due_s = world.shard.next_deadline_s()
    assert due_s is not None
    world.shard.delete(KEY, world.now)
    world.shard.tick(Moment(due_s, 0))
    assert not world.shard.outbox.supersedes
    world.shard.initialize(KEY, 2, 0, world.now)
    assert world.shard.next_deadline_s() is not None
