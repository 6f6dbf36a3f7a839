"""`raftka groups why`: what a group waits for."""

from __future__ import annotations

from dataclasses import replace

from raftka.client.admin import (
    GroupDescription,
    GroupMember,
    PartitionDescription,
    ShareOffset,
    StreamsAssignment,
    StreamsGroupDescription,
    StreamsGroupMember,
    Subtopology,
    TopicDescription,
)
from raftka.client.metadata import Broker
from raftka.client.tools import share_reasons, streams_reasons
from raftka.client.tools.group_reasons import Positions, explain, explain_coordinator
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition

AT = Broker(1, "localhost", 9092)


def places(*partitions: int) -> tuple[TopicPartition, ...]:
    return tuple(TopicPartition("t", index) for index in partitions)


def member(name: str, has: tuple[int, ...], target: tuple[int, ...], epoch: int) -> GroupMember:
    return GroupMember(name, None, "c", "/h", places(*has), epoch, places(*target))


def group(state: str, *members: GroupMember, epoch: int | None = 5) -> GroupDescription:
    target_epoch = None if epoch is None else epoch - (state == "Assigning")
    return GroupDescription("g", state, "consumer", "uniform", members, AT, epoch, target_epoch)


def said(described: GroupDescription, positions: Positions | None = None) -> str:
    return "\n".join(explain(described, positions or Positions({}, {})))


def test_who_must_give_back_and_who_waits_for_it() -> None:
    words = said(group("Reconciling", member("a", (0, 1), (0,), 4), member("b", (), (1, 2), 5)))
    assert "g is Reconciling: 2 members, in epoch 5." in words
    assert "a (c/h) still has t-1, which it must give back" in words
    assert "b (c/h) waits for t-1, which a (c/h) still has." in words
    assert "b (c/h) gets t-2 with its next heartbeat." in words


def test_a_group_that_has_read_all() -> None:
    positions = Positions(dict.fromkeys(places(0), 7), dict.fromkeys(places(0), 7))
    words = said(group("Stable", member("a", (0,), (0,), 5)), positions)
    assert "waits for nothing but records" in words


def test_lag_is_never_negative_and_names_the_worst() -> None:
    zero, one = places(0, 1)
    positions = Positions({zero: 9, one: 5}, {zero: 4, one: 105})
    assert positions.behind(zero) == 0
    words = said(group("Stable", member("a", (0, 1), (0, 1), 5)), positions)
    assert "a (c/h) is 100 records behind, most of all in t-1 (100)." in words


def test_other_states() -> None:
    assert "it has none that reads" in said(group("Empty"))
    assert "every consumer.assignment.interval.ms" in said(group("Assigning"))
    assert "joined again" in said(group("PreparingRebalance", epoch=None))
    behind = member("a", (0,), (0,), 4)
    assert "has not heard of epoch 5" in said(group("Reconciling", behind))
    positions = Positions(dict.fromkeys(places(3), 1), dict.fromkeys(places(3), 2))
    assert "No member has t-3" in said(group("Stable", member("a", (0,), (0,), 5)), positions)


def classic(name: str, *, awaited: bool) -> GroupMember:
    return GroupMember(name, None, "c", "/h", (), awaited=awaited)


def test_the_members_that_a_rebalance_waits_for_are_named() -> None:
    members = classic("a", awaited=False), classic("b", awaited=True), classic("c", awaited=True)
    words = said(group("PreparingRebalance", *members, epoch=None))
    assert "It waits for b (c/h), c (c/h) to join again" in words
    words = said(group("CompletingRebalance", *members[:2], epoch=None))
    assert "It waits for b (c/h) to sync, the leader among them with the assignment." in words


def test_brokers_that_name_no_members_are_explained_by_the_state() -> None:
    joined = classic("a", awaited=False)
    words = said(group("PreparingRebalance", joined, epoch=None))
    assert "group.initial.rebalance.delay.ms" in words
    words = said(group("CompletingRebalance", joined, epoch=None))
    assert "the assignment of its leader" in words


def test_members_without_partitions_say_why() -> None:
    def idle(topics: tuple[str, ...] = (), pattern: str = "") -> str:
        one = replace(member("a", (), (), 5), topics=topics, pattern=pattern)
        return "\n".join(explain(group("Stable", one), Positions({}, {}), {"t"}))

    assert "it subscribes to nothing" in idle()
    assert "it waits for u, which does not exist" in idle(("t", "u"))
    assert "the others have all that it subscribes to" in idle(("t",))
    assert "its pattern 'x.*' is not resolved yet" in idle(pattern="x.*")


def coordinator_said(code: ErrorCode, leader: Broker | None) -> str:
    part = PartitionDescription(0, leader, 1, (1, 2), (2,))
    topic = TopicDescription("__consumer_offsets", b"x" * 16, True, (part,))
    return "\n".join(explain_coordinator("g", KafkaError(code, "not now."), topic))


