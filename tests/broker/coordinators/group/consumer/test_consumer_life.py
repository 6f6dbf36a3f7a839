"""Members of consumer groups: joins, epochs, fencing, sessions, leaving (KIP-848)."""

from __future__ import annotations

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from tests.support.consumer_groups import Client, ConsumerWorld, config, settle


def anywhere(topic: str, partition: int) -> bytes:
    """Commits of any partition are possible."""
    return bytes(16)


def pair(world: ConsumerWorld) -> tuple[Client, Client]:
    """Two members that share six partitions."""
    one, two = Client(world, "m1"), Client(world, "m2")
    settle(one)
    settle(one, two)
    return one, two


def test_the_first_member_gets_everything_at_once() -> None:
    world = ConsumerWorld()
    one = Client(world, "m1")
    answer = one.beat()
    assert (answer.member_id, answer.member_epoch) == ("m1", 1)
    assert one.owned == {"t": {0, 1, 2, 3, 4, 5}}
    assert world.described().group_state == "Stable"
    world.log_is_true()


def test_a_second_member_gets_what_the_first_has_given_back() -> None:
    world = ConsumerWorld()
    one, two = Client(world, "m1"), Client(world, "m2")
    one.beat()
    world.advance(1000)
    two.beat()
    assert two.owned == {}
    assert (two.epoch, world.described().group_state) == (2, "Reconciling")
    one.beat(full=False)
    assert (one.epoch, len(one.owned["t"])) == (1, 3), "the epoch waits for the revocation"
    two.beat(full=False)
    assert two.owned == {}
    one.beat()
    assert one.epoch == 2
    two.beat(full=False)
    assert one.owned["t"] | two.owned["t"] == {0, 1, 2, 3, 4, 5}
    assert world.described().group_state == "Stable"
    world.log_is_true()


def test_a_member_that_says_nothing_of_partitions_has_not_given_back() -> None:
    world = ConsumerWorld()
    one, two = Client(world, "m1"), Client(world, "m2")
    one.beat()
    world.advance(1000)
    two.beat()
    for _ in range(3):
        one.beat(full=False)
        two.beat(full=False)
    assert (one.epoch, two.owned) == (1, {})


def test_who_does_not_give_back_in_time_is_fenced() -> None:
    world = ConsumerWorld()
    one, two = Client(world, "m1", fields={"rebalance_timeout": 8_000}), Client(world, "m2")
    one.beat()
    world.advance(1000)
    two.beat()
    one.beat(full=False)
    for _ in range(7):
        world.advance(1000)
        world.beat("m1", 1)
    world.advance(1000)
    assert world.refusal("m1", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    world.advance(1000)
    two.beat()
    assert len(two.owned["t"]) == 6
    world.log_is_true()


def test_a_silent_member_is_out_after_its_session() -> None:
    world = ConsumerWorld()
    one, two = pair(world)
    for _ in range(43):
        world.advance(1000)
        one.beat()
    assert len(world.described().members) == 2
    world.advance(2000)
    settle(one)
    assert len(one.owned["t"]) == 6
    assert world.refusal("m2", two.epoch) is ErrorCode.UNKNOWN_MEMBER_ID
    two.fenced()
    settle(one, two)
    world.log_is_true()


def test_leaving_frees_the_partitions_at_once() -> None:
    world = ConsumerWorld()
    one, two = pair(world)
    two.leave()
    one.beat()
    assert len(one.owned["t"]) == 6
    one.leave()
    assert world.described().group_state == "Empty"
    world.log_is_true()


@pytest.mark.parametrize("epoch", [1, 3, 99])
def test_another_epoch_is_fenced(epoch: int) -> None:
    world = ConsumerWorld()
    one, two = pair(world)
    assert (one.epoch, two.epoch) == (2, 2)
    assert world.refusal("m1", epoch) is ErrorCode.FENCED_MEMBER_EPOCH


def test_the_epoch_before_is_accepted_from_who_has_no_more_than_its_share() -> None:
    world = ConsumerWorld()
    one, _ = pair(world)
    assert world.beat("m1", 1, ("t",), one.owned, rebalance_timeout=60_000).member_epoch == 2
    everything = {"t": range(6)}
    assert world.refusal("m1", 1, ("t",), everything) is ErrorCode.FENCED_MEMBER_EPOCH


def test_a_member_that_joins_again_keeps_its_share() -> None:
    world = ConsumerWorld()
    one, two = pair(world)
    before = one.owned
    one.fenced()
    one.beat()
    assert (one.owned, one.epoch) == (before, 2)
    two.beat(full=False)
    assert two.epoch == 2


def test_what_is_refused_leaves_no_trace() -> None:
    world = ConsumerWorld()
    assert world.refusal("m1", 3) is ErrorCode.GROUP_ID_NOT_FOUND
    assert world.refusal("m1", -1) is ErrorCode.GROUP_ID_NOT_FOUND
    refused = world.refusal("m1", server_assignor="sticky")
    assert refused is ErrorCode.UNSUPPORTED_ASSIGNOR
    assert world.refusal("m1", subscribed_topic_regex="a(") is ErrorCode.INVALID_REGULAR_EXPRESSION
    assert world.shard.core.groups == {}
    assert world.records == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"group": ""}, "GroupId"),
        ({"member_id": ""}, "MemberId"),
        ({"instance_id": ""}, "InstanceId"),
        ({"rack_id": ""}, "RackId"),
        ({"epoch": -3}, "MemberEpoch"),
        ({"epoch": -2}, "InstanceId"),
        ({"rebalance_timeout": -1}, "RebalanceTimeoutMs"),
        ({"owned": {"t": [1]}}, "TopicPartitions"),
        ({"member_id": "m" * 40_000}, "bytes"),
    ],
)
def test_what_cannot_be_a_heartbeat_is_refused_in_words(fields: dict, words: str) -> None:  # type: ignore[type-arg]
    world = ConsumerWorld()
    with pytest.raises(KafkaError, match=words) as refused:
        world.beat(**fields)
    assert refused.value.code is ErrorCode.INVALID_REQUEST


