"""The active controller at run time: decides, watches the brokers, elects leaders.

Decisions are pure functions (kraft/controller/); this service passes them the image and the live
brokers, and appends their records to the metadata log (broker/controller/writer.py). Every
controller node has one; it is active only from its election as the quorum's leader to the next
change of leader. Its state of a term is soft: when it is deposed, it drops that state, and waiting
requests fail with NOT_CONTROLLER.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import trio

from raftka.broker.controller import upkeep
from raftka.broker.controller.log import ElectionLog, log_brokers
from raftka.broker.controller.probe import probe_endpoint, probe_intervals, refuses
from raftka.broker.controller.schema import SettingsSchema
from raftka.broker.controller.sessions import BrokerSession, BrokerSessions
from raftka.broker.controller.writer import Decide, MetadataWriter, R, not_controller
from raftka.broker.quotas.mutations import MutationCharge, MutationRates
from raftka.broker.quotas.rates import Windows
from raftka.kraft.controller import brokers, features, leaders
from raftka.kraft.controller.brokers import BrokerState, Heartbeat, HeartbeatAnswer, Registration
from raftka.kraft.controller.log_directories import Placement, assign_replicas
from raftka.kraft.controller.result import Result, Rules
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, BrokerImage, MetadataImage
from raftka.kraft.raft.port import QuorumPort
from raftka.kraft.records import OFFSET_OF_THE_BATCH
from raftka.kraft.sections.scram import NO_CREDENTIALS, Credentials
from raftka.model import timers
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import Clock, Dice, Network
from raftka.model.reasons import Why
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.model.settings import Config
from raftka.net.router import Context, NodeT
from raftka.net.session import Session

log = get_logger(__name__)

_TICK_S: Final = 0.25
_SHUTDOWN_PATIENCE_S: Final = 1.0
"""Seconds that a broker which leads nothing any longer waits for the others to learn that."""


class ControllerService:
    """One per node with the controller role. `run` must be running."""

    def __init__(
        self,
        *,
        node_id: int,
        cluster_id: str,
        config: Config,
        quorum: QuorumPort,
        clock: Clock,
        dice: Dice,
        network: Network,
        first_levels: Mapping[str, int] = features.BOOTSTRAP,
        first_scram: Credentials = NO_CREDENTIALS,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        """`first_levels` are the feature levels with which a new cluster starts."""
        self.node_id = node_id
        self.cluster_id = cluster_id
        self.quorum = quorum
        self.dice = dice
        self.image: MetadataImage = EMPTY_IMAGE
        """The committed metadata of the last call of `published`."""
        self.rules = Rules(
            num_partitions=config.int("num.partitions"),
            replication_factor=config.int("default.replication.factor"),
            min_insync_replicas=config.int("min.insync.replicas"),
            unclean_leader_election=config.flag("unclean.leader.election.enable"),
            changes_at_once=config.int("raftka.controller.changes.per.batch"),
            off=rules_off,
        )
        self.schema = SettingsSchema(config)
        self.config = config
        self._clock = clock
        self._mutations = MutationRates(
            Windows(
                config.int("controller.quota.window.num"),
                config.int("controller.quota.window.size.seconds") * 1000,
            )
        )
        self._network = network
        self._first_levels = first_levels
        self._first_scram = first_scram
        self._session_timeout_s = config.int("broker.session.timeout.ms") / 1000
        self._writer = MetadataWriter(quorum, clock, lambda: self.image, self.rules)
        self._sessions = BrokerSessions(self._session_timeout_s, 0.0, ())
        self._shutting_down: dict[tuple[int, int], tuple[int, float]] = {}
        """By broker and epoch: the offset and the time at which it was found to lead nothing."""
        self.elections = ElectionLog(clock)
        self._epoch: int | None = None
        self._term: trio.CancelScope | None = None
        self._term_tasks: trio.Nursery | None = None
        self._activated = trio.Event()

    # ---- notifications from the node

    @property
    def is_active(self) -> bool:
        """Whether this node is the active controller, as far as it knows."""
        return self._epoch is not None

    def published(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Publisher: a batch was committed and replayed."""
        self.image = image
        if delta.client_quotas.changed:
            self._mutations.follow(image.client_quotas)
        if self.is_active:
            self.elections.note(delta.topics.elections)
            log_brokers(delta)
        self._writer.published()

    def leader_changed(self, leader_id: int | None, epoch: int) -> None:
        """The quorum has a new leader, or none."""
        if leader_id == self.node_id:
            if self._epoch != epoch:
                self._resign()
                self._become_active(epoch)
        elif self.is_active:
            log.info(f"controller {self.node_id} resigns", epoch=self._epoch, leader=leader_id)
            self._resign()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Act while this node is the active controller, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._writer.run)
            nursery.start_soon(self.elections.run)
            task_status.started()
            while True:
                await self._activated.wait()
                self._activated = trio.Event()
                if self._epoch is not None:
                    await self._serve_term()

    # ---- for handlers

    async def submit(
        self, decide: Decide[R], *, timeout_ms: int = 60_000, validate_only: bool = False
    ) -> R:
        """Commit the result of `decide`; return its response once committed.

        With `validate_only` nothing is committed. Raises KafkaError: the errors of `decide`,
        NOT_CONTROLLER, REQUEST_TIMED_OUT.
        """
        wanted = decide
        if validate_only:

            def wanted(image: MetadataImage) -> Result[R]:
                return Result((), decide(image).response)

        response, _ = await self._writer.submit(wanted, timeout_s=timeout_ms / 1000)
        return response

    def charge(self, context: Context[NodeT], *, strict: bool) -> MutationCharge:
        """Counts the partitions that a request changes against its client's quota."""

        def now_ms() -> int:
            return int(self._clock.monotonic() * 1000)

        bucket = None
        if self._mutations.is_active:
            user, client_id = context.principal.name, context.client_id or ""
            bucket = self._mutations.bucket(user, client_id, now_ms())
        return MutationCharge(bucket, now_ms, strict=strict)

    async def register_broker(
        self, request: Registration, cluster_id: str, connection: Session | None = None
    ) -> int:
        """Register a broker process; return its epoch.

        Raises KafkaError: INCONSISTENT_CLUSTER_ID, and the errors of
        kraft.controller.brokers.register.
        """
        self._require_active()
        if cluster_id != self.cluster_id:
            words = f"Expected cluster ID {self.cluster_id}, but got cluster ID {cluster_id}."
            raise KafkaError(ErrorCode.INCONSISTENT_CLUSTER_ID, words)

        def decide(image: MetadataImage) -> Result[int]:
            alive = self._other_is_alive(image, request)
            return brokers.register(image, self.rules, request, other_is_alive=alive)

        # Two processes must not get the same epoch, which is an offset: use one batch for each.
        epoch, offset = await self._writer.submit(decide, last_of_batch=True)
        if epoch == OFFSET_OF_THE_BATCH:
            epoch = offset
        self._heard(request.broker_id, epoch, connection)
        return epoch

    async def broker_heartbeat(
        self, beat: Heartbeat, connection: Session | None = None
    ) -> HeartbeatAnswer:
        """Process a broker's heartbeat, and advance its state.

        Raises KafkaError: STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED, NOT_CONTROLLER.
        """
        self._require_active()
        broker = brokers.registered(self.image, beat.broker_id, beat.broker_epoch)
        self._heard(beat.broker_id, beat.broker_epoch, connection, beat.metadata_offset)
        state = self._next_state(self.image, beat)
        if not brokers.has_news(self.image, broker, beat, state):
            return brokers.heartbeat(self.image, self.rules, beat, state).response

        def decide(image: MetadataImage) -> Result[HeartbeatAnswer]:
            return brokers.heartbeat(image, self.rules, beat, self._next_state(image, beat))

        return await self.submit(decide)

    async def assign_replicas(
        self, broker_id: int, broker_epoch: int, placements: Sequence[Placement]
    ) -> list[KafkaError | None]:
        """Record the log directories in which a broker has placed replicas (KIP-858).

        Raises KafkaError: STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED, NOT_CONTROLLER.
        """
        self._require_active()

        def decide(image: MetadataImage) -> Result[list[KafkaError | None]]:
            broker = brokers.registered(image, broker_id, broker_epoch)
            return assign_replicas(image, self.rules, broker, placements)

        return await self.submit(decide)

    async def unregister_broker(self, broker_id: int) -> None:
        """Unregister a broker. Raises KafkaError BROKER_ID_NOT_REGISTERED."""
        await self.submit(lambda image: brokers.unregister(image, self.rules, broker_id))
        self._sessions.forget(broker_id)

    # ---- sessions

    def _require_active(self) -> None:
        if not self.is_active:
            raise not_controller()

    def _heard(
        self, broker_id: int, epoch: int, connection: Session | None, metadata_offset: int = -1
    ) -> None:
        """Extend the broker's session; it is tied to the connection, so that its end is noticed."""
        self._sessions.heard(
            broker_id,
            epoch,
            self._clock.monotonic(),
            metadata_offset=metadata_offset,
            connection=connection,
        )
        if connection is not None and not connection.is_watched:
            connection.is_watched = True
            connection.on_close.append(lambda: self._connection_lost(connection))

    def _connection_lost(self, connection: Session) -> None:
        for session in self._sessions.disconnected(connection):
            self._suspect(session)

    def _suspect(self, session: BrokerSession) -> None:
        """The broker is not connected here: probe whether it is alive, if that matters."""
        broker = self.image.brokers.get(session.broker_id)
        if self._term_tasks is None or broker is None or broker.epoch != session.epoch:
            return
        if not broker.fenced:
            self._term_tasks.start_soon(self._watch_suspect, session, broker)

    async def _watch_suspect(self, session: BrokerSession, broker: BrokerImage) -> None:
        """Fence the broker as soon as its process is certainly dead."""
        where = probe_endpoint(broker, self.config.text("inter.broker.listener.name"))
        intervals = probe_intervals()
        while where is not None:
            await self._clock.sleep(intervals.pop(0) if len(intervals) > 1 else intervals[0])
            if not self._is_unfenced_suspect(session):
                return
            if await refuses(self._network, self._clock, where):
                code = "broker-gone" if session.was_connected else "broker-absent"
                why = Why(code, broker=session.broker_id, where=str(where))
                if self._is_unfenced_suspect(session):
                    await self._fence(session, why)
                return

    def _is_unfenced_suspect(self, session: BrokerSession) -> bool:
        broker = self.image.brokers.get(session.broker_id)
        return (
            session.is_suspect
            and broker is not None
            and broker.epoch == session.epoch
            and not broker.fenced
        )

    def _other_is_alive(self, image: MetadataImage, request: Registration) -> bool:
        present = image.brokers.get(request.broker_id)
        if present is None:
            return False
        same_address = present.endpoints == request.endpoints
        return self._sessions.is_alive(present, self._clock.monotonic(), same_address=same_address)

    async def _fence(self, session: BrokerSession, why: Why) -> None:
        def decide(image: MetadataImage) -> Result[None]:
            broker = image.brokers.get(session.broker_id)
            if broker is None or broker.epoch != session.epoch or broker.fenced:
                return Result((), None)
            return brokers.fence(image, self.rules, broker, why)

        try:
            await self.submit(decide)
        except KafkaError as error:
            log.warning(f"broker {session.broker_id} could not be fenced now: {error}")

    def _next_state(self, image: MetadataImage, beat: Heartbeat) -> BrokerState:
        broker = brokers.registered(image, beat.broker_id, beat.broker_epoch)
        if not beat.want_shut_down:
            return brokers.next_state(broker, beat, leads_anything=False, others_know=False)
        leads = leaders.leads_anything(image, beat.broker_id)
        know = not leads and self._others_know(image, broker)
        return brokers.next_state(broker, beat, leads_anything=leads, others_know=know)

    def _others_know(self, image: MetadataImage, broker: BrokerImage) -> bool:
        """Whether the live brokers know that this one leads nothing, or had time to learn it."""
        now_s = self._clock.monotonic()
        key = (broker.broker_id, broker.epoch)
        offset, since_s = self._shutting_down.setdefault(key, (image.offset, now_s))
        others = [e.broker_id for e in image.alive_brokers() if e.broker_id != broker.broker_id]
        if not others or self._sessions.lowest_offset(others) >= offset:
            return True
        return now_s - since_s >= _SHUTDOWN_PATIENCE_S

    # ---- a term

    def _become_active(self, epoch: int) -> None:
        log.info(
            f"controller {self.node_id} is active",
            epoch=epoch,
            metadata_offset=self.image.offset,
            brokers=sorted(self.image.brokers),
        )
        now_s = self._clock.monotonic()
        known = self.image.brokers.values()
        self._sessions = BrokerSessions(self._session_timeout_s, now_s, known)
        self._shutting_down = {}
        self._epoch = epoch
        self._writer.open(epoch, self.node_id, self.quorum.why_elected)
        self._activated.set()

    def _resign(self) -> None:
        self._epoch = None
        self._writer.close()
        if self._term is not None:
            self._term.cancel()

    async def _serve_term(self) -> None:
        """The periodic work of the active controller."""
        with trio.CancelScope() as self._term:
            async with trio.open_nursery() as nursery:
                self._term_tasks = nursery
                try:
                    await self._begin_term(nursery)
                finally:
                    self._term_tasks = None

    async def _begin_term(self, nursery: trio.Nursery) -> None:
        epoch = self._epoch
        await self._attempt(
            "write the first records",
            lambda image: Result(
                features.bootstrap_records(image, self._first_levels, self._first_scram), None
            ),
        )
        for broker in self.image.alive_brokers():
            session = self._sessions.get(broker.broker_id, broker.epoch)
            if session is not None and session.is_suspect and broker.broker_id != self.node_id:
                self._suspect(session)
        upkeep.start(nursery.start_soon, self._attempt, self.rules, self.config, self._clock)
        while self._epoch == epoch:
            await self._clock.sleep(_TICK_S)
            await self._fence_silent_brokers()

    async def _fence_silent_brokers(self) -> None:
        for session in self._sessions.expired(self._clock.monotonic()):
            broker = self.image.brokers.get(session.broker_id)
            if broker is not None and broker.epoch == session.epoch and not broker.fenced:
                timeout_ms = round(self._session_timeout_s * 1000)
                timers.fired("session", f"n{session.broker_id}")
                why = Why("broker-silent", broker=session.broker_id, timeout_ms=timeout_ms)
                await self._fence(session, why)

    async def _attempt(self, what: str, decide: Decide[Any]) -> Any:
        """Submit a decision of the controller's own; no client waits for it."""
        try:
            return await self.submit(decide)
        except KafkaError as error:
            log.info(f"the controller could not {what}: {error}")
            return None
