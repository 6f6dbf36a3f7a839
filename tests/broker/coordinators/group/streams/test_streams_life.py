"""Members of a streams group join, work, leave and die; each task has one owner at any time."""

from __future__ import annotations

import random

import pytest

from raftka.broker.coordinators.group.any_group import Committing, GroupType
from raftka.broker.coordinators.group.kinds import kind
from raftka.broker.coordinators.group.streams import log as written
from raftka.broker.coordinators.group.streams.group import StreamsGroup
from raftka.broker.coordinators.group.streams.topology import StatusCode
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule
from raftka.net.protocol.messages.streams_group_heartbeat import (
    Endpoint,
    StreamsGroupHeartbeatRequest,
    TaskIds,
)
from raftka.simulations.load.streams_member import StreamsMember, TopologyText
from tests.support.groups import GROUP
from tests.support.streams_groups import CHANGELOG, SESSION_S, StreamsWorld

ALL = {("0", index) for index in range(4)}


def refusal(world: StreamsWorld, request: StreamsGroupHeartbeatRequest) -> tuple[ErrorCode, str]:
    with pytest.raises(KafkaError) as caught:
        world.send(request)
    return caught.value.code, caught.value.message


def test_the_first_member_runs_everything() -> None:
    world = StreamsWorld()
    one = world.member("m1")
    world.quiet()
    assert world.owners() == dict.fromkeys(ALL, "m1")
    assert world.streams.state_name == "Stable"
    shown = world.shown().topology
    assert shown is not None and shown.subtopologies is not None
    assert shown.subtopologies[0].state_changelog_topics[0].partitions == 4
    assert (one.epoch, world.streams.epoch) == (2, 2)


def test_a_second_member_takes_half_when_the_first_has_given_it_back() -> None:
    world = StreamsWorld()
    world.member("m1")
    world.quiet()
    two = world.member("m2")
    world.hear(two)
    assert not two.tasks, "the first has not given anything back"
    world.quiet()
    assert len(two.owned["active"]) == 2
    assert set(world.owners()) == ALL
    assert not world.violations


def test_the_first_assignment_waits_for_more_members() -> None:
    world = StreamsWorld(delay_ms=3000)
    one = world.member("m1")
    beat = world.hear(one)
    assert beat is not None
    assert one.epoch == 1
    status = [(each.status_code, each.status_detail) for each in beat.response.status or ()]
    words = "Assignment delayed due to the configured initial rebalance delay."
    assert status == [(StatusCode.ASSIGNMENT_DELAYED, words)]
    world.pass_time(3.5)
    world.quiet()
    assert one.owned["active"] == ALL


def test_who_leaves_leaves_its_tasks_to_the_others() -> None:
    world = StreamsWorld()
    one, two = world.member("m1"), world.member("m2")
    world.quiet()
    world.bye(one)
    world.quiet()
    assert two.owned["active"] == ALL


def test_who_is_silent_for_a_session_is_out() -> None:
    world = StreamsWorld()
    one, two = world.member("m1"), world.member("m2")
    world.quiet()
    world.members.remove(one)
    for _ in range(int(SESSION_S) + 2):
        world.pass_time(1)
        world.hear(two)
    assert two.owned["active"] == ALL
    assert not world.violations
    world.members.append(one)
    world.hear(one)
    assert one.errors == [ErrorCode.UNKNOWN_MEMBER_ID]
    world.quiet()
    assert set(world.owners()) == ALL and one.tasks


def test_copies_of_state_are_on_other_processes() -> None:
    world = StreamsWorld(standby_replicas=1)
    world.member("m1", "p1"), world.member("m2", "p1"), world.member("m3", "p2")
    world.quiet()
    processes = {each.member_id: each.process_id for each in world.members}
    assert set(world.copies()) == ALL
    for task, on in world.copies().items():
        assert len(on) == 1 and processes[world.owners()[task]] not in on
    assert not world.violations


