"""The real network: socket options of the kernel, observed from the other end."""

from __future__ import annotations

import itertools
import socket
from pathlib import Path

import pytest
import trio
import trio.testing

from raftka.broker.controller.probe import refuses
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection, Connection, FileRegion, NoAnswer, Piece
from raftka.net.clock import SystemClock
from raftka.net.transport import TcpNetwork
from raftka.storage.posix import PosixDisk


async def pair() -> tuple[Connection, Connection]:
    """Both ends of one connection."""
    network = TcpNetwork()
    listener = await network.listen("127.0.0.1", 0)
    near = await network.connect("127.0.0.1", listener.port)
    far = await listener.accept()
    listener.close()
    return near, far


async def test_a_receiver_sleeps_until_there_is_enough() -> None:
    near, far = await pair()
    buffer = bytearray(10_000)
    sizes: list[int] = []

    async def receive() -> None:
        sizes.append(await far.receive_into(buffer, 5_000))
        sizes.append(await far.receive_into(buffer))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await near.send([bytes(4_000)])
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert sizes == []
            await near.send([bytes(1_000)])
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert sizes == [5_000]
            await near.send([b"x"])
    assert sizes == [5_000, 1]
    near.close()
    far.close()


async def test_a_receiver_that_waits_for_more_learns_of_the_end() -> None:
    near, far = await pair()
    await near.send([b"few"])
    near.close()
    buffer = bytearray(10_000)
    with trio.fail_after(5):
        assert await far.receive_into(buffer, 5_000) == 3
        assert await far.receive_into(buffer, 4_997) == 0
    far.close()


async def test_regions_of_files_arrive_between_buffers(tmp_path: Path) -> None:
    near, far = await pair()
    file = PosixDisk().open(str(tmp_path / "data"), create=True)
    data = bytes(range(256)) * 1000
    file.write([data], 0)
    pieces: list[Piece] = [b"head", FileRegion(file, 10, 100_000), b"tail", FileRegion(file, 0, 9)]
    wanted = b"head" + data[10:100_010] + b"tail" + data[:9]
    found = bytearray()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send, pieces)
            buffer = bytearray(65_536)
            while len(found) < len(wanted):
                found += buffer[: await far.receive_into(buffer, 1)]
    assert bytes(found) == wanted
    near.close()
    far.close()
    file.close()


class Resolver(trio.abc.HostnameResolver):
    """Answers each question with the addresses that it has then."""

    def __init__(self) -> None:
        self.addresses: list[tuple[str, int]] = []
        self.asked = 0

    async def getaddrinfo(self, *_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:  # type: ignore[override]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in self.addresses]

    @classmethod
    def installed(cls) -> Resolver:
        """A resolver for all that this test asks: it ends with trio's run."""
        found = cls()
        trio.socket.set_custom_hostname_resolver(found)
        return found

    async def getnameinfo(self, *_: object) -> tuple[str, str]:
        raise NotImplementedError


async def test_a_name_is_resolved_at_each_attempt() -> None:
    """A wrong answer of DNS, once, must not keep a quorum apart for ever."""
    resolver, network = Resolver.installed(), TcpNetwork()
    listener = await network.listen("127.0.0.1", 0)
    resolver.addresses = [("127.0.0.2", listener.port)]
    with pytest.raises(BrokenConnection, match="refused"):
        await network.connect("node", listener.port)
    resolver.addresses = [("127.0.0.1", listener.port)]
    (await network.connect("node", listener.port)).close()
    assert resolver.asked == 2
    resolver.addresses = [("127.0.0.2", listener.port), ("127.0.0.1", listener.port)]
    (await network.connect("node", listener.port)).close()
    listener.close()


async def test_a_silent_address_leaves_time_for_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    autojump_clock.autojump_threshold = 0.05  # The kernel's connections are not virtual.
    resolver, network = Resolver.installed(), TcpNetwork()
    listener = await network.listen("127.0.0.1", 0)
    with socket.socket() as silent, socket.socket() as fills_it:
        silent.bind(("127.0.0.2", listener.port))
        silent.listen(0)
        fills_it.setblocking(False)
        fills_it.connect_ex(silent.getsockname())
        resolver.addresses = [silent.getsockname(), ("127.0.0.1", listener.port)]
        began_s = trio.current_time()
        (await network.connect("node", listener.port, timeout_s=10)).close()
        assert trio.current_time() - began_s == pytest.approx(5)
        resolver.addresses = [silent.getsockname(), ("127.0.0.3", listener.port)]
        with pytest.raises(NoAnswer, match="no answer within 10 s"):
            await network.connect("node", listener.port, timeout_s=10)
        where = Endpoint("node", listener.port)
        assert not await refuses(network, SystemClock(), where), "the other address is refused"
        resolver.addresses = [silent.getsockname()]
        with pytest.raises(BrokenConnection, match="no answer within 10 s"):
            await network.connect("node", listener.port, timeout_s=10)
    listener.close()


async def test_connections_that_keep_coming_leave_other_tasks_their_turn() -> None:
    """Accepting went on for as long as somebody connected, and nobody was served meanwhile."""
    listener = await TcpNetwork().listen("127.0.0.1", 0)
    peers = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(100)]
    accepted: list[Connection] = []
    seen: list[int] = []
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def accept() -> None:
                while len(accepted) < len(peers):
                    accepted.append(await listener.accept())
                nursery.cancel_scope.cancel()

            nursery.start_soon(accept)
            while True:
                seen.append(len(accepted))
                await trio.lowlevel.checkpoint()
    assert len(accepted) == 100
    assert max(after - before for before, after in itertools.pairwise([*seen, 100])) <= 16
    for each in accepted:
        each.close()
    for peer in peers:
        peer.close()
    listener.close()
