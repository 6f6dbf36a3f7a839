"""Followers copy their leaders: sessions, truncation by epoch, ranges, back-off; over real logs."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import Mock

import pytest

from raftka.broker.replication.follower_session import FollowerSession
from raftka.broker.replication.following import Following
from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.records import iter_batches, iter_records
from raftka.net.protocol.messages.fetch import FetchResponse
from raftka.storage.failure import LogDirFailure
from tests.support.data_plane import Broker, World, make_batch
from tests.support.wire import joined

REPLICATED = PartitionImage((1, 2, 3), (1, 2, 3), 1)


def cluster(*views: PartitionImage, **config: str) -> tuple[Broker, Broker, Broker]:
    world = World()
    world.add_topic("logs", *(views or (REPLICATED,)), **config)
    brokers = [Broker(world, broker_id) for broker_id in (1, 2, 3)]
    for broker in brokers:
        broker.publish()
    return brokers[0], brokers[1], brokers[2]


def contents(broker: Broker, index: int = 0) -> list[bytes | None]:
    log = broker.replica("logs", index).log
    found: list[bytes | None] = []
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        data = joined(list(log.read(offset, 1 << 20, log.log_end_offset).pieces))
        for header, batch in iter_batches(data):
            found += [record.value for record in iter_records(batch)]
            offset = header.last_offset + 1
    return found


def test_records_and_the_high_watermark_reach_the_followers() -> None:
    leader, second, third = cluster()
    for value in (b"a", b"b"):
        leader.produce("logs", value)
    for _ in range(3):
        second.copy(leader)
        third.copy(leader)
    assert contents(second) == contents(third) == [b"a", b"b"]
    assert [b.replica("logs").state.high_watermark for b in (leader, second, third)] == [2, 2, 2]


def test_all_partitions_travel_in_one_request() -> None:
    leader, second, _ = cluster(*[REPLICATED] * 20)
    for index in range(20):
        leader.produce_batch("logs", make_batch(b"%d" % index), index=index)
    second.copy(leader)
    assert [contents(second, index) for index in range(20)] == [[b"%d" % i] for i in range(20)]
    acknowledging = second.sessions[1].request()
    assert acknowledging is not None
    assert len(acknowledging.topics[0].partitions) == 20
    leader.ask(acknowledging, 17)
    quiet = leader.replica("logs", 3).state.follower(2)
    assert quiet.log_end_offset == 1


def test_a_quiet_session_names_nothing() -> None:
    leader, second, _ = cluster(*[REPLICATED] * 20)
    second.copy(leader, rounds=2)
    request = second.sessions[1].request()
    assert request is not None
    assert request.session_id != 0
    assert request.topics == []


def test_kip_101_a_follower_does_not_lose_what_its_high_watermark_has_yet_to_cover() -> None:
    leader, second, third = cluster()
    leader.produce("logs", b"a")
    second.copy(leader)
    assert second.replica("logs").state.high_watermark == 0
    again = Broker(leader.world, 2, medium=second.medium)
    again.publish()
    assert contents(again) == [b"a"], "a restart cuts nothing"
    leader.world.change("logs", leader=2, isr=(2, 3))
    again.publish()
    third.publish()
    third.copy(again, rounds=2)
    assert contents(third) == [b"a"]


def test_an_old_leader_gives_up_what_only_it_had() -> None:
    leader, second, third = cluster()
    leader.produce("logs", b"both")
    second.copy(leader)
    third.copy(leader)
    leader.produce("logs", b"lost 1")
    leader.produce("logs", b"lost 2")
    leader.world.change("logs", leader=2, isr=(2, 3))
    for broker in (second, third, leader):
        broker.publish()
    second.produce("logs", b"new")
    leader.copy(second, rounds=4)
    assert contents(leader) == contents(second) == [b"both", b"new"]


def test_who_was_cut_hears_where_the_leaders_log_begins() -> None:
    """The rest of an answer with a divergence is ignored, so the leader must report it again."""
    leader, second, third = cluster()
    for value in (b"a", b"b"):
        leader.produce("logs", value)
    for follower in (second, third):
        follower.copy(leader, rounds=3)
    for value in (b"lost 1", b"lost 2"):
        leader.produce("logs", value)
    leader.world.change("logs", leader=2, isr=(2, 3))
    for broker in (second, third, leader):
        broker.publish()
    second.produce("logs", b"c")
    third.copy(second, rounds=3)
    second.replica("logs").delete_records(3)
    leader.copy(second, rounds=2)
    log = leader.replica("logs").log
    assert (log.log_start_offset, log.log_end_offset) == (3, 3)


def test_kip_279_several_fast_elections() -> None:
    leader, second, third = cluster()
    leader.produce("logs", b"0")
    second.copy(leader)
    third.copy(leader)
    for epoch in range(1, 7):
        # Each leader appends a record that no follower copies before the next is elected.
        chosen = (leader, second, third)[epoch % 3]
        leader.world.change("logs", leader=chosen.id)
        chosen.publish()
        chosen.produce("logs", b"%d" % epoch, b"%d'" % epoch)
    leader.world.change("logs", leader=2)
    for broker in (second, leader, third):
        broker.publish()
    for _ in range(12):
        leader.copy(second)
        third.copy(second)
    assert contents(leader) == contents(third) == contents(second)
    assert contents(second)[0] == b"0"


def test_an_epoch_in_which_nothing_was_written_is_forgotten() -> None:
    leader, second, third = cluster()
    leader.produce("logs", b"a")
    second.copy(leader)
    third.copy(leader)
    leader.world.change("logs", leader=2)
    second.publish()  # leads epoch 1, writes nothing, and no replica learns of it
    leader.world.change("logs", leader=1)
    leader.publish()
    leader.produce("logs", b"b")
    second.publish()
    second.copy(leader, rounds=4)
    assert contents(second) == [b"a", b"b"]
    assert second.replica("logs").log.epochs.entries() == [(0, 0), (2, 1)]


def test_a_follower_that_was_left_behind_starts_anew() -> None:
    leader, second, _ = cluster()
    leader.produce("logs", b"a")
    second.copy(leader)
    leader.world.change("logs", isr=(1,))
    leader.publish()
    for value in (b"b", b"c", b"d"):
        leader.produce("logs", value)
    leader.replica("logs").delete_records(3)
    second.copy(leader)
    find_lost(second, leader)
    second.copy(leader, rounds=2)
    assert contents(second) == [b"d"]
    log = second.replica("logs").log
    assert (log.log_start_offset, log.log_end_offset) == (3, 4)


def find_lost(follower: Broker, leader: Broker) -> None:
    """The fetch loop's use of ListOffsets."""
    session = follower.sessions[leader.id]
    starts, ends = {}, {}
    for following in session.lost.values():
        name = following.replica.topic_partition
        log = leader.replica(*name).log
        starts[name], ends[name] = log.log_start_offset, log.log_end_offset
    session.found(starts, ends, follower.clock.now_s, follower.clock.now_ms)