def test_version_0_is_given_a_member_id() -> None:
    world = ConsumerWorld()
    assert world.beat("", version=0).member_id == "0001"


def test_the_group_is_full() -> None:
    world = ConsumerWorld(**config(max_size=1))
    world.beat("m1")
    assert world.refusal("m2") is ErrorCode.GROUP_MAX_SIZE_REACHED
    world.beat("m1", 1)


def test_after_a_failover_the_group_goes_on() -> None:
    world = ConsumerWorld()
    one, two = Client(world, "m1"), Client(world, "m2")
    one.beat()
    world.advance(1000)
    two.beat()
    one.beat(full=False)
    world.fail_over()
    settle(one, two)
    assert len(one.owned["t"]) == len(two.owned["t"]) == 3
    world.fail_over()
    world.advance(46_000)
    assert world.described().group_state == "Empty", "nobody came: sessions run from the load"


def test_an_administrator_takes_a_member_out() -> None:
    """By LeaveGroup, as of a classic group."""
    world = ConsumerWorld()
    one, two = pair(world)
    assert world.leave("m2") is ErrorCode.NONE
    assert world.leave("m2") is ErrorCode.UNKNOWN_MEMBER_ID
    one.beat()
    assert len(one.owned["t"]) == 6
    assert world.refusal("m2", two.epoch) is ErrorCode.UNKNOWN_MEMBER_ID


# ---- static members (KIP-345)


def test_a_static_member_that_comes_back_has_its_share_and_nobody_moves() -> None:
    world = ConsumerWorld()
    static = Client(world, "s1", fields={"instance_id": "i"})
    other = Client(world, "m2")
    settle(static)
    settle(static, other)
    share, epoch = static.owned, static.epoch
    static.leave(-2)
    world.advance(20_000)
    other.beat()
    assert len(other.owned["t"]) == 3
    back = Client(world, "s2", fields={"instance_id": "i"})
    back.beat()
    assert (back.owned, back.epoch) == (share, epoch)
    assert world.group().epoch == epoch
    refused = world.refusal("s1", epoch, instance_id="i")
    assert refused is ErrorCode.FENCED_INSTANCE_ID
    world.log_is_true()
    world.fail_over()
    settle(back, other)


def test_a_member_that_takes_a_static_ones_place_leaves_its_own_share_to_the_others() -> None:
    world = ConsumerWorld()
    one, other = Client(world, "m1"), Client(world, "m3")
    static = Client(world, "s1", fields={"instance_id": "i"})
    settle(one, other, static)
    static.leave(-2)
    one.epoch, one.owned, one.fields = 0, {}, {"instance_id": "i"}
    settle(one, other)
    assert one.owned["t"] | other.owned["t"] == set(range(6))
    assert not one.owned["t"] & other.owned["t"]
    assert world.group().static_members == {"i": "m1"}
    world.log_is_true()


def test_a_member_that_joins_again_with_an_instance_id_of_its_own_stays_one_member() -> None:
    world = ConsumerWorld()
    one, other = Client(world, "m1"), Client(world, "m2")
    settle(one, other)
    one.epoch, one.owned, one.fields = 0, {}, {"instance_id": "i"}
    settle(one, other)
    assert one.owned["t"] | other.owned["t"] == set(range(6))
    assert world.group().members["m1"].says.instance_id == "i"
    assert world.group().static_members == {"i": "m1"}
    world.log_is_true()


