"""Topics of consumer groups: they come, grow and go, by name and by expression."""

from __future__ import annotations

from tests.support.consumer_groups import Client, ConsumerWorld, settle


def test_topics_that_come_grow_and_go_are_assigned_without_a_request() -> None:
    world = ConsumerWorld()
    one = Client(world, "m1", topics=("t", "later"))
    one.beat()
    assert one.owned == {"t": set(range(6))}
    world.advance(1000)
    world.create_topic("later", 2)
    assert world.target("m1") == {"t": set(range(6)), "later": {0, 1}}
    world.advance(1000)
    world.grow_topic("later", 4)
    assert world.target("m1")["later"] == {0, 1, 2, 3}
    settle(one)
    world.advance(1000)
    world.delete_topic("t")
    assert world.target("m1") == {"later": {0, 1, 2, 3}}
    settle(one)
    assert one.owned == {"later": {0, 1, 2, 3}}
    world.log_is_true()


def test_other_topics_and_leaders_do_not_disturb_a_group() -> None:
    world = ConsumerWorld()
    Client(world, "m1").beat()
    world.create_topic("other", 2)
    world.delete_topic("other")
    assert world.group().epoch == 1


def test_changes_within_the_assignment_interval_are_one() -> None:
    world = ConsumerWorld()
    clients = [Client(world, f"m{i}") for i in range(3)]
    clients[0].beat()
    for client in clients[1:]:
        client.beat()
    assert world.group().assignment_epoch == 1
    assert world.described().group_state == "Assigning"
    world.advance(1000)
    assert world.group().assignment_epoch == world.group().epoch == 3
    settle(*clients)


def test_expressions_are_resolved_here() -> None:
    world = ConsumerWorld({"log-a": 2, "log-b": 2, "xlog-a": 2, "secret": 2})
    world.may_describe = lambda topic: topic != "secret"
    one = Client(world, "m1", topics=(), fields={"subscribed_topic_regex": "log-.*|secret"})
    one.beat()
    assert one.owned == {"log-a": {0, 1}, "log-b": {0, 1}}
    world.advance(1000)
    world.create_topic("log-c", 1)
    assert world.target("m1") == {"log-a": {0, 1}, "log-b": {0, 1}, "log-c": {0}}
    world.log_is_true()
    world.fail_over()
    one.beat()
    assert one.owned["log-c"] == {0}
    world.advance(1000)
    one.fields = {"subscribed_topic_regex": ""}
    one.topics = ("xlog-a",)
    settle(one)
    assert one.owned == {"xlog-a": {0, 1}}
    assert world.group().regexes == {}
    world.log_is_true()