def test_an_unclean_leader_cuts_the_others() -> None:
    leader, second, third = cluster()
    for value in (b"a", b"b"):
        leader.produce("logs", value)
    second.copy(leader)
    leader.world.change("logs", leader=3, isr=(3,))
    for broker in (third, second):
        broker.publish()
    third.produce("logs", b"x")
    second.copy(third)
    find_lost(second, third)
    second.copy(third, rounds=4)
    assert contents(second) == contents(third) == [b"x"]


def test_a_refused_partition_is_left_alone_for_a_while_and_longer_each_time() -> None:
    leader, second, _ = cluster()
    leader.world.change("logs", leader=1)
    second.publish()  # the leader does not know its new epoch yet
    session: FollowerSession = second.sessions[1]
    second.copy(leader)
    first_s = session.retry(second.clock.now_s)
    assert 0 < first_s < 0.05
    second.clock.advance(first_s)
    second.copy(leader)
    assert session.retry(second.clock.now_s) > first_s
    leader.publish()
    leader.produce("logs", b"a")
    second.clock.advance(1.0)
    second.copy(leader)
    assert contents(second) == [b"a"]


def test_a_session_that_the_leader_forgot_begins_anew() -> None:
    leader, second, _ = cluster()
    second.copy(leader)
    leader.disconnect()
    session = second.sessions[1]
    try:
        second.copy(leader)
    except KafkaError as error:
        assert error.code is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    session.restart()
    leader.produce("logs", b"a")
    second.copy(leader)
    assert contents(second) == [b"a"]


