"""The simulated machines, and the nodes that run on them: the deployed composition, nothing else.

A machine has a disk that outlives its processes, a clock with a drift of its own, and a name in the
network. A process is one life of `broker.serve.serve` on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import trio

from raftka.broker.serve import serve
from raftka.formatting import format_directories, new_uuid
from raftka.kraft.raft.port import Voter, VoterEndpoint
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Disk, Network
from raftka.model.settings import Config, read_config
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.life import Killed, Life
from raftka.simulations.machines.medium import Medium, Watcher
from raftka.simulations.machines.network import Fabric
from raftka.simulations.observers.logs import current_node
from raftka.simulations.trace import Trace
from raftka.storage import meta_properties

CLUSTER_ID = "simulatedClusterOfRaftka"
BROKER_PORT = 9092
CONTROLLER_PORT = 9093
DATA = "/data"
METADATA = "/metadata"
_OLD_TIME_S = 60.0


@dataclass(eq=False)
class Process:
    """One life of a node."""

    number: int
    life: Life
    clock: SimClock
    shutdown: trio.Event = field(default_factory=trio.Event)
    done: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    node: Any = None
    """The broker.node.Node once it serves; observers never look at it."""
    failure: BaseException | None = None

    @property
    def serves(self) -> bool:
        return self.node is not None and not self.done.is_set()


class Machine:
    """One host with its disk and at most one process."""

    def __init__(self, node_id: int, roles: str, medium: Medium, dice: Random) -> None:
        self.node_id = node_id
        self.host = f"n{node_id}"
        self.roles = roles
        self.medium = medium
        self.dice = dice
        self.rack = ""
        self.clock_rate = 1.0
        self.wall_offset_ms = 0
        self._jumped_back: tuple[float, int] = (0.0, 0)
        """When the wall clock was last set back, and by how much."""
        self.process: Process | None = None
        self.lives = 0
        self.fates: deque[tuple[float, str]] = deque(maxlen=64)
        """What became of its processes lately, and when; kinds as in the trace."""
        self.suspect = False
        """Whether its disk has refused something: only a restart makes it whole again."""
        self.founds = False
        """Whether its format names the first voters of a quorum whose voters may change."""
        self.leaves = False
        """Whether an administrator is about to take it out of the cluster."""
        self.broken = ""
        """Why it must not be started again, for a machine whose operator has to act first."""

    def jump(self, milliseconds: int) -> None:
        """Set the wall clock forward or back, for the process that runs as well."""
        self.wall_offset_ms += milliseconds
        self._jumped_back = (trio.current_time(), -milliseconds)
        if self.process is not None:
            self.process.clock.wall_offset_ms = self.wall_offset_ms

    def latest_wall_ms(self) -> int:
        """The latest that a broker may take for the present: after its clock has been set back, it
        may go on for a while with the time that it had looked up before."""
        clock = self.process.clock if self.process is not None else SimClock()
        at_s, back_ms = self._jumped_back
        recent = trio.current_time() - at_s < _OLD_TIME_S
        return clock.wall_ms() + (max(0, back_ms) if recent else 0)

    @property
    def is_broker(self) -> bool:
        return "broker" in self.roles

    @property
    def is_controller(self) -> bool:
        return "controller" in self.roles

    @property
    def is_up(self) -> bool:
        """Whether a process runs, paused or not."""
        return self.process is not None

    @property
    def is_paused(self) -> bool:
        return self.process is not None and self.process.life.is_paused

    @property
    def is_running(self) -> bool:
        return self.process is not None and not self.process.life.is_paused


class Cluster:
    """All machines of one simulation, and what can be done to them."""

    def __init__(
        self,
        dice: Random,
        fabric: Fabric,
        trace: Trace,
        *,
        settings: Mapping[str, str],
        mutations: frozenset[Any] = frozenset(),
        watch: Callable[[str, str], Watcher | None] = lambda host, path: None,
        on_crash: Callable[[Machine, BaseException], None] = lambda machine, error: None,
        on_unclean_end: Callable[[Machine], None] = lambda machine: None,
        on_formatted: Callable[[Machine, bytes], None] = lambda machine, directory: None,
        on_clean_end: Callable[[Machine], None] = lambda machine: None,
    ) -> None:
        """`on_formatted` is told the directory of a machine's metadata log before each start."""
        self.dice = dice
        self.fabric = fabric
        self.trace = trace
        self.machines: dict[int, Machine] = {}
        self.settings = dict(settings)
        self._mutations = mutations
        self._watch = watch
        self._on_crash = on_crash
        self._on_unclean_end = on_unclean_end
        self._on_formatted = on_formatted
        self.first_voters: list[Voter] = []
        """Empty when settings name the voters."""
        self._on_clean_end = on_clean_end
        self._nursery: trio.Nursery | None = None

    @property
    def brokers(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.is_broker]

    @property
    def controllers(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.is_controller]

    @property
    def bootstrap(self) -> list[str]:
        return [f"{machine.host}:{BROKER_PORT}" for machine in self.brokers]

    def add(self, node_id: int, roles: str) -> Machine:
        """A new machine with an empty disk. Voters are those that are added before the start."""
        dice = Random(self.dice.getrandbits(64))
        host = f"n{node_id}"
        medium = Medium(dice, lambda path: self._watch(host, path))
        machine = Machine(node_id, roles, medium, dice)
        self.machines[node_id] = machine
        return machine

    def found_quorum(self, how: str, dice: Random) -> None:
        """Choose the voters that a quorum is formatted with whose voters may change later."""
        founders = self.controllers[:1] if how == "standalone" else self.controllers
        for machine in founders:
            machine.founds = True
            endpoint = VoterEndpoint("CONTROLLER", machine.host, CONTROLLER_PORT)
            voter = Voter(machine.node_id, new_uuid(dice.randbytes), (endpoint,))
            self.first_voters.append(voter)

    def config(self, machine: Machine) -> Config:
        """server.properties of a machine."""
        listeners = []
        if machine.is_broker:
            listeners.append(f"PLAINTEXT://{machine.host}:{BROKER_PORT}")
        if machine.is_controller:
            listeners.append(f"CONTROLLER://{machine.host}:{CONTROLLER_PORT}")
        addresses = [f"{c.host}:{CONTROLLER_PORT}" for c in self.controllers]
        found_at = "controller.quorum.bootstrap.servers"
        if not self.first_voters:
            found_at = "controller.quorum.voters"
            addresses = [f"{c.node_id}@{c.host}:{CONTROLLER_PORT}" for c in self.controllers]
        replicas = str(min(3, len(self.brokers)))
        properties = {
            "process.roles": machine.roles,
            "node.id": str(machine.node_id),
            "listeners": ",".join(listeners),
            "controller.listener.names": "CONTROLLER",
            found_at: ",".join(addresses),
            "log.dirs": DATA,
            "metadata.log.dir": METADATA,
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "500",
            **self.settings,
        }
        if machine.rack:
            properties["broker.rack"] = machine.rack
        return read_config(properties, hostname=machine.host)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold the processes until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    def _tell(
        self, machine: Machine, kind: str, cause: int | None = None, **fields: object
    ) -> None:
        """Something has become of a machine."""
        machine.fates.append((trio.current_time(), kind))
        self.trace.event(kind, node=machine.host, cause=cause, **fields)

    # What can be done to a machine.

    def start(self, machine: Machine, cause: int | None = None) -> Process:
        """Start a process on a machine that has none; formats what is new."""
        assert machine.process is None and self._nursery is not None
        machine.lives += 1
        life = Life()
        clock = SimClock(rate=machine.clock_rate, wall_offset_ms=machine.wall_offset_ms, life=life)
        process = machine.process = Process(machine.lives, life, clock)
        self._tell(machine, "start", cause, life=machine.lives)
        self._nursery.start_soon(self._run, machine, process)
        return process

    async def _run(self, machine: Machine, process: Process) -> None:
        current_node.set(machine.host)
        disk: Disk = SimDisk(machine.medium, process.life)
        config = self.config(machine)
        network: Network = self.fabric.host(machine.host, process.life)
        if (detail := self.trace.detail) is not None:
            disk = detail.observer.disk(machine.host, disk)
            network = detail.observer.network(machine.host, network)
        dice = Random(machine.dice.getrandbits(64))

        def ready(node: Any) -> None:
            process.node = node
            self._tell(machine, "serving", life=process.number)

        try:
            with process.scope:
                format_directories(
                    config,
                    disk,
                    CLUSTER_ID,
                    ignore_formatted=True,
                    voters=self.first_voters if machine.founds else (),
                    randbytes=dice.randbytes,
                )
                if (meta := meta_properties.read(disk, METADATA)) is not None:
                    self._on_formatted(machine, bytes(meta.directory_id or b""))
                await serve(
                    config,
                    clock=process.clock,
                    dice=dice,
                    disk=disk,
                    network=network,
                    shutdown=process.shutdown,
                    ready=ready,
                    mutations=self._mutations,
                )
        except BaseException as error:
            cancelled, failure = _split(error)
            if process.life.is_alive:
                process.failure = failure
            if cancelled is not None:
                raise cancelled from None
        finally:
            self._ended(machine, process)

    def _ended(self, machine: Machine, process: Process) -> None:
        process.done.set()
        if machine.process is process:
            machine.process = None
        if process.life.is_alive:
            process.life.end()
            machine.medium.locks.clear()
            self.fabric.kill(machine.host)
            if process.failure is None:
                self._tell(machine, "stopped", life=process.number)
                if process.shutdown.is_set():
                    self._on_clean_end(machine)
            else:
                words = describe(process.failure)
                self._tell(machine, "crashed", life=process.number, error=words)
                self._on_unclean_end(machine)
                self._on_crash(machine, process.failure)

    def kill(self, machine: Machine, cause: int | None = None) -> None:
        """SIGKILL: the page cache stays, peers are told by resets."""
        self._end(machine, "kill", cause)
        self.fabric.kill(machine.host)

    def lose_power(self, machine: Machine, cause: int | None = None) -> None:
        """The machine stops: unsynced writes are lost in part, peers are told nothing."""
        self._end(machine, "power-loss", cause)
        self.fabric.lose_power(machine.host)
        self.unplug(machine)

    def unplug(self, machine: Machine, cause: int | None = None) -> None:
        """A machine on which nothing runs any more loses power: what ended cleanly is durable."""
        lost = machine.medium.lose_power()
        self.trace.event("unsynced-lost", node=machine.host, cause=cause, changes=lost)

    def _end(self, machine: Machine, kind: str, cause: int | None) -> None:
        process = machine.process
        self._tell(machine, kind, cause)
        machine.process = None
        self._on_unclean_end(machine)
        if process is not None:
            process.life.resume()
            process.life.end()
            machine.medium.locks.clear()
            process.scope.cancel()

    def pause(self, machine: Machine, cause: int | None = None) -> None:
        if machine.process is not None:
            self._tell(machine, "pause", cause)
            machine.process.life.pause()

    def resume(self, machine: Machine, cause: int | None = None) -> None:
        if machine.process is not None and machine.process.life.is_paused:
            self._tell(machine, "resume", cause)
            machine.process.life.resume()
            self.fabric.resumed(machine.host)

    async def stop(self, machine: Machine, within_s: float = 20.0) -> bool:
        """SIGTERM, and SIGKILL when that takes too long; whether it went by itself."""
        process = machine.process
        if process is None:
            return True
        self._tell(machine, "shutdown")
        process.shutdown.set()
        with trio.move_on_after(within_s):
            await process.done.wait()
            return True
        if machine.process is process:
            self.kill(machine)
        return False


