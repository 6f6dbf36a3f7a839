"""The metadata quorum's figures: three processes on loopback, each with a journal on disk.

    python -m benchmarks.quorum                     three voters
    python -m benchmarks.quorum --voters 1 --seconds 5 --directory /some/disk

Prints how long the first election takes, committed proposals a second one at a time and with many
in flight (and the leader's CPU for each), how long until another leader commits after kill -9, and
what an idle voter costs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import trio

from benchmarks.load import cpu_seconds
from raftka.kraft.raft.port import NotLeader, QuorumSettings
from raftka.kraft.raft.quorum import Quorum
from raftka.local_ports import free_ports
from raftka.model import logs
from raftka.model.ids import Endpoint
from raftka.model.ports import Connection, Listener
from raftka.net.clock import system_clock, system_dice
from raftka.net.transport import TcpNetwork
from raftka.storage.posix import PosixDisk

HOST = "127.0.0.1"
PAYLOAD = bytes(100)


# One voter: a process that takes commands on stdin and answers each with a line of JSON.


class Voter:
    def __init__(self, number: int, ports: Sequence[int], directory: str) -> None:
        self._port = ports[number - 1]
        self._offset = 0
        self.quorum = Quorum(
            cluster_id="benchmark",
            node_id=number,
            directory_id=bytes([number]) * 16,
            directory=f"{directory}/{number}/__cluster_metadata-0",
            listener=self,
            clock=system_clock(),
            dice=system_dice(),
            disk=PosixDisk(),
            network=TcpNetwork(),
            can_vote=True,
            voters={i: Endpoint(HOST, port) for i, port in enumerate(ports, 1)},
            take_snapshot=lambda: b"%d" % self._offset,
            settings=QuorumSettings(),
        )

    def handle_commit(self, offset: int, epoch: int, payload: bytes) -> None:
        self._offset = offset

    def handle_snapshot(self, offset: int, epoch: int, payload: bytes) -> None:
        self._offset = offset

    def handle_leader_change(self, leader_id: int | None, epoch: int) -> None:
        """The driver asks by itself."""

    async def run(self) -> None:
        listener = await TcpNetwork().listen(HOST, self._port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._accept, nursery, listener)
            await nursery.start(self.quorum.run)
            await self._obey()
            nursery.cancel_scope.cancel()

    async def _accept(self, nursery: trio.Nursery, listener: Listener) -> None:
        while True:
            nursery.start_soon(self._serve, await listener.accept())

    async def _serve(self, connection: Connection) -> None:
        first = bytearray(4)
        size = await connection.receive_into(first)
        await self.quorum.accept(connection, bytes(first[:size]))

    async def _obey(self) -> None:
        commands = trio.lowlevel.FdStream(os.dup(0))
        buffer = b""
        while data := await commands.receive_some():
            buffer += data
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                name, *arguments = line.decode().split()
                answer = await getattr(self, f"do_{name}")(*map(float, arguments))
                print(json.dumps(answer), flush=True)

    async def do_commit(self) -> bool:
        """Whether this voter leads and can commit."""
        try:
            await self.quorum.propose(PAYLOAD, self.quorum.leader[1])
        except NotLeader:
            await trio.sleep(0.001)
            return False
        return True

    async def do_single(self, seconds: float) -> list[float]:
        """Latencies of proposals one after the other."""
        took, end = [], time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            if await self.do_commit():
                took.append(time.perf_counter() - began)
        return took

    async def do_many(self, seconds: float, in_flight: float) -> int:
        """Proposals committed with that many in flight."""
        end, count = time.perf_counter() + seconds, 0

        async def keep_one() -> None:
            nonlocal count
            while time.perf_counter() < end:
                count += await self.do_commit()

        async with trio.open_nursery() as nursery:
            for _ in range(int(in_flight)):
                nursery.start_soon(keep_one)
        return count


# The parent.


class Process:
    def __init__(self, number: int, ports: Sequence[int], directory: str) -> None:
        self.number = number
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.quorum", "--node", str(number)),
                *("--ports", ",".join(map(str, ports)), "--directory", directory),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, *command: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, command)) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class Voters:
    """The processes, and whichever of them leads."""

    def __init__(self, count: int, directory: str) -> None:
        self._ports, self._directory = free_ports(count), directory
        self.running = [Process(n, self._ports, directory) for n in range(1, count + 1)]

    def leader(self) -> Process:
        """Propose until one commits."""
        while True:
            for process in self.running:
                if process.ask("commit"):
                    return process

    def replace(self, process: Process) -> None:
        self.running.remove(process)
        process.kill()

    def restart(self, process: Process) -> None:
        self.running.append(Process(process.number, self._ports, self._directory))

    def stop(self) -> None:
        for process in self.running:
            process.kill()


def measure(count: int, seconds: float, directory: str) -> None:
    voters = Voters(count, directory)
    try:
        began = time.perf_counter()
        for process in voters.running:
            process.ask("commit")
        up = time.perf_counter()
        leader = voters.leader()
        show("processes up", f"{(up - began) * 1000:.0f} ms")
        show("then first commit", f"{(time.perf_counter() - up) * 1000:.0f} ms")
        _measure_rates(leader, seconds)
        time.sleep(1)
        before = [cpu_seconds([process.pid]) for process in voters.running]
        time.sleep(seconds)
        used = [cpu_seconds([p.pid]) - b for p, b in zip(voters.running, before, strict=True)]
        show("idle", ", ".join(f"{100 * u / seconds:.2f} %" for u in used) + " of a core")
        if count > 2:
            _measure_failover(voters)
    finally:
        voters.stop()


def _measure_rates(leader: Process, seconds: float) -> None:
    cpu = cpu_seconds([leader.pid])
    took = leader.ask("single", seconds)
    cost = (cpu_seconds([leader.pid]) - cpu) / len(took)
    p50 = statistics.median(took) * 1000
    show("one at a time", f"{len(took) / seconds:.0f}/s, p50 {p50:.2f} ms, {cost * 1e6:.0f} µs CPU")
    for depth in (100, 2000):
        cpu = cpu_seconds([leader.pid])
        count = leader.ask("many", seconds, depth)
        cost = (cpu_seconds([leader.pid]) - cpu) / count
        show(f"{depth} in flight", f"{count / seconds:.0f}/s, {cost * 1e6:.0f} µs CPU each")


def _measure_failover(voters: Voters) -> None:
    took = []
    for _ in range(7):
        leader = voters.leader()
        began = time.perf_counter()
        voters.replace(leader)
        voters.leader()
        took.append((time.perf_counter() - began) * 1000)
        voters.restart(leader)
        voters.running[-1].ask("commit")
        time.sleep(0.5)
    show("kill -9 to next commit", f"median {statistics.median(took):.0f} ms, max {max(took):.0f}")


def show(what: str, figure: str) -> None:
    print(f"{what:<24}{figure}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voters", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--directory", default=None, help="where the journals go")
    parser.add_argument("--node", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ports", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.node is not None:
        # Standard output is for answers.
        logs.set_level(logs.ROOT, logs.Level.WARN)
        ports = [int(port) for port in options.ports.split(",")]
        trio.run(Voter(options.node, ports, options.directory).run)
        return
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        measure(options.voters, options.seconds, directory)


if __name__ == "__main__":
    main()
