"""A hundred members, 300 partitions: how many heartbeat intervals until the group is stable."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.consumer_groups import Client, ConsumerWorld, Place


def lived(world: ConsumerWorld, clients: Sequence[Client], keep: set[Place]) -> float:
    """Let all members send heartbeats at the coordinator's interval, one after the other within
    each, until the group is stable; returns seconds. Partitions that stay are read all the time.
    """
    began_s = world.now.monotonic_s
    due_s = {
        client.member_id: began_s + (client.interval_ms or 500) / 1000 * number / len(clients)
        for number, client in enumerate(clients)
    }
    while world.described().group_state != "Stable":
        client = min(clients, key=lambda each: due_s[each.member_id])
        wait_ms = max(0, round((due_s[client.member_id] - world.now.monotonic_s) * 1000))
        world.advance(wait_ms)
        before = client.owned
        answer = client.beat()
        if client.owned != before and answer.assignment is not None:
            client.beat()  # A member confirms a change of its partitions at once.
        due_s[client.member_id] = world.now.monotonic_s + client.interval_ms / 1000
        places = [place for each in clients for place in each.places]
        assert len(places) == len(set(places)), "a partition has two owners"
        assert keep <= set(places), "a partition that stays was not read for a while"
    return world.now.monotonic_s - began_s


def test_it_settles_in_two_seconds_and_most_partitions_never_stop() -> None:
    world = ConsumerWorld({"t": 300})
    clients = [Client(world, f"m{number:03}") for number in range(100)]
    for client in clients:
        client.beat()
    world.advance(2000)
    lived(world, clients, set())
    assert sorted(len(client.places) for client in clients) == [3] * 100
    world.advance(2000)

    clients.append(Client(world, "new"))
    clients[-1].beat()
    targets = {m: world.target(m) for m in world.group().members}
    keep = {
        (topic, index)
        for client in clients
        for topic, index in client.places
        if index in targets[client.member_id].get(topic, ())
    }
    assert len(keep) == 298
    assert lived(world, clients, keep) < 2.0

    world.advance(2000)
    gone = clients.pop(7)
    kept = {place for client in clients for place in client.places}
    gone.leave()
    assert lived(world, clients, kept) < 2.0
