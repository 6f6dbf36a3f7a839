"""A node as its handlers see it: the services of this process and their shared state.

broker/serve.py composes, starts and stops them. Paths through a node: ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, TypeVar

from raftka.broker import dynamic_settings
from raftka.broker.channels import Channels
from raftka.broker.forwarding import forward
from raftka.broker.metadata_loader import MetadataLoader
from raftka.broker.no_controller import NoController
from raftka.broker.peers import Peers
from raftka.broker.security import network_for, tls_for
from raftka.broker.suspects import Suspects
from raftka.kraft.authorizer import authorizer_of
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.kraft.sections.scram import NO_CREDENTIALS, ScramKey
from raftka.model.access import CLUSTER_NAME, Operation, ResourceType
from raftka.model.ids import NO_BROKER, Endpoint
from raftka.model.settings.listener_settings import ListenerSettings
from raftka.model.settings.listeners import Listener, listeners
from raftka.net.answers import Turn
from raftka.net.protocol.message import Request, Response
from raftka.net.router import CloseConnection

if TYPE_CHECKING:
    from raftka.broker.client_metrics import ClientMetrics
    from raftka.broker.controller.service import ControllerService
    from raftka.broker.coordination import Coordinators
    from raftka.broker.coordinators.group.service import GroupCoordinatorService
    from raftka.broker.coordinators.group.share.service import ShareGroupService
    from raftka.broker.coordinators.share.service import ShareCoordinatorService
    from raftka.broker.coordinators.transaction.service import TransactionCoordinatorService
    from raftka.broker.disk_room import DiskRoom
    from raftka.broker.lifecycle import Lifecycle
    from raftka.broker.metadata_history import MetadataHistory
    from raftka.broker.quotas.service import Quotas
    from raftka.broker.recorded import RecorderReader
    from raftka.broker.replication.data_plane import DataPlane
    from raftka.broker.replication.deadlines import Deadlines
    from raftka.broker.replication.fetch_reader import FetchReader
    from raftka.broker.replication.fetch_session import SessionCache
    from raftka.broker.replication.joining import Joining
    from raftka.broker.replication.producer_ids import ProducerIds
    from raftka.broker.replication.replica_manager import ReplicaManager
    from raftka.broker.replication.verifier import Verifier
    from raftka.broker.share.service import ShareService
    from raftka.broker.telemetry import Telemetry
    from raftka.kraft.raft.quorum import Quorum
    from raftka.model.ports import Clock, Connection, Dice, Disk, Network, Piece, Tls
    from raftka.model.rules import RulesOff
    from raftka.model.scram import ScramCredential
    from raftka.model.settings import Config
    from raftka.net.admission import Admission
    from raftka.net.dispatch import Dispatcher
    from raftka.net.request_spans import Spans
    from raftka.net.request_stats import RequestStats
    from raftka.net.router import Context
    from raftka.net.security.scram import Known
    from raftka.net.server import Server
    from raftka.net.session import Session
    from raftka.storage.cleaning.cleaner import Cleaner
    from raftka.storage.log_manager import LogManager

R = TypeVar("R", bound=Response)


class Node:
    """One process of the cluster: broker, controller, or both.

    Services of a role that this node does not have are never used: its listeners do not serve their
    APIs. broker/serve.py sets the services before any listener opens.
    """

    controller: ControllerService
    lifecycle: Lifecycle
    logs: LogManager
    cleaner: Cleaner
    disk_room: DiskRoom
    data_plane: DataPlane
    coordinators: Coordinators
    producer_ids: ProducerIds
    quorum: Quorum
    forwarded: Dispatcher[Node]
    """Handles requests that brokers forward for clients."""
    admission: Admission
    request_stats: RequestStats | None = None
    """None if no listener serves metrics."""
    spans: Spans | None = None
    """The spans of requests; None if no collector is configured."""
    recorder: RecorderReader | None = None
    """Reads this node's flight recorder; None if there is none."""
    is_stopping = False
    """Whether the broker has started its controlled shutdown."""
    quotas: Quotas

    # The data plane's services, by the names that the hot handlers use.
    replicas: ReplicaManager
    deadlines: Deadlines
    fetch_sessions: SessionCache
    fetch_reader: FetchReader
    fetch_max_bytes: int

    def __init__(
        self,
        config: Config,
        *,
        cluster_id: str,
        directory_id: bytes,
        controllers: dict[int, Endpoint],
        clock: Clock,
        dice: Dice,
        disk: Disk,
        network: Network,
        rules_off: RulesOff,
        tls: Tls | None = None,
        first_scram: Mapping[ScramKey, ScramCredential] = NO_CREDENTIALS,
    ) -> None:
        self.config = config
        """The node's settings, with the dynamic ones of the metadata."""
        self.cluster_id = cluster_id
        self.node_id = config.int("node.id")
        self.directory_id = directory_id
        roles = config.names("process.roles")
        self.is_broker = "broker" in roles
        self.is_controller = "controller" in roles
        self.listeners: dict[str, Listener] = {each.name: each for each in listeners(config)}
        self.clock = clock
        self.dice = dice
        self.disk = disk
        self.network = network
        reach = partial(network_for, self.listener_settings, config, network, clock, dice, tls=tls)
        self.broker_network = reach(controllers=False)
        """Connects to brokers, with the security protocol of their listener."""
        self.controller_network = reach(controllers=True)
        """The same for controllers."""
        self._first_scram = first_scram
        self.tls_port = tls
        """The TLS implementation; None for OpenSSL."""
        self.tls = {
            name: tls_for(partial(self.listener_settings, name), each.protocol, clock, tls)
            for name, each in self.listeners.items()
        }
        """By listener name: the TLS context of its connections; None without TLS."""
        self.rules_off = rules_off
        self.turn = Turn()
        self.servers: list[Server] = []
        """The open listeners."""
        self.authorizer = authorizer_of(config, rules_off)
        """None if every client may do everything."""
        self.loader = MetadataLoader(self._leader_changed)
        if self.authorizer is not None:
            self.loader.add(self.authorizer.published)
        self.channels = Channels(
            node_id=self.node_id,
            network=self.controller_network,
            clock=clock,
            controller=self._controller_endpoint,
        )
        self.peers = Peers(
            node_id=self.node_id,
            network=self.broker_network,
            clock=clock,
            endpoint=self.broker_endpoint,
        )
        self.no_controller = NoController(
            self.node_id, self.controller_network, clock, self.controller_endpoints
        )
        self.suspects = Suspects(clock, self.loader)
        self._bootstrap_controllers = controllers
        self._inter_broker_listener = config.text("inter.broker.listener.name")
        self._active: tuple[int | None, int] = (None, 0)

    @property
    def image(self) -> MetadataImage:
        """The metadata as this node has it now; handlers read it once per request."""
        return self.loader.image

    @property
    def groups(self) -> GroupCoordinatorService:
        """The coordinator of groups on this broker."""
        return self.coordinators.groups

    @property
    def transactions(self) -> TransactionCoordinatorService:
        """The coordinator of transactions on this broker."""
        return self.coordinators.transactions

    @property
    def share_groups(self) -> ShareGroupService:
        """The coordinator of share groups on this broker."""
        return self.coordinators.share_groups

    @property
    def share_states(self) -> ShareCoordinatorService:
        """The coordinator of share-partitions on this broker."""
        return self.coordinators.share_states

    @property
    def share(self) -> ShareService:
        """The share sessions and share-partitions of the partitions that this broker leads."""
        return self.coordinators.share

    @property
    def joining(self) -> Joining:
        """Asks transaction coordinators on behalf of this broker's partitions."""
        return self.coordinators.joining

    @property
    def verifier(self) -> Verifier:
        """Holds transactional produce requests until their coordinator has answered."""
        return self.coordinators.verifier

    @property
    def takes_telemetry(self) -> bool:
        """Whether metrics that clients push can be collected (KIP-714)."""
        return self.is_broker and self.request_stats is not None

    @cached_property
    def telemetry(self) -> Telemetry:
        """The telemetry subscriptions of clients."""
        from raftka.broker.telemetry import Telemetry

        return Telemetry(self.config.int("telemetry.max.bytes"))

    @cached_property
    def client_metrics(self) -> ClientMetrics:
        """The metrics that clients have pushed."""
        from raftka.broker.client_metrics import ClientMetrics

        return ClientMetrics()

    @cached_property
    def metadata_history(self) -> MetadataHistory:
        """The history of leaders in the metadata log, for remote tools."""
        from raftka.broker.metadata_history import MetadataHistory

        return MetadataHistory(self.quorum, self.node_id, self.dice)

    def verifies_transactions(self) -> bool:
        """Whether partitions must verify transactions with their coordinator."""
        return self.config.flag("transaction.partition.verification.enable")

    def listener_settings(self, name: str) -> ListenerSettings:
        """A listener's current settings."""
        return ListenerSettings(self.config, name)

    def scram_credentials(self) -> Mapping[ScramKey, ScramCredential]:
        """The SCRAM credentials that this node knows.

        Before it has any metadata these are the ones that it was formatted with, so that the
        controllers of a new cluster can authenticate each other.
        """
        image = self.image
        return image.scram if image.features else self._first_scram

    def token(self, mechanism: int, token_id: str) -> Known | None:
        """The credential for a login by a delegation token (KIP-48)."""
        from raftka.broker.token_logins import look_up

        secret = self.config.optional_text("delegation.token.secret.key")
        token = self.image.tokens.get(token_id)
        return look_up(secret, token_id, token, mechanism, self.clock.wall_ms())

    @property
    def broker_epoch(self) -> int:
        """The epoch of this process's registration; -1 before it."""
        return self.lifecycle.broker_epoch if self.is_broker else -1

    @property
    def is_active_controller(self) -> bool:
        """Whether this node is the active controller, as far as it knows."""
        return self.is_controller and self.controller.is_active

    @property
    def active_controller_id(self) -> int:
        """The quorum's leader as far as this node knows, or -1."""
        leader, _ = self._active
        return NO_BROKER if leader is None else leader

    def controller_for_clients(self) -> int:
        """A broker to name as controller in answers to clients.

        They send it requests for the controller, which any broker forwards. If the active
        controller is a broker too, it is named, which saves a hop.
        """
        image = self.image
        broker = image.brokers.get(self.active_controller_id)
        if broker is not None and not broker.fenced:
            return broker.broker_id
        alive = image.alive_brokers()
        return alive[0].broker_id if alive else NO_BROKER

    def controller_endpoints(self) -> Mapping[int, Endpoint]:
        """The controllers' endpoints: from the quorum's voter set, or as configured."""
        return self.quorum.addresses() or self._bootstrap_controllers

    def listener_kind(self, name: str) -> Literal["broker", "controller"]:
        """Whether a listener serves brokers or controllers. Raises KeyError for an unknown one."""
        return self.listeners[name].kind

    # Called by the dispatcher (net/dispatch.py).

    def forward(self, context: Context[Node]) -> Awaitable[list[Piece]] | None:
        """Forward a request to the active controller; None if that is this node."""
        if self.listener_kind(context.listener) == "controller" or self.is_active_controller:
            return None
        return forward(self.channels, context, self.no_controller.why)

    async def accept_raft(self, connection: Connection, begun: bytes, session: Session) -> None:
        """Serve a quorum connection from another node until it closes.

        Raises CloseConnection for a client that may not act for the cluster.
        """
        who, where = session.principal, session.client_address
        if self.authorizer is not None and not self.authorizer.allows(
            who, where, Operation.CLUSTER_ACTION, ResourceType.CLUSTER, CLUSTER_NAME
        ):
            raise CloseConnection(
                f"{who} may not take part in the quorum: if that is a node of this cluster, name"
                " it in super.users"
            )
        await self.quorum.accept(connection, begun)

    # Requests to other nodes.

    async def ask_controller(self, request: Request[R], *, timeout_s: float = 30.0) -> R:
        """Send a request to the active controller, as a client's would be forwarded.

        Raises model.ports.BrokenConnection if none answers in time.
        """
        return await self.channels.to_controller(request, timeout_s=timeout_s)

    def _controller_endpoint(self) -> tuple[int, Endpoint] | None:
        leader, _ = self._active
        if leader is None:
            return None
        endpoint = self.controller_endpoints().get(leader)
        return None if endpoint is None else (leader, endpoint)

    def broker_endpoint(self, broker_id: int) -> Endpoint | None:
        """A broker's endpoint for other brokers; None if it is not registered."""
        broker = self.image.brokers.get(broker_id)
        return None if broker is None else broker.endpoint(self._inter_broker_listener)

    # Changes in the quorum.

    def _leader_changed(self, leader_id: int | None, epoch: int) -> None:
        self._active = (leader_id, epoch)
        if self.authorizer is not None and self.is_controller and leader_id is not None:
            # A leading controller has all ACLs before it is active, and a following one decides
            # nothing. A broker serves once it has caught up (broker/serve.py).
            self.authorizer.knows_acls = True
        if self.is_controller:
            self.controller.leader_changed(leader_id, epoch)
        self.channels.controller_changed()
        if self.is_broker:
            self.lifecycle.wake()

    def follow_configs(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Metadata publisher: override the file's settings with the dynamic broker settings."""
        if delta.configs.changed:
            self.config = dynamic_settings.follow(self.config, image, self.node_id)
            dynamic_settings.warn_without_effect(delta)
            if self.is_broker:
                self.data_plane.throttles.follow(self.config, image, delta)
                # The controller learns of cordoned.log.dirs by a heartbeat.
                self.lifecycle.wake()