def test_a_group_has_its_own_number_of_copies() -> None:
    world = StreamsWorld()
    world.member("m1"), world.member("m2")
    world.quiet()
    assert not world.copies()
    world.configure("streams.num.standby.replicas", "1")
    world.quiet()
    assert set(world.copies()) == ALL
    assert world.streams.assignment_configs == {"num.standby.replicas": "1"}


def test_a_topic_that_grows_brings_tasks() -> None:
    world = StreamsWorld({"t": 2}, topology=TopologyText({"0": ("t",)}))
    world.member("m1")
    world.quiet()
    world.grow_topic("t", 5)
    world.quiet()
    assert len(world.owners()) == 5


def test_internal_topics_that_are_missing_are_asked_for() -> None:
    world = StreamsWorld({"t": 4})
    one = world.member("m1")
    beat = world.hear(one)
    assert beat is not None
    assert [(topic.name, topic.partitions) for topic in beat.missing] == [(CHANGELOG, 4)]
    assert world.streams.state_name == "NotReady"
    assert CHANGELOG in world.shown().not_ready
    world.create_topic(CHANGELOG, 4)
    world.quiet()
    assert one.owned["active"] == ALL
    assert world.shown().not_ready == ""
    world.delete_topic("t")
    beat = world.hear(one)
    assert beat is not None and beat.response.status is not None
    assert beat.response.status[0].status_code == StatusCode.MISSING_SOURCE_TOPICS
    world.quiet()
    assert not one.tasks


def test_what_is_refused_leaves_no_trace() -> None:
    world = StreamsWorld()
    one = world.member("m1")
    request = one.request()
    request.rebalance_timeout = -1
    words = "RebalanceTimeoutMs must be provided in first request."
    assert refusal(world, request) == (ErrorCode.INVALID_REQUEST, words)
    request = one.request()
    request.active_tasks = None
    words = "ActiveTasks must be empty when (re-)joining."
    assert refusal(world, request) == (ErrorCode.INVALID_REQUEST, words)
    assert not world.shard.core.groups
    world.quiet()
    request = one.request()
    request.active_tasks = [TaskIds(subtopology_id="0", partitions=[9])]
    code, words = refusal(world, request)
    assert code is ErrorCode.INVALID_REQUEST and "Number of tasks for this subtopology: 4" in words
    other = StreamsMember(GROUP, "m9", "p9", TopologyText({"0": ("u",)}), world)
    words = "Topology updates are not supported yet."
    assert refusal(world, other.request()) == (ErrorCode.INVALID_REQUEST, words)
    stranger = StreamsMember("other", "m9", "p9", world.topology, world, epoch=3)
    assert refusal(world, stranger.request()) == (
        ErrorCode.GROUP_ID_NOT_FOUND,
        "Streams group other not found.",
    )


def test_a_member_of_an_earlier_epoch_is_fenced_unless_its_answer_was_lost() -> None:
    world = StreamsWorld()
    one = world.member("m1")
    world.quiet()
    lost = one.request()
    world.member("m2")
    world.hear(world.members[1])
    world.send(lost)  # It revokes two tasks now.
    late = one.request()
    late.member_epoch = 1
    assert refusal(world, late)[0] is ErrorCode.FENCED_MEMBER_EPOCH


def test_a_static_member_keeps_its_tasks() -> None:
    world = StreamsWorld()
    one, two = world.member("m1", "p1", instance_id="i1"), world.member("m2")
    world.quiet()
    mine = set(one.owned["active"])
    again = StreamsMember(GROUP, "m3", "p1", world.topology, world, instance_id="i1")
    assert refusal(world, again.request())[0] is ErrorCode.UNRELEASED_INSTANCE_ID
    world.bye(one, -2)
    world.quiet()
    assert not two.owned["active"] & mine
    world.members.append(again)
    world.quiet()
    assert again.owned["active"] == mine
    assert not world.violations