def test_a_leader_without_room_for_sessions_is_told_everything_each_time() -> None:
    world = World()
    world.add_topic("logs", REPLICATED)
    leader = Broker(world, 1, max_incremental_fetch_session_cache_slots="0")
    second = Broker(world, 2)
    leader.publish()
    second.publish()
    for value in (b"a", b"b", b"c"):
        leader.produce("logs", value)
        second.copy(leader)
    assert contents(second) == [b"a", b"b", b"c"]
    assert second.sessions[1].session_id == 0


def test_an_answer_to_an_earlier_request_than_the_last_is_not_taken() -> None:
    leader, second, _ = cluster()
    second.copy(leader)
    session = second.sessions[1]
    first = session.request()
    assert first is not None
    held = leader.ask(first, 17)
    leader.world.change("logs", leader=1)
    leader.publish()
    second.publish()
    assert session.has_news
    assert session.request() is not None
    session.answered(held.message, 0.0, 0)
    assert session.retry(0.0) == float("inf"), "the old epoch's refusal says nothing now"


@pytest.mark.parametrize("offline", [False, True])
def test_marks_of_an_answer_to_an_earlier_request_are_taken(
    monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    """Seed 30001651: the leader had sent the high watermark, and did not send it again."""
    view = replace(REPLICATED, isr=(1, 3))
    leader, second, third = cluster(view, view)
    leader.world.brokers[2] = replace(leader.world.brokers[2], fenced=True)
    leader.publish()  # No leader adds the second to the ISR: the high watermark is the third's.
    second.copy(leader)
    leader.produce("logs", b"a")
    session = second.sessions[1]
    first = session.request()
    assert first is not None
    answer = leader.ask(first, 17)
    session.tell_again(TopicPartition("logs", 1))
    beside = session.request()
    assert beside is not None
    third.copy(leader, rounds=3)
    later = leader.ask(beside, 17)
    session.answered(answer.message, second.clock.now_s, second.clock.now_ms)
    assert contents(second) == [b"a"]
    assert second.replica("logs").state.high_watermark == 0
    assert session.request() is not None, "with what it has now it asks for what follows"
    if offline:
        monkeypatch.setattr(Following, "heard", Mock(side_effect=LogDirFailure("/d", "gone")))
    session.answered(later.message, second.clock.now_s, second.clock.now_ms)
    assert second.replica("logs").state.high_watermark == (0 if offline else 1)


def test_corrupt_records_are_not_stored() -> None:
    leader, second, _ = cluster()
    leader.produce("logs", b"a")
    session = second.sessions[1]
    request = session.request()
    assert request is not None
    response: FetchResponse = leader.ask(request, 17).message
    (topic,) = response.responses
    (partition,) = topic.partitions
    assert partition.records is not None
    assert not isinstance(partition.records, list)
    partition.records = bytes(partition.records)[:-1] + b"\xff"
    session.answered(response, 0.0, 0)
    assert contents(second) == []
    assert session.retry(0.0) < 1.0
    second.clock.advance(1.0)
    second.copy(leader)
    assert contents(second) == [b"a"]


def test_another_leader_takes_over_where_the_last_one_left_off() -> None:
    leader, second, third = cluster()
    leader.produce("logs", b"a")
    for _ in range(2):
        second.copy(leader)
        third.copy(leader)
    leader.world.change("logs", leader=2, isr=(2, 3))
    second.publish()
    third.publish()
    assert third.sessions[1].following == {}
    second.produce("logs", b"b")
    third.copy(second, rounds=2)
    assert contents(third) == [b"a", b"b"]
    assert second.replica("logs").state.high_watermark == 2


def test_a_partition_without_a_leader_is_copied_from_nobody() -> None:
    leader, second, _ = cluster()
    leader.world.topics["logs"] = replace(
        leader.world.topics["logs"],
        partitions=[replace(REPLICATED, leader=-1, leader_epoch=1, partition_epoch=1)],
    )
    second.publish()
    assert second.sessions[1].following == {}
