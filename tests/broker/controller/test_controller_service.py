"""The active controller at run time, on a paper quorum and a simulated network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from raftka.kraft.codec import decode_records
from raftka.kraft.controller.brokers import Heartbeat, Registration
from raftka.kraft.controller.in_sync_replicas import IsrWish, alter_partitions
from raftka.kraft.controller.result import Result
from raftka.kraft.controller.topics import NewTopic
from raftka.kraft.image import ListenerEndpoint, MetadataImage
from raftka.kraft.records import BatchStampRecord, FeatureLevelRecord, RegisterBrokerRecord
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.controller_world import World, create, in_a_world


async def refused(ask: Callable[[], Awaitable[object]]) -> ErrorCode:
    with pytest.raises(KafkaError) as caught:
        await ask()
    return caught.value.code


@in_a_world
async def test_a_new_cluster_gets_its_first_records(one: World) -> None:
    stamp, *first = decode_records(one.quorum.batches[0])
    assert isinstance(stamp, BatchStampRecord)
    assert (stamp.controller, stamp.reason) == (1, "a test elected it")
    assert all(isinstance(record, FeatureLevelRecord) for record in first)
    assert one.image.features["metadata.version"] == 30


@in_a_world
async def test_brokers_register_and_are_unfenced(one: World) -> None:
    assert sorted(one.image.brokers) == [2, 3, 4]
    assert all(broker.is_active for broker in one.image.brokers.values())
    for broker_id, epoch in one.epochs.items():
        assert one.image.brokers[broker_id].epoch == epoch


@in_a_world
async def test_the_wrong_cluster_is_refused(one: World) -> None:
    request = Registration(9, b"i" * 16, (ListenerEndpoint("PLAINTEXT", "h", 1, 0),))
    ask = one.controller.register_broker
    assert await refused(lambda: ask(request, "other")) is ErrorCode.INCONSISTENT_CLUSTER_ID


@in_a_world
async def test_many_operations_share_a_commit(one: World) -> None:
    before = one.quorum.proposals
    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(create, one.controller, NewTopic(f"t{number}"))
    assert len(one.image.topics) == 200
    assert one.quorum.proposals - before <= 2


@in_a_world
async def test_operations_of_one_batch_see_each_other(one: World) -> None:
    outcomes: list[ErrorCode] = []

    async def try_it() -> None:
        try:
            await create(one.controller, NewTopic("same"))
            outcomes.append(ErrorCode.NONE)
        except KafkaError as error:
            assert "same" in one.image.topics, "no answer before what it speaks of is committed"
            outcomes.append(error.code)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(try_it)
    assert sorted(outcomes) == [
        ErrorCode.NONE,
        ErrorCode.TOPIC_ALREADY_EXISTS,
        ErrorCode.TOPIC_ALREADY_EXISTS,
    ]


@in_a_world
async def test_registrations_never_share_an_epoch(one: World) -> None:
    async with trio.open_nursery() as nursery:
        for broker_id in (5, 6, 7):
            nursery.start_soon(one.register, broker_id)
    assert len(set(one.epochs.values())) == len(one.epochs)


@in_a_world
async def test_validation_alone_writes_nothing(one: World) -> None:
    offset = one.image.offset
    await one.controller.submit(
        lambda image: Result([FeatureLevelRecord("x", 1)], None), validate_only=True
    )
    assert one.image.offset == offset


@in_a_world
async def test_a_void_proposal_is_decided_again(one: World) -> None:
    one.quorum.before_commit = one.quorum.insert_voter_change
    await one.create(2, 3)
    assert one.partition().leader == 2
    epoch = await one.register(5)
    assert one.image.brokers[5].epoch == epoch


@in_a_world
async def test_losing_leadership_fails_what_is_in_flight(one: World) -> None:
    one.quorum.before_commit = lambda: one.quorum.elect(2)
    assert await refused(lambda: one.create(2, 3)) is ErrorCode.NOT_CONTROLLER
    assert not one.controller.is_active
    assert await refused(lambda: one.create(2, 3)) is ErrorCode.NOT_CONTROLLER
    assert await refused(lambda: one.beat(2)) is ErrorCode.NOT_CONTROLLER
    assert await refused(lambda: one.register(2)) is ErrorCode.NOT_CONTROLLER
    one.quorum.elect(1)
    await one.create(2, 3)


@in_a_world
async def test_a_defect_in_a_decision_fails_only_its_own_operation(one: World) -> None:
    def broken(_: MetadataImage) -> Result[None]:
        raise ZeroDivisionError

    assert await refused(lambda: one.controller.submit(broken)) is ErrorCode.UNKNOWN_SERVER_ERROR
    await one.create(2, 3)


@in_a_world
async def test_an_operation_that_waited_too_long_is_not_begun(one: World) -> None:
    one.quorum.commit_s = 5.0

    async def late() -> None:
        wish = Result([FeatureLevelRecord("late", 1)], None)
        ask = one.controller.submit(lambda image: wish, timeout_ms=1000)
        assert await refused(lambda: ask) is ErrorCode.REQUEST_TIMED_OUT

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.create, 2, 3)
        await trio.sleep(0.001)
        nursery.start_soon(late)
    assert "late" not in one.image.features


@in_a_world
async def test_a_killed_broker_is_replaced_without_waiting_for_its_session(one: World) -> None:
    await one.create(2, 3, 4)
    one.nursery.start_soon(one.keep_beating, 3, 4)
    one.kill(2)
    with trio.fail_after(0.2):
        await one.loader.wait_until(lambda image: image.brokers[2].fenced)
    assert one.partition().leader == 3
    assert one.partition().reason == (
        "broker 2 was fenced: its connection broke and nothing listens at host2:9092: "
        "3 is the first live replica of the ISR [3, 4]"
    )


@in_a_world
async def test_a_broken_connection_alone_fences_nobody(one: World) -> None:
    one.nursery.start_soon(one.keep_beating, 2, 3, 4)
    one.break_connection(2)
    await trio.sleep(30)
    assert one.image.is_active(2)


@in_a_world
async def test_a_silent_broker_is_fenced_when_its_session_ends(one: World) -> None:
    await one.create(2, 3, 4)
    one.nursery.start_soon(one.keep_beating, 3, 4)
    await trio.sleep(8.5)
    assert one.image.is_active(2)
    await trio.sleep(1)
    assert one.partition().leader == 3
    assert "not heard for 9000 ms" in one.partition().reason


@in_a_world
async def test_a_broker_that_is_cut_off_is_fenced_only_by_its_session(one: World) -> None:
    one.nursery.start_soon(one.keep_beating, 3, 4)
    one.fabric.cut("controller", "host2")
    one.fabric.cut("host2", "controller")
    one.break_connection(2)
    await trio.sleep(5)
    assert one.image.is_active(2)
    await trio.sleep(5)
    assert one.image.brokers[2].fenced


@in_a_world
async def test_a_new_controller_looks_for_brokers_that_died_with_the_old_one(one: World) -> None:
    await one.create(2, 3, 4)
    one.quorum.elect(9)
    one.kill(2)
    await trio.sleep(1)
    assert one.image.is_active(2), "nobody was there to notice"
    one.quorum.elect(1)
    with trio.fail_after(0.3):
        await one.loader.wait_until(lambda image: image.brokers[2].fenced)
    assert one.partition().leader == 3
    assert "it is not connected and nothing listens at host2:9092" in one.partition().reason
    assert one.image.is_active(3) and one.image.is_active(4)


@in_a_world
async def test_a_restarted_broker_takes_its_place_at_once(one: World) -> None:
    await one.create(2, 3)
    one.break_connection(2)
    await one.register(2)
    assert one.image.brokers[2].fenced and one.partition().leader == 3
    await one.beat(2)
    assert one.image.is_active(2)


@in_a_world
async def test_two_processes_with_one_id_do_not_take_turns(one: World) -> None:
    ask = one.register
    assert await refused(lambda: ask(2, host="elsewhere")) is (
        ErrorCode.DUPLICATE_BROKER_REGISTRATION
    )
    await trio.sleep(9.5)
    await one.register(2, host="elsewhere")
    stale = Heartbeat(2, one.epochs[2] - 1, 0)
    beat = one.controller.broker_heartbeat
    assert await refused(lambda: beat(stale)) is ErrorCode.STALE_BROKER_EPOCH


@in_a_world
async def test_a_controlled_shutdown(one: World) -> None:
    await one.create(2, 3, 4)
    one.nursery.start_soon(one.keep_beating, 3, 4)
    first = await one.beat(2, stop=True)
    assert not first.should_shut_down
    assert one.partition().leader == 3
    with trio.fail_after(3):
        while not (await one.beat(2, stop=True)).should_shut_down:
            await one.clock.sleep(0.02)
    assert one.image.brokers[2].fenced


@in_a_world
async def test_others_that_are_slow_to_follow_do_not_hold_up_a_shutdown(one: World) -> None:
    await one.create(2, 3, 4)
    await one.beat(2, stop=True)
    assert not (await one.beat(2, stop=True)).should_shut_down
    await trio.sleep(1.1)
    assert (await one.beat(2, stop=True)).should_shut_down


@in_a_world
async def test_preferred_leaders_are_restored_by_the_clock(one: World) -> None:
    await one.create(2, 3)
    one.nursery.start_soon(one.keep_beating, 3, 4)
    one.break_connection(2)
    await one.register(2)
    await one.beat(2)
    one.nursery.start_soon(one.keep_beating, 2)
    partition = one.partition()
    assert partition.leader == 3
    wish = IsrWish(
        one.image.topics["t"].topic_id,
        0,
        partition.leader_epoch,
        partition.partition_epoch,
        ((3, one.epochs[3]), (2, one.epochs[2])),
    )
    await one.controller.submit(
        lambda image: alter_partitions(image, one.controller.rules, 3, one.epochs[3], [wish])
    )
    with trio.fail_after(6):
        await one.loader.wait_until(lambda image: image.topics["t"].partitions[0].leader == 2)
    assert one.partition().reason.startswith("preferred leader rebalance: ")


@in_a_world
async def test_unregistering_a_broker(one: World) -> None:
    await one.create(2, 3)
    await one.controller.unregister_broker(2)
    assert sorted(one.image.brokers) == [3, 4] and one.partition().leader == 3
    ask = one.controller.unregister_broker
    assert await refused(lambda: ask(2)) is ErrorCode.BROKER_ID_NOT_REGISTERED


@in_a_world
async def test_a_registration_in_the_log_carries_no_guess_of_its_offset(one: World) -> None:
    records = [r for batch in one.quorum.batches for r in decode_records(batch)]
    registrations = [r for r in records if isinstance(r, RegisterBrokerRecord)]
    assert {each.broker_epoch for each in registrations} == {-1}
