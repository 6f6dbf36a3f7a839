"""The simulated machines, and what runs on them: the deployed composition, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import trio

# A node imports these on first use; in a simulation files are out of reach while nodes run.
import raftka.broker.coordinators.replicated_log
import raftka.broker.replication.leader_fetcher
import raftka.model.settings.sasl_rules
import raftka.storage.cleaning.job  # noqa: F401
from raftka.broker import coordination, routes
from raftka.broker.serve import serve
from raftka.formatting import format_directories, new_uuid
from raftka.kraft.raft.port import Voter, VoterEndpoint
from raftka.kraft.sections.scram import NO_CREDENTIALS
from raftka.model import compression
from raftka.model.ports import Disk, Network
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.model.settings import Config, read_config
from raftka.simulations.machines import logins
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.endings import describe, split
from raftka.simulations.machines.life import Life, current_node
from raftka.simulations.machines.machine import (
    BROKER_PORT,
    CONTROLLER_PORT,
    DATA,
    METADATA,
    Machine,
    Process,
)
from raftka.simulations.machines.medium import Medium, Watcher
from raftka.simulations.machines.network import Fabric
from raftka.simulations.machines.tls import SimTls
from raftka.simulations.trace import Trace
from raftka.storage import meta_properties

routes.import_all()
coordination.import_all()
compression.library()

CLUSTER_ID = "simulatedClusterOfRaftka"


class Cluster:
    """All machines of one simulation, and the operations on them."""

    def __init__(
        self,
        dice: Random,
        fabric: Fabric,
        trace: Trace,
        *,
        settings: Mapping[str, str],
        rules_off: RulesOff = ALL_HOLD,
        watch: Callable[[str, str], Watcher | None] = lambda host, path: None,
        on_crash: Callable[[Machine, BaseException], None] = lambda machine, error: None,
        on_unclean_end: Callable[[Machine], None] = lambda machine: None,
        on_formatted: Callable[[Machine, bytes], None] = lambda machine, directory: None,
        on_clean_end: Callable[[Machine], None] = lambda machine: None,
    ) -> None:
        """`on_formatted` gets the directory id of a machine's metadata log before each start."""
        self.dice = dice
        self.fabric = fabric
        self.trace = trace
        self.machines: dict[int, Machine] = {}
        self.settings = dict(settings)
        self.bridge_port = 0
        """See `Plan.bridge_port`."""
        self._rules_off = rules_off
        self.watch = watch
        self._on_crash = on_crash
        self.on_unclean_end = on_unclean_end
        self.on_formatted = on_formatted
        self.on_disk_error: Callable[[str, str], None] = lambda host, path: None
        self.first_voters: list[Voter] = []
        """Empty when settings name the voters."""
        self.on_clean_end = on_clean_end
        self._nursery: trio.Nursery | None = None

    @property
    def asks_for_logins(self) -> str | None:
        """The protocol of brokers that require a login; None without one
        (simulations/machines/logins.py).
        """
        return logins.protocol_of(self.settings)

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
        """A new machine with an empty disk. Voters are the machines added before the start."""
        dice = Random(self.dice.getrandbits(64))
        host = f"n{node_id}"
        medium = Medium(dice, lambda path: self.watch(host, path))
        medium.on_error = lambda path: self.on_disk_error(host, path)
        machine = Machine(node_id, roles, medium, dice)
        self.machines[node_id] = machine
        return machine

    def found_quorum(self, how: str, dice: Random) -> None:
        """Choose the voters of a new quorum whose voters may change later."""
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
        properties: dict[str, str] = {}
        if self.bridge_port and machine.is_broker:
            port = self.bridge_port + machine.node_id - 1
            advertised = f"{listeners[0]},BRIDGE://127.0.0.1:{port}"
            listeners.append(f"BRIDGE://{machine.host}:{port}")
            properties = {
                "advertised.listeners": advertised,
                "inter.broker.listener.name": "PLAINTEXT",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
                "BRIDGE:PLAINTEXT",
            }
        properties |= {
            "process.roles": machine.roles,
            "node.id": str(machine.node_id),
            # Four heartbeats within a lease: more would show nothing here, where faults are events.
            "raftka.quorum.heartbeat.ms": "3600000",
            "listeners": ",".join(listeners),
            "controller.listener.names": "CONTROLLER",
            found_at: ",".join(addresses),
            "log.dirs": DATA,
            "metadata.log.dir": METADATA,
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": str(min(2, len(self.brokers))),
            "transaction.state.log.num.partitions": "4",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "2000",
            "group.initial.rebalance.delay.ms": "500",
            **self.settings,
            **logins.of_node(self.settings, machine.host),
        }
        if machine.rack:
            properties["broker.rack"] = machine.rack
        return read_config(properties, hostname=lambda: machine.host)

    def high_watermark(self, host: str, partition: str) -> int | None:
        """The node's own high watermark, for traces only; None when it has no such replica."""
        topic, _, index = partition.rpartition("-")
        for machine in self.machines.values():
            if machine.host == host and machine.is_broker and machine.process is not None:
                if machine.process.node is None:
                    return None
                replica = machine.process.node.replicas.get(topic, int(index))
                return None if replica is None else int(replica.state.high_watermark)
        return None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the processes' nursery open until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    def _tell(
        self, machine: Machine, kind: str, cause: int | None = None, **fields: object
    ) -> None:
        """Notify observers of a change of a machine."""
        machine.fates.append((trio.current_time(), kind))
        self.trace.event(kind, node=machine.host, cause=cause, **fields)

    # Operations on a machine.

    def start(self, machine: Machine, cause: int | None = None) -> Process:
        """Start a process on a machine without one; formats new directories."""
        assert machine.process is None and self._nursery is not None
        machine.lives += 1
        machine.medium.process_ended()
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
            network = detail.network(machine.host, network, lambda: process.life.is_alive)
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
                    scram=logins.credentials() if self.asks_for_logins else NO_CREDENTIALS,
                    randbytes=dice.randbytes,
                )
                if (meta := meta_properties.read(disk, METADATA)) is not None:
                    self.on_formatted(machine, bytes(meta.directory_id or b""))
                await serve(
                    config,
                    clock=process.clock,
                    dice=dice,
                    disk=disk,
                    network=network,
                    shutdown=process.shutdown,
                    tls=SimTls(process.clock.wall_ms, self._rules_off),
                    ready=ready,
                    rules_off=self._rules_off,
                )
        except BaseException as error:
            cancelled, failure = split(error)
            if process.life.is_alive:
                process.failure = failure
            if cancelled is not None:
                raise cancelled from None
        finally:
            self._ended(machine, process)

    def _ended(self, machine: Machine, process: Process) -> None:
        process.done.set()
        if machine.process is process:
            machine.end_process()
        if process.life.is_alive:
            process.life.end()
            machine.medium.locks.clear()
            self.fabric.kill(machine.host)
            if process.failure is None:
                self._tell(machine, "stopped", life=process.number)
                if process.shutdown.is_set():
                    self.on_clean_end(machine)
            else:
                words = describe(process.failure)
                self._tell(machine, "crashed", life=process.number, error=words)
                self.on_unclean_end(machine)
                self._on_crash(machine, process.failure)

    def kill(self, machine: Machine, cause: int | None = None) -> None:
        """SIGKILL: the page cache stays, peers see resets."""
        self._end(machine, "kill", cause)
        self.fabric.kill(machine.host)

    def lose_power(self, machine: Machine, cause: int | None = None) -> None:
        """The machine stops: unsynced writes are lost in part, peers see nothing."""
        self._end(machine, "power-loss", cause)
        self.fabric.lose_power(machine.host)
        self.unplug(machine)

    def unplug(self, machine: Machine, cause: int | None = None) -> None:
        """A machine without a process loses power: after a clean shutdown everything is durable."""
        lost = machine.medium.lose_power()
        self.trace.event("unsynced-lost", node=machine.host, cause=cause, changes=lost)

    def _end(self, machine: Machine, kind: str, cause: int | None) -> None:
        process = machine.process
        self._tell(machine, kind, cause)
        machine.end_process()
        self.on_unclean_end(machine)
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

    async def stop(
        self, machine: Machine, cause: int | None = None, within_s: float = 20.0
    ) -> bool:
        """SIGTERM, then SIGKILL if that takes too long; whether the process ended by itself."""
        process = machine.process
        if process is None:
            return True
        self._tell(machine, "shutdown", cause)
        process.shutdown.set()
        with trio.move_on_after(within_s):
            await process.done.wait()
            return True
        if machine.process is process:
            self.kill(machine, cause)
        return False
