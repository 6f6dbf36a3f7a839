"""Composes a node and runs it: what starts when, and what stops when.

    serve(config, clock=, dice=, disk=, network=, shutdown=)

is all that production and simulation have in common with the outside; they differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from raftka.broker.auto_creation import create_topic, ensure_internal_topic
from raftka.broker.binding import bind, number_listeners
from raftka.broker.cleaning import cleaning
from raftka.broker.controller.service import ControllerService
from raftka.broker.coordination import Coordinators
from raftka.broker.directories import Directories, cordoned, open_directories
from raftka.broker.disk_room import DiskRoom
from raftka.broker.housekeeping import end_without_directories, housekeeping
from raftka.broker.lifecycle import Identity, Lifecycle
from raftka.broker.metadata_loader import SnapshotAfterDowngrade
from raftka.broker.node import Node
from raftka.broker.pacing import PacedPublisher
from raftka.broker.quorum_setup import controller_endpoints, make_quorum
from raftka.broker.quotas.service import Quotas
from raftka.broker.replication.data_plane import DataPlane
from raftka.broker.replication.placements import Placements
from raftka.broker.replication.producer_ids import ProducerIds
from raftka.broker.routes import forwarded_routes, routes
from raftka.broker.security import authentication_for
from raftka.kraft.controller.features import supported_features
from raftka.model.ids import Uuid
from raftka.model.logs import get_logger
from raftka.model.ports import Clock, Dice, Disk, Network, Tls
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.model.settings import Config
from raftka.model.settings.listener_settings import ListenerSettings
from raftka.model.settings.listeners import PROTOCOLS, metrics_endpoint
from raftka.net.admission import Admission, Limits, parse_overrides
from raftka.net.dispatch import Dispatcher
from raftka.net.server import Server
from raftka.net.session import host_of
from raftka.storage.cleaning.cleaner import Cleaner
from raftka.storage.config import LogConfig

if TYPE_CHECKING:
    from raftka.broker.metrics.process import ProcessFigures

log = get_logger(__name__)

RAFT_PREAMBLE = b"RFTK"
_CONTROLLED_SHUTDOWN_S = 10.0
_RESIGNATION_S = 1.0


async def serve(
    config: Config,
    *,
    clock: Clock,
    dice: Dice,
    disk: Disk,
    network: Network,
    shutdown: trio.Event,
    tls: Tls | None = None,
    composed: Callable[[Node], None] | None = None,
    ready: Callable[[Node], None] | None = None,
    rules_off: RulesOff = ALL_HOLD,
    process_figures: ProcessFigures | None = None,
) -> None:
    """Run a node until `shutdown` is set and leadership has moved away.

    `tls` is OpenSSL unless it is given. `composed` is called once the node has its directories and
    its services, before anything runs. `ready` is called when the node serves: a broker once it is
    unfenced, a controller once it listens. To the cluster, cancelling is a crash.

    Raises if the node cannot start: FormatError for its directories, OSError for its ports,
    KafkaError if the controllers refuse it.
    """
    directories = open_directories(disk, config)
    try:
        node = Node(
            config,
            first_scram=directories.first_scram,
            cluster_id=directories.cluster_id,
            directory_id=directories.metadata_directory_id,
            controllers=controller_endpoints(config),
            clock=clock,
            dice=dice,
            disk=disk,
            network=network,
            tls=tls,
            rules_off=rules_off,
        )
        await number_listeners(node)
        _compose(node, directories)
        if composed is not None:
            composed(node)
        await _run(node, shutdown, ready, process_figures)
    finally:
        directories.release()


def _compose(node: Node, directories: Directories) -> None:
    node.quorum = make_quorum(node, directories)
    node.loader.add(SnapshotAfterDowngrade(node.quorum.want_snapshot).published)
    if node.is_controller:
        node.controller = ControllerService(
            node_id=node.node_id,
            cluster_id=node.cluster_id,
            config=node.config,
            quorum=node.quorum,
            clock=node.clock,
            dice=node.dice,
            network=node.network,
            first_levels=directories.first_levels,
            first_scram=directories.first_scram,
            rules_off=node.rules_off,
        )
        node.forwarded = Dispatcher(node, forwarded_routes(), authorizer=node.authorizer)
        node.loader.add(node.controller.published)
    if node.is_broker:
        _compose_broker(node, directories)
    else:
        node.loader.add(node.follow_configs)


async def _run(
    node: Node,
    shutdown: trio.Event,
    ready: Callable[[Node], None] | None,
    process_figures: ProcessFigures | None,
) -> None:
    reporter = None
    if (where := metrics_endpoint(node.config)) is not None:
        # Without a metrics listener, import and count nothing.
        from raftka.broker.metrics.reporter import Reporter

        reporter = Reporter(node, await node.network.listen(*where), process_figures)
    exporter = None
    if node.config.optional_text("raftka.otlp.traces.endpoint"):
        from raftka.broker.span_exporter import exporter_of

        exporter = exporter_of(node)
    bound = await bind(node, "controller")
    # Detect a port that is in use before the broker registers. The ports are opened when it can
    # serve: clients that wait in a backlog would not try another broker.
    for listener in (await bind(node, "broker")).values():
        listener.close()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.channels.run)
        if reporter is not None:
            nursery.start_soon(reporter.run)
        if exporter is not None:
            nursery.start_soon(exporter.run)
        if node.is_controller:
            await nursery.start(node.controller.run)
        for name, listener in bound.items():
            nursery.start_soon(_server(node, name).run, listener)
        await nursery.start(node.quorum.run)
        if node.is_broker:
            async with trio.open_nursery() as broker_tasks:
                roles = await _start_broker(node, broker_tasks)
                if ready is not None:
                    ready(node)
                await shutdown.wait()
                await _stop_broker(node)
                roles.stop()
                broker_tasks.cancel_scope.cancel()
            await node.logs.close(node.broker_epoch)
        else:
            if ready is not None:
                ready(node)
            await shutdown.wait()
        if node.is_controller:
            # The other voters elect at once, instead of after their connections break.
            with node.clock.within(_RESIGNATION_S):
                await node.quorum.resign()
        log.info(f"node {node.node_id} has shut down")
        nursery.cancel_scope.cancel()


def _compose_broker(node: Node, directories: Directories) -> None:
    config = node.config
    node.logs = directories.log_manager(
        config,
        node.clock,
        node.dice,
        node.rules_off,
        node.verifies_transactions,
        lambda: cordoned(node.config),
    )
    node.disk_room = DiskRoom(node.disk, lambda: node.config.int("raftka.log.dirs.reserve.bytes"))
    node.cleaner = Cleaner(node.logs, node.disk, node.clock, node.rules_off)
    plane = node.data_plane = DataPlane(
        config,
        node.logs,
        node.channels,
        clock=node.clock,
        dice=node.dice,
        network=node.broker_network,
        turn=node.turn,
        endpoint=node.broker_endpoint,
        broker_epoch=lambda: node.broker_epoch,
        log_defaults=lambda: LogConfig.from_overrides(node.config.topic_defaults()),
        rules_off=node.rules_off,
        move_rate=lambda: node.config.int("replica.alter.log.dirs.io.max.bytes.per.second"),
    )
    node.replicas = plane.replicas
    node.deadlines = plane.deadlines
    node.fetch_sessions = plane.fetch_sessions
    node.fetch_reader = plane.fetch_reader
    node.fetch_max_bytes = plane.fetch_max_bytes
    node.admission = Admission(
        lambda: Limits(
            node.config.int("max.connections"),
            node.config.int("max.connections.per.ip"),
            parse_overrides(node.config.text("max.connections.per.ip.overrides")),
        )
    )
    node.quotas = Quotas(config, node.clock)
    node.loader.add(node.quotas.published)
    node.producer_ids = ProducerIds(node.node_id, node.channels, lambda: node.broker_epoch)
    node.coordinators = Coordinators(
        config,
        plane.replicas,
        node.peers,
        node.producer_ids,
        clock=node.clock,
        dice=node.dice,
        turn=node.turn,
        verifies=node.verifies_transactions,
        ensure_topic=partial(ensure_internal_topic, node),
        create_topic=partial(create_topic, node),
        config_now=lambda: node.config,
        rules_off=node.rules_off,
    )
    plane.replicas.placements = _placements(node, directories)
    node.lifecycle = _lifecycle(node, directories)
    plane.fetchers.on_contact = node.suspects.contact
    plane.replicas.on_failed_dir(node.lifecycle.wake)


def _lifecycle(node: Node, directories: Directories) -> Lifecycle:
    config = node.config
    session_s = config.int("broker.session.timeout.ms") / 1000

    def heard(sent_s: float) -> None:
        node.replicas.index.lease_until_s = sent_s + session_s

    return Lifecycle(
        Identity(
            broker_id=node.node_id,
            cluster_id=node.cluster_id,
            incarnation_id=Uuid(node.dice.randbytes(16)),
            listeners=tuple(
                (each.name, each.advertised)
                for each in node.listeners.values()
                if each.kind == "broker"
            ),
            security_protocols=tuple(
                (each.name, PROTOCOLS.index(each.protocol)) for each in node.listeners.values()
            ),
            rack=config.optional_text("broker.rack"),
            log_dirs=directories.directory_ids,
            features=supported_features(),
            previous_broker_epoch=directories.previous_broker_epoch,
        ),
        node.channels,
        node.clock,
        interval_s=config.int("broker.heartbeat.interval.ms") / 1000,
        registration_timeout_s=config.int("initial.broker.registration.timeout.ms") / 1000,
        metadata_offset=lambda: node.image.offset,
        offline_log_dirs=lambda: list(directories.ids_of(node.logs.offline)),
        cordoned_log_dirs=lambda: list(directories.ids_of(cordoned(node.config))),
        heard=heard,
    )


def _placements(node: Node, directories: Directories) -> Placements:
    known = directories.identities
    identities = {path: known[path] for path in directories.paths if path in known}
    return Placements(
        node.node_id, identities, node.channels, node.clock, lambda: node.broker_epoch
    )


async def _start_broker(node: Node, tasks: trio.Nursery) -> PacedPublisher:
    """Recover, register, catch up, serve: in this order (KIP-631). Returns the publisher that
    applies partition roles from then on."""
    for line in await node.logs.load():
        log.warning(line)
    tasks.start_soon(node.lifecycle.run)
    epoch = await node.lifecycle.registered()
    # Until this process's own registration the log describes its previous incarnation, which led
    # partitions that others lead by now: apply roles from the current metadata on.
    await node.loader.wait_until(
        lambda image: (me := image.brokers.get(node.node_id)) is not None and me.epoch >= epoch
    )
    if node.authorizer is not None:
        node.authorizer.knows_acls = True
    followers = [node.replicas.publish, node.coordinators.publish]
    roles = PacedPublisher(followers, node.clock, node.replicas.prepare)
    node.loader.add(node.suspects.published, node.follow_configs, roles)
    tasks.start_soon(node.peers.run)
    tasks.start_soon(roles.run)
    tasks.start_soon(node.data_plane.run)
    if node.replicas.placements is not None:
        tasks.start_soon(node.replicas.placements.run)
    node.coordinators.start(tasks)
    tasks.start_soon(housekeeping, node)
    tasks.start_soon(cleaning, node)
    tasks.start_soon(end_without_directories, node)
    bound = await bind(node, "broker")
    await roles.caught_up()
    # Answer clients that connect now only once this broker may lead: otherwise a single node would
    # answer its first client that no broker can host its topic.
    await node.lifecycle.unfenced()
    for name, listener in bound.items():
        tasks.start_soon(_server(node, name).run, listener)
    return roles


async def _stop_broker(node: Node) -> None:
    """Move leadership away first, while this broker still serves."""
    node.is_stopping = True
    log.info(f"broker {node.node_id} is shutting down; its leadership moves first")
    if not node.config.flag("controlled.shutdown.enable"):
        log.info("controlled.shutdown.enable is off: others notice its broken connections")
    elif not await node.lifecycle.controlled_shutdown(_CONTROLLED_SHUTDOWN_S):
        log.warning(
            f"broker {node.node_id}: no controller moved its leadership within"
            f" {_CONTROLLED_SHUTDOWN_S:g} s; it stops all the same"
        )
    await node.replicas.checkpoint_high_watermarks()


def _server(node: Node, name: str) -> Server:
    kind = node.listener_kind(name)
    # Only nodes of the cluster connect to controllers: neither limit nor delay their connections.
    serves_clients = kind == "broker"
    settings = ListenerSettings(node.config, name)
    dispatcher = Dispatcher(
        node,
        routes(kind),
        forward=node.forward,
        authorizer=node.authorizer,
        stats=node.request_stats,
        meter=node.quotas if serves_clients else None,
    )
    server = Server(
        dispatcher if node.spans is None else node.spans.around(dispatcher, name),
        name=name,
        turn=node.turn,
        clock=node.clock,
        max_frame_bytes=node.config.int("socket.request.max.bytes"),
        max_idle_s=node.config.int("connections.max.idle.ms") / 1000,
        admission=node.admission if serves_clients else None,
        arrival=partial(_hold_s, node) if serves_clients else None,
        preambles={RAFT_PREAMBLE: node.accept_raft} if kind == "controller" else {},
        poller=node.network.poller() if kind == "broker" else None,
        authentication=authentication_for(
            settings,
            node.listeners[name].protocol,
            network=node.network,
            clock=node.clock,
            dice=node.dice,
            credentials=node.scram_credentials,
            tokens=node.token,
            rules_off=node.rules_off,
        ),
        secure=node.tls[name],
        max_token_bytes=settings.int("sasl.server.max.receive.size"),
    )
    node.servers.append(server)
    return server


def _hold_s(node: Node, peer: str) -> float:
    """How long a connection above its address's rate is held before it is closed (KIP-612)."""
    rates = node.quotas.connections
    if not rates.is_active:
        return 0.0
    return rates.open(host_of(peer), int(node.clock.monotonic() * 1000)) / 1000
