"""Operations that do not fit into one batch of metadata: what is split, put off, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import trio

from raftka.kraft.codec import decode_records
from raftka.kraft.controller.assignments import MAX_RECORDS_AT_ONCE
from raftka.kraft.controller.configs import Alteration, Op, alter_incrementally
from raftka.kraft.controller.result import Result
from raftka.kraft.controller.topics import NewTopic
from raftka.kraft.image import BROKER_RESOURCE, CLUSTER_DEFAULT, ConfigResource, MetadataImage
from raftka.kraft.records import (
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    FeatureLevelRecord,
    PartitionChangeRecord,
    RegisterBrokerRecord,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import captured
from raftka.model.settings.catalog import BROKER
from raftka.model.settings.setting import Range
from tests.support.controller_world import World, create, in_a_world

MANY = 10
AT_ONCE = 3
EVERY_BROKER = ConfigResource(BROKER_RESOURCE, CLUSTER_DEFAULT)


def in_small_batches(one: World) -> None:
    one.controller.rules = replace(one.controller.rules, changes_at_once=AT_ONCE)
    one.controller._writer._rules = one.controller.rules


async def fill(one: World, *replicas: int) -> None:
    await create(one.controller, NewTopic("t", assignments=dict.fromkeys(range(MANY), replicas)))


def leaders(one: World) -> list[int]:
    return [partition.leader for partition in one.image.topics["t"].partitions]


def batches_since(one: World, before: int) -> list[list[Any]]:
    """The records of each batch, without its stamp."""
    return [decode_records(batch)[1:] for batch in one.quorum.batches[before:]]


async def after(one: World, batches: int) -> None:
    """Return when so many batches are committed, and the next one is not."""
    while len(one.quorum.batches) < batches:
        await one.quorum.committed.wait()


@in_a_world
async def test_a_broker_of_many_partitions_is_fenced_batch_by_batch(one: World) -> None:
    in_small_batches(one)
    await fill(one, 2, 3)
    before = len(one.quorum.batches)
    one.nursery.start_soon(one.keep_beating, 3, 4)
    one.kill(2)
    await trio.sleep(1)
    assert leaders(one) == [3] * MANY
    batches = batches_since(one, before)
    assert [len(batch) for batch in batches] == [3, 3, 3, 2]
    changes = [record for batch in batches for record in batch][:-1]
    assert [record.partition_id for record in changes] == list(range(MANY))
    assert isinstance(batches[-1][-1], BrokerRegistrationChangeRecord), "it is fenced at the end"


@pytest.mark.parametrize("committed", range(4))
def test_a_controller_that_dies_in_the_middle_leaves_the_rest_to_the_next(committed: int) -> None:
    @in_a_world
    async def story(one: World) -> None:
        in_small_batches(one)
        await fill(one, 2, 3)
        one.nursery.start_soon(one.keep_beating, 3, 4)
        before = len(one.quorum.batches)
        one.kill(2)
        await after(one, before + committed)
        one.quorum.elect(2)
        await trio.sleep(1)
        done = leaders(one).count(3)
        assert done == min(MANY, AT_ONCE * committed)
        assert one.image.brokers[2].is_active, "it looks as if nothing had happened to it"
        one.quorum.elect(1)
        await trio.sleep(20)
        assert leaders(one) == [3] * MANY
        assert one.image.brokers[2].fenced

    story()


@in_a_world
async def test_nothing_is_decided_between_the_batches_of_an_operation(one: World) -> None:
    in_small_batches(one)
    await fill(one, 2, 3)
    seen: list[tuple[int, bool]] = []

    def look(image: MetadataImage) -> Result[None]:
        moved = [p for p in image.topics["t"].partitions if p.leader == 3]
        seen.append((len(moved), image.brokers[2].fenced))
        return Result((), None)

    async def keep_looking() -> None:
        while True:
            await one.controller.submit(look)
            await trio.sleep(0.0001)

    one.nursery.start_soon(one.keep_beating, 3, 4)
    one.nursery.start_soon(keep_looking)
    one.kill(2)
    await trio.sleep(1)
    assert set(seen) == {(0, False), (MANY, True)}


@in_a_world
async def test_a_broker_that_is_back_leads_what_waited_batch_by_batch(one: World) -> None:
    in_small_batches(one)
    await fill(one, 2)
    one.kill(2)
    await trio.sleep(1)
    assert leaders(one) == [-1] * MANY
    await one.listen(2)
    before = len(one.quorum.batches)
    await one.register(2)
    registration = [record for batch in batches_since(one, before) for record in batch]
    assert isinstance(registration[-1], RegisterBrokerRecord)
    before = len(one.quorum.batches)
    await one.beat(2)
    await trio.sleep(0.1)
    assert leaders(one) == [2] * MANY
    assert [len(batch) for batch in batches_since(one, before)] == [4, 3, 3, 1]


@in_a_world
async def test_what_an_unfenced_broker_may_lead_is_not_forgotten_with_its_controller(
    one: World,
) -> None:
    in_small_batches(one)
    await fill(one, 2)
    one.kill(2)
    await trio.sleep(1)
    await one.listen(2)
    await one.register(2)
    before = len(one.quorum.batches)
    await one.beat(2)
    await after(one, before + 1)
    one.quorum.elect(3)
    assert -1 in leaders(one)
    assert one.image.brokers[2].is_active
    one.quorum.elect(1)
    await trio.sleep(0.1)
    assert leaders(one) == [2] * MANY


@in_a_world
async def test_a_broker_is_answered_before_the_elections_that_its_return_allows(
    one: World,
) -> None:
    """It accepts clients from then on, which would wait for its other partitions in vain."""
    in_small_batches(one)
    await fill(one, 2)
    one.kill(2)
    await trio.sleep(1)
    await one.listen(2)
    await one.register(2)
    before = len(one.quorum.batches)
    await one.beat(2)
    assert len(batches_since(one, before)) == 1
    assert one.image.brokers[2].is_active
    await trio.sleep(0.1)
    assert leaders(one) == [2] * MANY


@in_a_world
async def test_a_void_batch_in_the_middle_is_decided_again(one: World) -> None:
    in_small_batches(one)
    await fill(one, 2, 3)
    one.nursery.start_soon(one.keep_beating, 3, 4)
    before = len(one.quorum.batches)
    one.kill(2)
    await after(one, before + 1)
    one.quorum.before_commit = one.quorum.insert_voter_change
    await trio.sleep(1)
    changes = [
        record.partition_id
        for batch in batches_since(one, before)
        for record in batch
        if isinstance(record, PartitionChangeRecord)
    ]
    assert changes == list(range(MANY))
    assert one.image.brokers[2].fenced


async def lower_the_minimum(one: World) -> None:
    wish = Alteration("min.insync.replicas", Op.SET, "1")
    ((_, failure),) = await one.controller.submit(
        lambda image: alter_incrementally(
            image, one.controller.rules, one.controller.schema, [(EVERY_BROKER, [wish])]
        )
    )
    assert failure is None


def elrs(one: World) -> list[tuple[int, ...]]:
    return [partition.elr for partition in one.image.topics["t"].partitions]


async def with_elrs(one: World) -> None:
    """Each partition is led by 3 alone, and 2 is in its ELR: the minimum is two replicas."""
    in_small_batches(one)
    one.controller.rules = replace(one.controller.rules, min_insync_replicas=2)
    one.controller._writer._rules = one.controller.rules
    await fill(one, 2, 3)
    one.nursery.start_soon(one.keep_beating, 3, 4)
    one.kill(2)
    await trio.sleep(1)
    assert elrs(one) == [(2,)] * MANY


@in_a_world
async def test_a_smaller_minimum_ends_many_elrs_before_it_holds(one: World) -> None:
    """A leader that knew it would commit what those of an ELR do not have."""
    await with_elrs(one)
    before = len(one.quorum.batches)
    await lower_the_minimum(one)
    assert elrs(one) == [()] * MANY
    batches = batches_since(one, before)
    assert [len(batch) for batch in batches] == [3, 3, 3, 2]
    assert [type(batch[-1]) for batch in batches[:-1]] == [PartitionChangeRecord] * 3
    config = [record for batch in batches for record in batch if isinstance(record, ConfigRecord)]
    assert [record.value for record in config] == ["1"] and config[0] in batches[-1]


@in_a_world
async def test_a_minimum_that_is_not_reached_before_its_controller_dies_stays(one: World) -> None:
    await with_elrs(one)
    before = len(one.quorum.batches)
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(KafkaError) as caught:
                await lower_the_minimum(one)
            assert caught.value.code is ErrorCode.NOT_CONTROLLER

        nursery.start_soon(ask)
        await after(one, before + 2)
        one.quorum.elect(3)
    assert () in elrs(one) and (2,) in elrs(one)
    assert one.image.broker_config(None) == {}
    one.quorum.elect(1)
    await trio.sleep(0.1)
    await lower_the_minimum(one)
    assert elrs(one) == [()] * MANY


@in_a_world
async def test_what_fails_after_its_caller_was_answered_is_logged(one: World) -> None:
    def refuse(image: MetadataImage) -> Result[None]:
        raise KafkaError(ErrorCode.POLICY_VIOLATION, "that is too much")

    wishes: list[Any] = [FeatureLevelRecord(f"f{number}", 1) for number in range(AT_ONCE)]
    in_small_batches(one)
    with captured() as lines:
        await one.controller.submit(lambda image: Result(wishes, None, refuse, answered_first=True))
        await trio.sleep(0.1)
    found = [line for line in lines if "that is too much" in line.words]
    assert [line.level for line in found] == ["warning"]


@in_a_world
async def test_operations_that_are_too_large_together_are_committed_apart(one: World) -> None:
    one.quorum.max_entry_bytes = 1000
    before = len(one.quorum.batches)
    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(one.controller.submit, level(f"f{number}".ljust(300, "x")))
    assert sum(name.startswith("f") and len(name) == 300 for name in one.image.features) == 8
    assert all(len(batch) <= 1000 for batch in one.quorum.batches[before:])
    assert len(one.quorum.batches) - before >= 3


@in_a_world
async def test_what_one_batch_cannot_hold_is_refused(one: World) -> None:
    many = [FeatureLevelRecord(f"f{number}", 1) for number in range(10_001)]
    one.quorum.max_entry_bytes = 1000
    for records in ([FeatureLevelRecord("f".ljust(1000, "x"), 1)], many):
        with pytest.raises(KafkaError) as caught:
            await one.controller.submit(decided(records))
        assert caught.value.code is ErrorCode.POLICY_VIOLATION
        assert "in one request" in caught.value.message
    await one.create(2, 3)


def test_the_largest_setting_leaves_room_for_what_ends_an_operation() -> None:
    """Otherwise a broker of so many partitions could never be fenced."""
    check = BROKER["raftka.controller.changes.per.batch"].check
    assert isinstance(check, Range)
    assert check.high is not None
    assert check.high + len(("the broker", "its cordoned directories")) <= MAX_RECORDS_AT_ONCE


def level(name: str) -> Any:
    return decided([FeatureLevelRecord(name, 1)])


def decided(records: Sequence[Any]) -> Any:
    return lambda image: Result(records, None)