def test_a_member_that_takes_a_static_ones_place_leaves_its_own_tasks_to_the_others() -> None:
    world = StreamsWorld()
    one, static = world.member("m1"), world.member("m2", instance_id="i1")
    other = world.member("m3")
    world.quiet()
    world.bye(static, -2)
    one.fenced()
    one.instance_id = "i1"
    world.quiet()
    assert one.tasks | other.tasks == ALL and not one.tasks & other.tasks
    for group in (world.streams, world.replayed().core.groups[GROUP]):
        assert isinstance(group, StreamsGroup)
        assert set(group.members) == {"m1", "m3"} and group.static_members == {"i1": "m1"}
        assert {task for task in ALL if group.is_run(task)} == ALL
        for mine in (one, other):
            assert set(group.members[mine.member_id].assigned.tasks().active["0"]) == {
                partition for _, partition in mine.owned["active"]
            }
    assert not world.violations
    world.bye(other)
    world.quiet()
    assert one.owned["active"] == ALL


def test_endpoints_are_told_when_they_change() -> None:
    world = StreamsWorld()
    request = world.member("m1").request()
    request.user_endpoint = Endpoint(host="h", port=1)
    world.members[0].answered(world.send(request).response)
    world.members[0].work()
    world.quiet()
    request = world.members[0].request()
    answer = world.send(request).response
    assert answer.partitions_by_user_endpoint is not None
    (told,) = answer.partitions_by_user_endpoint
    assert (told.user_endpoint.host, told.active_partitions[0].partitions) == ("h", [0, 1, 2, 3])
    request.endpoint_information_epoch = answer.endpoint_information_epoch
    assert world.send(request).response.partitions_by_user_endpoint is None


def test_an_application_stops_as_a_whole() -> None:
    world = StreamsWorld()
    one, two = world.member("m1"), world.member("m2")
    world.quiet()
    request = one.request()
    request.shutdown_application = True
    world.send(request)
    beat = world.hear(two)
    assert beat is not None
    codes = [each.status_code for each in beat.response.status or ()]
    assert codes == [StatusCode.SHUTDOWN_APPLICATION]


def test_client_tags_that_are_missing_are_named() -> None:
    world = StreamsWorld(rack_aware_tags=("zone",))
    one = world.member("m1")
    world.quiet()
    status = world.send(one.request()).response.status or ()
    assert [each.status_code for each in status] == [StatusCode.MISSING_CLIENT_TAGS]
    assert not world.send(one.request(), version=0).response.status


def _commit(world: StreamsWorld, member: StreamsMember, epoch: int, topic: str, at: int) -> int:
    group = world.streams
    by = Committing(member.member_id, None, epoch, version=9)
    fence = kind(group.type).check_commit(world.shard.core, group, by, world.now)
    return ErrorCode.NONE if fence is None else fence(topic, at)


def test_commits_are_fenced_by_epoch_and_by_task() -> None:
    world = StreamsWorld()
    one = world.member("m1")
    world.quiet()
    early = one.epoch
    two = world.member("m2")
    world.quiet()
    ((_, kept), *_), ((_, lost), *_) = sorted(one.owned["active"]), sorted(two.owned["active"])
    assert one.epoch > early
    assert _commit(world, one, one.epoch, "t", kept) == ErrorCode.NONE
    assert _commit(world, one, early, "t", kept) == ErrorCode.NONE, "it has it since before"
    assert _commit(world, one, early, "t", lost) == ErrorCode.STALE_MEMBER_EPOCH
    assert _commit(world, one, early, "other", 0) == ErrorCode.STALE_MEMBER_EPOCH
    for epoch, name, code in (
        (one.epoch + 1, "m1", ErrorCode.STALE_MEMBER_EPOCH),
        (1, "nobody", ErrorCode.UNKNOWN_MEMBER_ID),
    ):
        with pytest.raises(KafkaError) as caught:
            _commit(world, StreamsMember(GROUP, name, "p", world.topology, world), epoch, "t", 0)
        assert caught.value.code is code


