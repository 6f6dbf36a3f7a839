"""`raftka groups why`: what a group waits for."""

from __future__ import annotations

from raftka.client.admin import GroupDescription, GroupMember, ShareOffset
from raftka.client.metadata import Broker
from raftka.client.tools.group_reasons import Positions, explain, explain_share
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


def share_said(
    *members: GroupMember, positions: dict[TopicPartition, ShareOffset], state: str = "Stable"
) -> str:
    described = GroupDescription("w", state, "share", "simple", members, AT, 5, 5)
    return "\n".join(explain_share(described, positions))


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