def test_an_instance_id_that_is_in_use_is_not_taken_over() -> None:
    world = ConsumerWorld()
    Client(world, "s1", fields={"instance_id": "i"}).beat()
    assert world.refusal("s2", instance_id="i") is ErrorCode.UNRELEASED_INSTANCE_ID
    assert world.refusal("s2", 1, instance_id="other") is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.refusal("s2", -1, instance_id="i") is ErrorCode.FENCED_INSTANCE_ID


def test_a_static_member_that_does_not_come_back_is_out_after_its_session() -> None:
    world = ConsumerWorld()
    static = Client(world, "s1", fields={"instance_id": "i"})
    static.beat()
    static.leave(-2)
    world.advance(46_000)
    assert world.described().group_state == "Empty"
    world.log_is_true()


def test_a_static_member_that_leaves_for_good_is_out_at_once() -> None:
    world = ConsumerWorld()
    static = Client(world, "s1", fields={"instance_id": "i"})
    static.beat()
    static.leave(-1)
    assert world.described().group_state == "Empty"


# ---- settings


def test_a_groups_own_settings_hold() -> None:
    world = ConsumerWorld()
    world.configure("consumer.session.timeout.ms", "50000")
    world.configure("consumer.heartbeat.interval.ms", "7000")
    one = Client(world, "m1")
    one.beat()
    assert one.interval_ms == 7000
    world.advance(46_000)
    assert world.described().group_state == "Stable"
    world.advance(5_000)
    assert world.described().group_state == "Empty"


def test_members_are_told_short_intervals_while_they_are_few_and_nobody_has_set_one() -> None:
    world = ConsumerWorld()
    one = Client(world, "m1")
    one.beat()
    assert one.interval_ms == 500
    fixed = ConsumerWorld(**config(heartbeat_interval_ms=6000, heartbeat_interval_is_set=True))
    assert fixed.beat("m1").heartbeat_interval == 6000


# ---- offsets


def test_commits_are_fenced_by_the_members_epoch() -> None:
    world = ConsumerWorld()
    one, two = pair(world)
    mine, theirs = min(one.owned["t"]), min(two.owned["t"])

    def commit(partition: int, epoch: int, member_id: str = "m1", version: int = 9) -> ErrorCode:
        return world.commit(
            1, topic="t", partition=partition, member_id=member_id, generation=epoch,
            version=version, find=anywhere,
        )  # fmt: skip

    assert commit(mine, 2) is ErrorCode.NONE
    assert commit(mine, 1) is ErrorCode.NONE, "it has had that since epoch 1 (KIP-1251)"
    assert commit(theirs, 1) is ErrorCode.STALE_MEMBER_EPOCH
    assert commit(mine, 3) is ErrorCode.STALE_MEMBER_EPOCH
    assert commit(mine, -1, "") is ErrorCode.UNKNOWN_MEMBER_ID
    assert commit(mine, 2, "who") is ErrorCode.UNKNOWN_MEMBER_ID
    assert commit(mine, 2, version=8) is ErrorCode.UNSUPPORTED_VERSION
    world.shard.check_fetching("payroll", None, -1)
    world.shard.check_fetching("payroll", "m1", 2)
    with pytest.raises(KafkaError) as stale:
        world.shard.check_fetching("payroll", "m1", 1)
    assert stale.value.code is ErrorCode.STALE_MEMBER_EPOCH


def test_an_empty_group_takes_commits_of_anybody_and_expires_with_its_offsets() -> None:
    world = ConsumerWorld(offsets_retention_ms=1_000_000)
    one = Client(world, "m1")
    one.beat()
    one.leave()
    assert world.commit(1, topic="t", find=anywhere) is ErrorCode.NONE
    world.advance(900_000)
    assert "payroll" in world.shard.core.groups
    world.advance(900_000)
    assert world.shard.core.groups == {}
    world.log_is_true()


# ---- kinds


def test_an_empty_classic_group_becomes_a_consumer_group_and_back() -> None:
    world = ConsumerWorld()
    assert world.commit(7, topic="t", find=anywhere) is ErrorCode.NONE
    one = Client(world, "m1")
    one.beat()
    assert world.group().type.value == "consumer"
    one.leave()
    world.new_member()
    assert world.state() == "PreparingRebalance"
    assert world.refusal("m1", 1) is ErrorCode.GROUP_ID_NOT_FOUND
    listed = world.shard.list_groups((), {"classic"})
    assert [each.group_id for each in listed] == ["payroll"]