def test_the_next_coordinator_goes_on() -> None:
    world = StreamsWorld(standby_replicas=1)
    world.member("m1"), world.member("m2", instance_id="i2")
    world.quiet()
    before, epoch = world.owners(), world.streams.epoch
    world.fail_over()
    world.quiet()
    assert (world.owners(), world.streams.epoch) == (before, epoch)
    world.member("m3")
    world.hear(world.members[0])
    world.fail_over()
    world.quiet()
    assert set(world.owners()) == ALL and world.members[2].tasks
    assert not world.violations


def test_an_empty_group_can_be_deleted_and_a_classic_one_replaces_it() -> None:
    world = StreamsWorld()
    one = world.member("m1")
    world.quiet()
    with pytest.raises(KafkaError, match="has members"):
        world.shard.delete_group(GROUP)
    world.bye(one)
    assert world.streams.state_name == "Empty"
    world.shard.delete_group(GROUP)
    world.settle()
    assert not world.replayed().core.groups


def test_an_application_changes_its_protocol_while_none_of_it_runs() -> None:
    world = StreamsWorld()
    old, _ = world.new_member()
    world.advance(3000)
    one = world.member("m1")
    assert refusal(world, one.request()) == (
        ErrorCode.GROUP_ID_NOT_FOUND,
        f"Group {GROUP} is not a streams group.",
    )
    world.leave(old)
    assert world.commit(7) is ErrorCode.NONE
    world.quiet()
    assert one.owned["active"] == ALL
    assert world.join("stranger").error is not ErrorCode.NONE
    world.bye(one)
    assert world.new_member()[1].error in (None, ErrorCode.NONE)
    for shard in (world.shard, world.replayed()):
        assert shard.core.groups[GROUP].type is GroupType.CLASSIC
        assert shard.core.offsets[GROUP]["access"][0].offset == 7


def test_records_of_an_end_are_in_kafkas_order() -> None:
    world = StreamsWorld()
    world.member("m1")
    world.quiet()
    keys = [int.from_bytes(key[:2], "big") for key, _ in written.tombstones(world.streams)]
    assert keys == [22, 21, 19, 20, 17, 23]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_each_task_has_one_owner(seed: int) -> None:
    world = chaos(seed)
    assert not world.violations
    world.member("last")
    world.quiet(130)
    assert set(world.owners()) == ALL
    assert not world.checker.idle(ALL)
    assert world.checker.taken > 10


@pytest.mark.parametrize(
    "rule", [Rule.ONE_OWNER_PER_TASK, Rule.REVOKED_IS_CONFIRMED, Rule.TASK_ONCE_PER_PROCESS]
)
def test_a_rule_that_is_left_out_is_noticed(rule: Rule) -> None:
    assert any(chaos(seed, rule).violations for seed in range(40))


def chaos(seed: int, *rules_off: Rule) -> StreamsWorld:
    """Members of three processes come, go, die, are slow, and the coordinator moves."""
    dice = random.Random(seed)
    world = StreamsWorld(rules_off=frozenset(rules_off), standby_replicas=1)
    for step in range(120):
        world.pass_time(dice.random())
        chance = dice.random()
        if not world.members or (chance < 0.1 and len(world.members) < 6):
            world.member(f"m{step}", f"p{dice.randrange(3)}")
        elif chance < 0.15:
            if (leaver := dice.choice(world.members)).epoch > 0:
                world.bye(leaver)
        elif chance < 0.18:
            dead = dice.choice(world.members)
            world.members.remove(dead)
        elif chance < 0.2:
            world.fail_over()
        elif chance < 0.3:
            # Its answer is lost.
            member = dice.choice(world.members)
            try:
                world.send(member.request())
            except KafkaError:
                member.fenced()
        else:
            world.hear(dice.choice(world.members))
    assert isinstance(world.streams, StreamsGroup)
    return world
