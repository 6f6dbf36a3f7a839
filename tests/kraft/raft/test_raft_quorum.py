"""Quorums as nodes run them, three in one process over a simulated network in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
import trio

from raftka.kraft.raft.inspect import inspect
from raftka.kraft.raft.link import PREAMBLE
from raftka.kraft.raft.port import (
    NotLeader,
    ProposalVoid,
    QuorumPort,
    QuorumSettings,
    Voter,
    VoterEndpoint,
)
from raftka.kraft.raft.quorum import Quorum
from raftka.kraft.raft.snapshots import write_first_voters
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint
from raftka.model.ports import Connection
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.medium import Medium
from raftka.simulations.machines.network import Fabric

PORT = 9093
DIRECTORY = "/data/__cluster_metadata-0"


def directory_id(number: int) -> bytes:
    return bytes([number]) * 16


def endpoint(number: int) -> VoterEndpoint:
    return VoterEndpoint("CONTROLLER", f"host{number}", PORT)


@dataclass
class Listener:
    """Remembers its calls."""

    state: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    leaders: list[tuple[int | None, int]] = field(default_factory=list)
    snapshots: int = 0
    poison: bytes | None = None

    def handle_commit(self, offset: int, epoch: int, payload: bytes) -> None:
        if payload == self.poison:
            raise ZeroDivisionError("a listener's own defect")
        self.offsets.append(offset)
        self.state.append(payload)

    def handle_snapshot(self, offset: int, epoch: int, payload: bytes) -> None:
        self.snapshots += 1
        self.state = payload.split(b",")
        self.offsets = [offset]

    def handle_leader_change(self, leader_id: int | None, epoch: int) -> None:
        self.leaders.append((leader_id, epoch))

    def take_snapshot(self) -> bytes:
        return b",".join(self.state)


@dataclass
class Node:
    """A process with a quorum, on a machine with a disk."""

    number: int
    quorum: Quorum
    listener: Listener
    scope: trio.CancelScope


class World:
    """Machines that nodes are started and killed on."""

    def __init__(self, nursery: trio.Nursery, **common: Any) -> None:
        self.fabric = Fabric(Random(1))
        self.nodes: dict[int, Node] = {}
        self.media: dict[int, Medium] = {}
        self._nursery, self._common = nursery, common
        nursery.start_soon(self.fabric.run)

    async def start(self, number: int, **own: Any) -> Node:
        medium = self.media.setdefault(number, Medium(Random(number)))
        listener = Listener()
        settings: dict[str, Any] = {
            "cluster_id": "cluster",
            "directory_id": directory_id(number),
            "can_vote": True,
            **self._common,
            **own,
        }
        network = self.fabric.host(f"host{number}")
        quorum = Quorum(
            node_id=number,
            directory=DIRECTORY,
            listener=listener,
            clock=SimClock(),
            dice=Random(number),
            disk=SimDisk(medium),
            network=network,
            take_snapshot=listener.take_snapshot,
            **settings,
        )
        node = self.nodes[number] = Node(number, quorum, listener, trio.CancelScope())
        bound = await network.listen(f"host{number}", PORT)
        await self._nursery.start(self._run, node, bound)
        return node

    async def _run(self, node: Node, bound: Any, task_status: trio.TaskStatus[None]) -> None:
        async def serve(connection: Connection) -> None:
            first = bytearray(100)
            size = await connection.receive_into(first)
            await node.quorum.accept(connection, bytes(first[:size]))

        async def listen() -> None:
            while True:
                try:
                    nursery.start_soon(serve, await bound.accept())
                except trio.ClosedResourceError:
                    return

        with node.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen)
                await nursery.start(node.quorum.run)
                task_status.started()

    def kill(self, number: int, *, power_loss: bool = True) -> None:
        self.fabric.kill(f"host{number}")
        self.nodes.pop(number).scope.cancel()
        if power_loss:
            self.media[number].lose_power()

    async def leader(self) -> Node:
        """The active leader: its listener was notified."""
        while True:
            for node in self.nodes.values():
                told = node.listener.leaders[-1:]
                if told and told[0] == (node.number, node.quorum.leader[1]):
                    return node
            await trio.sleep(0.005)

    async def agreed(self) -> None:
        while len({tuple(n.listener.state) for n in self.nodes.values()}) != 1:  # noqa: ASYNC110
            await trio.sleep(0.01)


def static(*numbers: int) -> dict[str, Any]:
    return {"voters": {number: Endpoint(f"host{number}", PORT) for number in numbers}}


Scenario = Callable[[World], Awaitable[None]]


def in_world(scenario: Scenario, **common: Any) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            with trio.fail_after(300):
                await scenario(World(nursery, **common))
            nursery.cancel_scope.cancel()

    run(main, 1)


async def propose(node: Node, payload: bytes) -> int:
    return await node.quorum.propose(payload, node.quorum.leader[1])


def test_three_nodes_agree_and_replace_a_leader_that_is_killed() -> None:
    async def scenario(world: World) -> None:
        for number in (1, 2, 3):
            await world.start(number)
        began = trio.current_time()
        leader = await world.leader()
        assert trio.current_time() - began < 0.2
        port: QuorumPort = leader.quorum
        assert await propose(leader, b"one") == port.last_committed
        assert leader.listener.state == [b"one"], "told before the proposer"
        world.kill(leader.number)
        began = trio.current_time()
        successor = await world.leader()
        assert trio.current_time() - began < 0.1
        await propose(successor, b"two")
        await world.start(leader.number)
        await world.agreed()
        assert successor.listener.state == [b"one", b"two"]

    in_world(scenario, **static(1, 2, 3))


def test_a_single_node_leads_at_once_and_remembers() -> None:
    async def scenario(world: World) -> None:
        began = trio.current_time()
        leader = await world.start(1)
        await world.leader()
        assert trio.current_time() - began < 0.05
        first = await propose(leader, b"x")
        world.kill(1)
        again = await world.start(1)
        await world.leader()
        assert again.listener.state == [b"x"]
        assert await propose(again, b"y") == first + 2, "between them the new leader's own entry"

    in_world(scenario, **static(1))


def test_proposals_in_flight_share_syncs_and_keep_their_order() -> None:
    async def scenario(world: World) -> None:
        for number in (1, 2, 3):
            await world.start(number)
        leader = await world.leader()
        epoch, start = leader.quorum.leader[1], leader.quorum.log_end_offset
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for index in range(500):
                expected = start + index
                nursery.start_soon(leader.quorum.propose, b"%d" % index, epoch, expected)
                await trio.lowlevel.cancel_shielded_checkpoint()
        assert trio.current_time() - began < 0.1
        await world.agreed()
        assert leader.listener.state == [b"%d" % index for index in range(500)]
        with pytest.raises(ProposalVoid):
            await leader.quorum.propose(b"late", epoch, start)

    in_world(scenario, **static(1, 2, 3))


def test_an_isolated_leader_answers_within_its_lease() -> None:
    async def scenario(world: World) -> None:
        for number in (1, 2, 3):
            await world.start(number)
        leader = await world.leader()
        for number in {1, 2, 3} - {leader.number}:
            world.fabric.cut(f"host{number}", f"host{leader.number}")
        began = trio.current_time()
        with pytest.raises(NotLeader):
            await propose(leader, b"lost")
        with pytest.raises(NotLeader):
            await leader.quorum.read_barrier()
        assert trio.current_time() - began < 1.1
        world.fabric.heal()
        await trio.sleep(5)
        await propose(await world.leader(), b"kept")
        await world.agreed()

    in_world(scenario, **static(1, 2, 3))


def test_a_node_that_was_away_for_long_catches_up_by_snapshot() -> None:
    settings = QuorumSettings(snapshot_after_bytes=2000, retained_bytes=100, segment_bytes=1000)

    async def scenario(world: World) -> None:
        for number in (1, 2, 3):
            await world.start(number)
        leader = await world.leader()
        away = next(number for number in (1, 2, 3) if number != leader.number)
        world.kill(away)
        for index in range(200):
            await propose(leader, b"%d" % index)
        back = await world.start(away)
        await world.agreed()
        assert back.listener.snapshots == 1
        assert back.listener.state == [b"%d" % index for index in range(200)]
        files = world.media[leader.number].files
        assert sum(name.endswith(".checkpoint") for name in files) == 1
        assert sum(name.endswith(".journal") for name in files) < 15

    in_world(scenario, settings=settings, **static(1, 2, 3))


def test_observers_follow_and_are_described() -> None:
    async def scenario(world: World) -> None:
        await world.start(1)
        observer = await world.start(7, can_vote=False)
        leader = await world.leader()
        await propose(leader, b"seen")
        await world.agreed()
        await trio.sleep(0.3)
        described = leader.quorum.describe()
        assert [state.id for state in described.observers] == [7]
        assert described.observers[0].log_end_offset == described.high_watermark
        assert observer.quorum.leader[0] == 1
        assert observer.listener.leaders[-1] == (1, 1)
        with pytest.raises(NotLeader) as refusal:
            await observer.quorum.propose(b"no", 1)
        assert refusal.value.leader_id == 1
        world.kill(1)
        await trio.sleep(0.1)
        assert observer.quorum.leader[0] is None

    in_world(scenario, **static(1))


def test_an_observer_finds_a_leader_again_that_lost_power_without_a_word() -> None:
    """Its connection looks alive for ever: an observer never sends, so nothing resets it."""

    async def scenario(world: World) -> None:
        await world.start(1)
        observer = await world.start(7, can_vote=False)
        await propose(await world.leader(), b"before")
        await world.agreed()
        world.fabric.lose_power("host1")
        world.nodes.pop(1).scope.cancel()
        await trio.sleep(1)
        await world.start(1)
        await propose(await world.leader(), b"after")
        await trio.sleep(5)
        assert observer.listener.state == [b"before", b"after"]
        assert observer.quorum.leader[0] == 1

    in_world(scenario, **static(1))


def test_voters_come_and_go_while_the_quorum_works() -> None:
    bootstrap = {"bootstrap_servers": [Endpoint("host1", PORT)]}

    async def scenario(world: World) -> None:
        world.media[1] = Medium(Random(1))
        voter = Voter(1, directory_id(1), (endpoint(1),))
        write_first_voters(SimDisk(world.media[1]), DIRECTORY, [voter])
        first = await world.start(1)
        for number in (2, 3):
            await world.start(number)
        leader = await world.leader()
        assert leader is first
        for number in (2, 3):
            await leader.quorum.add_voter(number, directory_id(number), [endpoint(number)])
        with pytest.raises(KafkaError) as refusal:
            await leader.quorum.add_voter(3, directory_id(3), [endpoint(3)])
        assert refusal.value.code == ErrorCode.DUPLICATE_VOTER
        await propose(leader, b"by three")
        await leader.quorum.remove_voter(1, directory_id(1))
        with pytest.raises(NotLeader):
            await propose(leader, b"by nobody")
        successor = await world.leader()
        assert successor.number in (2, 3)
        await propose(successor, b"by two")
        await world.agreed()
        assert [state.id for state in successor.quorum.describe().voters] == [2, 3]
        assert [state.id for state in successor.quorum.describe().observers] == [1]
        world.kill(1)
        for number in (2, 3):
            world.kill(number)
        for number in (2, 3):
            await world.start(number)
        await propose(await world.leader(), b"after all restarted")
        found = inspect(SimDisk(world.media[2]), DIRECTORY)
        assert [voter.id for voter in found.voters] == [2, 3]
        assert [payload for _, _, payload in found.proposals()][:2] == [b"by three", b"by two"]

    in_world(scenario, **bootstrap)


def test_a_node_of_another_cluster_is_not_let_in() -> None:
    async def scenario(world: World) -> None:
        await world.start(1)
        stranger = await world.start(9, can_vote=False, cluster_id="another")
        await propose(await world.leader(), b"private")
        await trio.sleep(5)
        assert stranger.listener.state == []
        assert stranger.quorum.leader == (None, 0)

    in_world(scenario, **static(1))


@pytest.mark.parametrize(
    "hostile",
    [
        PREAMBLE + bytes(100),
        PREAMBLE + b"\xff\xff\xff\xff",
        PREAMBLE + b"\x00\x00\x00\x01\xc0",
        PREAMBLE + b"\x00",
        b"RFTKGET / HTTP/1.1\r\n",
    ],
)
def test_what_is_no_hello_harms_nobody(hostile: bytes) -> None:
    async def scenario(world: World) -> None:
        await world.start(1)
        leader = await world.leader()
        connection = await world.fabric.host("elsewhere").connect("host1", PORT)
        await connection.send([hostile])
        await trio.sleep(10)
        await propose(leader, b"undisturbed")

    in_world(scenario, **static(1))


def test_a_listener_that_fails_ends_the_node_and_is_told_once() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            world = World(nursery, **static(1))
            node = await world.start(1)
            node.listener.poison = b"poison"
            await world.leader()
            await propose(node, b"poison")

    with pytest.raises(BaseExceptionGroup) as caught:
        run(main, 1)
    assert leaves(caught.value) == ["ZeroDivisionError"]


def leaves(error: BaseException) -> list[str]:
    if isinstance(error, BaseExceptionGroup):
        return [name for inner in error.exceptions for name in leaves(inner)]
    return [type(error).__name__]
