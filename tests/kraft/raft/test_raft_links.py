"""Links between replicas: one for each pair, matching greetings, and bounded buffers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio

from raftka.kraft.raft.codec import SIZE, encode
from raftka.kraft.raft.link import HELLO_BYTES_MAX, PREAMBLE, Hello, Inbox, Refused, decode_hello
from raftka.kraft.raft.links import Links, Target
from raftka.kraft.raft.port import ReplicaKey
from raftka.model.ports import Connection
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.network import Fabric

PORT = 9093
MESSAGE = {"type": "end_epoch", "term": 3}


def key(number: int) -> ReplicaKey:
    return ReplicaKey(number, bytes([number]) * 16)


class End:
    """One replica's links, and the messages that they delivered."""

    def __init__(self, fabric: Fabric, number: int, cluster_id: str = "cluster") -> None:
        self.number, self._fabric = number, fabric
        self.inbox = Inbox(lambda: None)
        self.links = Links(
            Hello(cluster_id, key(number)),
            clock=SimClock(),
            dice=Random(number),
            network=fabric.host(f"host{number}"),
            inbox=self.inbox,
            frame_bytes_max=1000,
        )

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        bound = await self._fabric.host(f"host{self.number}").listen(f"host{self.number}", PORT)

        async def serve(connection: Connection) -> None:
            first = bytearray(4)
            size = await connection.receive_into(first)
            await self.links.accept(connection, bytes(first[:size]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.links.run)
            await trio.sleep(0.01)
            task_status.started()
            while True:
                nursery.start_soon(serve, await bound.accept())

    def took(self) -> list[object]:
        items: list[object] = []
        while self.inbox:
            link, item = self.inbox.take()
            items.append((link.replica.id, item))
        return items


def between(
    scenario: Callable[[Fabric, End, End], Awaitable[None]], other_cluster: str = "cluster"
) -> None:
    async def main() -> None:
        fabric = Fabric(Random(1))
        one, two = End(fabric, 1), End(fabric, 2, other_cluster)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            await nursery.start(one.run)
            await nursery.start(two.run)
            await scenario(fabric, one, two)
            nursery.cancel_scope.cancel()

    run(main, 1)


def test_calls_that_cross_leave_one_link_and_messages_keep_their_order() -> None:
    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        one.links.want([Target(2, "host2", PORT)])
        two.links.want([Target(1, "host1", PORT)])
        await trio.sleep(1)
        near, far = one.links.get(key(2)), two.links.get(key(1))
        assert near is not None and far is not None
        assert near.dialed != far.dialed
        one.took(), two.took()
        near.send([encode({"type": "end_epoch", "term": term}) for term in range(50)])
        await trio.sleep(1)
        assert two.took() == [(1, {"type": "end_epoch", "term": term}) for term in range(50)]

    between(scenario)


def test_a_link_that_breaks_is_told_on_both_sides_and_made_again() -> None:
    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        two.links.want([Target(1, "host1", PORT)])
        await trio.sleep(1)
        fabric.reset("host1", "host2")
        await trio.sleep(1)
        assert one.took() == [(2, True), (2, False), (2, True)]
        assert two.took() == [(1, True), (1, False), (1, True)]

    between(scenario)


def test_a_link_that_the_other_side_made_and_lost_is_made_anew_from_here() -> None:
    """The other side dialed while this node was a voter, and does not dial observers."""

    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        two.links.want([Target(1, "host1", PORT)])
        await trio.sleep(1)
        one.links.want([Target(2, "host2", PORT)])
        two.links.want([])
        fabric.half_open("host2", "host1")
        await trio.sleep(1)
        lost = one.links.get(key(2))
        assert lost is not None and not lost.dialed
        one.links.renew(3)
        await trio.sleep(0.5)
        assert one.links.get(key(2)) is lost, "it is not that old yet"
        one.links.renew(2)
        await trio.sleep(0.5)
        near, far = one.links.get(key(2)), two.links.get(key(1))
        assert near is not None and near.dialed
        assert far is not None and not far.dialed

    between(scenario)


def test_links_of_those_who_only_follow_are_left_to_them() -> None:
    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        two.links.want([Target(1, "host1", PORT)])
        await trio.sleep(1)
        link = one.links.get(key(2))
        one.links.renew(0)
        assert link is not None and not link.closed.is_set()

    between(scenario)


def test_another_cluster_is_refused() -> None:
    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        two.links.want([Target(1, "host1", PORT)])
        await trio.sleep(3)
        assert one.took() == two.took() == []

    between(scenario, other_cluster="another")


def test_whoever_answers_in_the_place_of_another_is_not_taken_for_it() -> None:
    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        two.links.want([Target(3, "host1", PORT)])
        await trio.sleep(3)
        assert two.links.get(key(1)) is None

    between(scenario)


@pytest.mark.parametrize("frame", [SIZE.pack(1001) + bytes(50), SIZE.pack(3) + b"\xc1\xc1\xc1"])
def test_a_frame_that_is_no_message_costs_the_link(frame: bytes) -> None:
    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        connection = await fabric.host("host9").connect("host1", PORT)
        await connection.send([PREAMBLE, Hello("cluster", key(9)).encode(), frame])
        await trio.sleep(1)
        assert one.took() == [(9, True), (9, False)]

    between(scenario)


def test_a_caller_that_says_nothing_is_let_go() -> None:
    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        connection = await fabric.host("host9").connect("host1", PORT)
        await connection.send([PREAMBLE])
        with trio.fail_after(10):
            assert await connection.receive_into(bytearray(10)) == 0

    between(scenario)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xc1", "no hello"),
        (b"\x93\x01\xa1c\x01", "no hello"),
        (b"\x94\x63\xa1c\x01\xc4\x00", "version 99"),
        (b"\x94\x01\xa1c\x01\xc4\x01x", "names no cluster"),
        (b"\xa6go off", "go off"),
    ],
)
def test_hellos_are_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        decode_hello(body)


def test_a_hello_fits_its_bound() -> None:
    hello = Hello("x" * 100, key(1))
    assert len(hello.encode()) < HELLO_BYTES_MAX
    assert decode_hello(hello.encode()[SIZE.size :]) == hello


def test_the_inbox_makes_readers_wait() -> None:
    async def scenario(fabric: Fabric, one: End, two: End) -> None:
        two.links.want([Target(1, "host1", PORT)])
        await trio.sleep(1)
        link = one.links.get(key(2))
        assert link is not None
        one.inbox.put(link, MESSAGE, 100 << 20)
        with trio.move_on_after(5) as waited:
            await one.inbox.room()
        assert waited.cancelled_caught
        one.took()
        await one.inbox.room()

    between(scenario)