def test_a_group_whose_coordinator_does_not_answer() -> None:
    words = coordinator_said(ErrorCode.COORDINATOR_NOT_AVAILABLE, None)
    assert "the leader of __consumer_offsets-0: not now." in words
    assert "has no leader: it waits for one of the brokers 2." in words
    words = coordinator_said(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, AT)
    assert "Broker 1 leads it and reads the groups from its log." in words
    words = coordinator_said(ErrorCode.NOT_COORDINATOR, AT)
    assert "did not answer as coordinator in time" in words
    first = explain_coordinator("g", KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE), None)
    assert "does not exist yet" in next(first)


def thread(
    name: str, has: tuple[int, ...], target: tuple[int, ...], *, epoch: int = 5, topology: int = 1
) -> StreamsGroupMember:
    def tasks(partitions: tuple[int, ...]) -> StreamsAssignment:
        return StreamsAssignment({"0": partitions}, {}, {})

    return StreamsGroupMember(
        name, epoch, None, None, "c", "/h", topology, "p", tasks(has), tasks(target)
    )


TOPOLOGY = Subtopology("0", ("words",), (), (), ("g-0-changelog",))


def application_said(
    state: str,
    *members: StreamsGroupMember,
    topics: tuple[str, ...] = ("words", "g-0-changelog"),
    not_ready: str = "",
) -> str:
    target_epoch = 5 - (state == "Assigning")
    described = StreamsGroupDescription(
        "g", state, 5, target_epoch, 1, (TOPOLOGY,), members, AT, "sticky", not_ready
    )
    return "\n".join(streams_reasons.explain(described, topics))


def test_a_streams_group_without_members() -> None:
    assert "no instance of the application runs" in application_said("Empty")


def test_a_streams_group_that_is_not_ready_names_its_topics() -> None:
    one = thread("a", (), ())
    words = application_said("NotReady", one, topics=("words",))
    assert "It waits for g-0-changelog, which do not exist" in words
    words = application_said("NotReady", one, not_ready="Source topics b and c differ.")
    assert "It waits for the topics of its topology: Source topics b and c differ." in words
    assert "checks the topology again" in application_said("NotReady", one)


def test_a_streams_group_on_its_way_to_another_assignment() -> None:
    assert "streams.assignment.interval.ms" in application_said("Assigning", thread("a", (), ()))
    words = application_said(
        "Reconciling", thread("a", (0, 1), (0,), epoch=4), thread("b", (), (1, 2))
    )
    assert "a (c/h) still has task 0_1, which it must give back" in words
    assert "b (c/h) waits for task 0_1, which a (c/h) still has." in words
    assert "b (c/h) gets task 0_2 with its next heartbeat." in words


def test_members_of_a_streams_group_that_are_behind() -> None:
    words = application_said("Reconciling", thread("a", (0,), (0,), epoch=4))
    assert "has not heard of epoch 5 (it is in 4)" in words
    words = application_said("Stable", thread("a", (0,), (0,), topology=0))
    assert "a (c/h) has a stale topology (epoch 0 of 1)" in words
    words = application_said("Stable", thread("a", (0,), (0,)))
    assert "waits for nothing but records" in words


def share_said(
    *members: GroupMember, positions: dict[TopicPartition, ShareOffset], state: str = "Stable"
) -> str:
    described = GroupDescription("w", state, "share", "simple", members, AT, 5, 5)
    return "\n".join(share_reasons.explain(described, positions))


def worker(name: str, *partitions: int) -> GroupMember:
    return GroupMember(name, None, "c", "/h", places(*partitions), 5)


def test_what_a_share_group_has_to_do() -> None:
    positions = {
        TopicPartition("t", 0): ShareOffset(4, 0, 9),
        TopicPartition("t", 1): ShareOffset(7, 0, 0),
        TopicPartition("u", 0): ShareOffset(0, 0, 3),
    }
    words = share_said(worker("a", 0, 1), worker("b"), positions=positions)
    assert "w is Stable: 2 members, in epoch 5." in words
    assert "b (c/h) has no partitions" in words
    assert "No member has u-0, where records wait" in words
    assert "12 records are to be done, most of all in t-0 (9)." in words


def test_a_share_group_that_waits_for_a_member_or_for_its_first_fetch() -> None:
    nothing = {TopicPartition("t", 0): ShareOffset(None, 0, None)}
    assert "It waits for a member" in share_said(positions=nothing, state="Empty")
    words = share_said(worker("a", 0), positions=nothing)
    assert "In t-0 no member has fetched yet" in words
    done = {TopicPartition("t", 0): ShareOffset(3, 0, 0)}
    assert "nothing but records" in share_said(worker("a", 0), positions=done)