def _split(
    error: BaseException,
) -> tuple[BaseException | None, BaseException | None]:
    """(what trio needs to have back, what went wrong) of what a process ended with."""
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(trio.Cancelled)
        if rest is not None:
            rest = rest.split(Killed)[1]
        return cancelled, rest
    if isinstance(error, trio.Cancelled):
        return error, None
    return None, None if isinstance(error, Killed) else error


def leaves(error: BaseException) -> list[BaseException]:
    """The errors inside of groups of groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


def describe(error: BaseException) -> str:
    """What a process ended with, in one line."""
    return "; ".join(f"{type(leaf).__name__}: {leaf}" for leaf in leaves(error))


def is_refusal(error: BaseException) -> bool:
    """Whether a process ended because the world let it down, and it said so."""
    from raftka.kraft.raft.journal import CorruptJournal
    from raftka.model.ports import BrokenConnection
    from raftka.storage.meta_properties import BadDirectory

    expected = (OSError, KafkaError, BadDirectory, CorruptJournal, BrokenConnection)
    return all(isinstance(leaf, expected) for leaf in leaves(error))


def is_gone(error: BaseException) -> bool:
    """Whether a process ended because the cluster does not know its broker any more."""
    found = leaves(error)
    unknown = ErrorCode.BROKER_ID_NOT_REGISTERED
    return all(isinstance(leaf, KafkaError) and leaf.code == unknown for leaf in found)
