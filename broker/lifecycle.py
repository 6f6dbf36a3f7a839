"""A broker's life cycle as its controller sees it: registered, fenced, running, shutting down
(KIP-631).

A broker registers with a fresh incarnation id and gets its broker epoch, catches up with the
metadata log, is unfenced, and stays so as long as its heartbeats come. A controlled shutdown asks
for leadership to move away first; only then does the process stop.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import trio

from raftka.broker.channels import Channels
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint, Uuid, uuid_text
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock
from raftka.net.protocol.messages.broker_heartbeat import BrokerHeartbeatRequest
from raftka.net.protocol.messages.broker_registration import (
    BrokerRegistrationRequest,
    Feature,
    Listener,
)

log = get_logger(__name__)

_LANE = "heartbeat"
_NO_CONTROLLER_S = 2.5
_EAGER_S = 0.02
"""Seconds between heartbeats while the broker waits for its state to change."""


class State(enum.Enum):
    """Kafka's BrokerState, as far as the controller tracks it."""

    STARTING = 1
    RECOVERY = 2
    RUNNING = 3
    PENDING_CONTROLLED_SHUTDOWN = 6
    SHUTTING_DOWN = 7


@dataclass(frozen=True)
class Identity:
    """The fields of a broker's registration."""

    broker_id: int
    cluster_id: str
    incarnation_id: Uuid
    listeners: tuple[tuple[str, Endpoint], ...]
    """The advertised listeners: name and address."""
    rack: str | None
    log_dirs: tuple[Uuid, ...]
    features: tuple[tuple[str, int, int], ...]
    previous_broker_epoch: int
    """From the clean shutdown file; -1 means that unflushed records may be lost."""
    security_protocols: tuple[tuple[str, int], ...] = ()
    """By listener name: the number of its security protocol; PLAINTEXT is 0."""


class Lifecycle:
    """Registers, heartbeats, and shuts down in order. One per broker.

    For each answered heartbeat, `heard` is called with the time (monotonic seconds) at which it was
    sent: the broker's session lasts at least one timeout from then on.
    """

    def __init__(
        self,
        identity: Identity,
        channels: Channels,
        clock: Clock,
        *,
        interval_s: float,
        registration_timeout_s: float,
        metadata_offset: Callable[[], int],
        offline_log_dirs: Callable[[], list[Uuid]],
        cordoned_log_dirs: Callable[[], list[Uuid]],
        heard: Callable[[float], None],
    ) -> None:
        self.identity = identity
        self.state = State.STARTING
        self.broker_epoch = -1
        self._channels = channels
        self._clock = clock
        self._interval_s = interval_s
        self._registration_timeout_s = registration_timeout_s
        self._metadata_offset = metadata_offset
        self._offline_log_dirs = offline_log_dirs
        self._cordoned_log_dirs = cordoned_log_dirs
        self._heard = heard
        self._alarm = clock.alarm()
        self._registered = trio.Event()
        self._unfenced = trio.Event()
        self._may_stop = trio.Event()
        self._answered_s = 0.0
        self._may_serve = False
        self._fenced = True

    async def run(self) -> None:
        """Register and send heartbeats until cancelled.

        Raises KafkaError if the registration is refused permanently.
        """
        await self._register()
        while self.state is not State.SHUTTING_DOWN:  # A later heartbeat would ask to be unfenced.
            try:
                await self._heartbeat()
            except BrokenConnection as error:
                log.warning(f"broker {self.identity.broker_id}: no heartbeat got through: {error}")
            eager = self._fenced or self.state is not State.RUNNING
            pause_s = _EAGER_S if eager else self._interval_s
            await self._alarm.wait(self._clock.monotonic() + pause_s)

    def wake(self) -> None:
        """Send the next heartbeat now: there is a new controller, or a change to report."""
        self._alarm.ring()

    async def registered(self) -> int:
        """Wait for the registration; return the broker epoch."""
        await self._registered.wait()
        return self.broker_epoch

    async def unfenced(self) -> None:
        """Report that this broker can serve now, and wait until the controller unfences it."""
        self._may_serve = True
        self.wake()
        await self._unfenced.wait()

    async def controlled_shutdown(self, timeout_s: float) -> bool:
        """Wait until leadership has moved away; return whether it did within `timeout_s`.

        Gives up much earlier if no controller answers: then the whole cluster is being stopped, and
        no broker is left to take over.
        """
        self.state = State.PENDING_CONTROLLED_SHUTDOWN
        self.wake()
        deadline = self._clock.monotonic() + timeout_s
        self._answered_s = self._clock.monotonic()
        while not self._may_stop.is_set():
            until = min(deadline, self._answered_s + _NO_CONTROLLER_S)
            if (left := until - self._clock.monotonic()) <= 0:
                return False
            with self._clock.within(left):
                await self._may_stop.wait()
        return True

    async def _register(self) -> None:
        me = self.identity
        request = BrokerRegistrationRequest(
            broker_id=me.broker_id,
            cluster_id=me.cluster_id,
            incarnation_id=me.incarnation_id,
            listeners=[
                Listener(
                    name=name,
                    host=where.host,
                    port=where.port,
                    security_protocol=dict(me.security_protocols).get(name, 0),
                )
                for name, where in me.listeners
            ],
            features=[
                Feature(name=name, min_supported_version=low, max_supported_version=high)
                for name, low, high in me.features
            ],
            rack=me.rack,
            log_dirs=list(me.log_dirs),
            previous_broker_epoch=me.previous_broker_epoch,
        )
        deadline = self._clock.monotonic() + self._registration_timeout_s
        warned = False
        while True:
            left = deadline - self._clock.monotonic()
            try:
                answer = await self._channels.to_controller(
                    request, lane=_LANE, timeout_s=min(5.0, max(0.1, left))
                )
            except BrokenConnection as error:
                if left <= 0:
                    raise
                log.info(f"broker {me.broker_id} waits for a controller: {error}")
                continue
            code = ErrorCode(answer.error_code)
            if code is ErrorCode.NONE:
                break
            if code is not ErrorCode.DUPLICATE_BROKER_REGISTRATION or left <= 0:
                raise KafkaError(code, _refusal(code, me))
            # The controller believes that the previous incarnation is alive; its session will
            # expire soon.
            if not warned:
                warned = True
                log.warning(
                    f"broker {me.broker_id} is not registered yet: another broker with node.id"
                    f" {me.broker_id} is alive for the controller. It is let in when that was this"
                    " node's last run, whose session ends soon; if not, give each node its own id"
                )
            await self._clock.sleep(0.1)
        self.broker_epoch = answer.broker_epoch
        self.state = State.RECOVERY
        log.info(
            f"broker {me.broker_id} is registered",
            broker_epoch=self.broker_epoch,
            incarnation=uuid_text(me.incarnation_id),
        )
        self._registered.set()

    async def _heartbeat(self) -> None:
        stopping = self.state is State.PENDING_CONTROLLED_SHUTDOWN
        sent_s = self._clock.monotonic()
        answer = await self._channels.to_controller(
            BrokerHeartbeatRequest(
                broker_id=self.identity.broker_id,
                broker_epoch=self.broker_epoch,
                current_metadata_offset=self._metadata_offset(),
                want_fence=not self._may_serve,
                want_shut_down=stopping,
                offline_log_dirs=list(self._offline_log_dirs()),
                # Dynamic settings are known once the metadata was read.
                cordoned_log_dirs=[*self._cordoned_log_dirs()] if self._may_serve else None,
            ),
            lane=_LANE,
            timeout_s=max(1.0, self._interval_s),
        )
        code = ErrorCode(answer.error_code)
        if code is ErrorCode.BROKER_ID_NOT_REGISTERED and self.state is not State.RECOVERY:
            self._unregistered()
            return
        if code in (ErrorCode.STALE_BROKER_EPOCH, ErrorCode.BROKER_ID_NOT_REGISTERED):
            raise KafkaError(code, _refusal(code, self.identity))
        if code is not ErrorCode.NONE:
            raise BrokenConnection(f"the controller answered {code.name}")
        self._heard(sent_s)
        self._answered_s = self._clock.monotonic()
        self._fenced = answer.is_fenced
        if stopping:
            if answer.should_shut_down:
                self.state = State.SHUTTING_DOWN
                self._may_stop.set()
        elif self.state is State.RECOVERY and not answer.is_fenced and self._may_serve:
            log.info(f"broker {self.identity.broker_id} is unfenced and serves")
            self.state = State.RUNNING
            self._unfenced.set()
        elif self.state is State.RUNNING and answer.is_fenced:
            log.warning(f"broker {self.identity.broker_id} was fenced; it asks to be unfenced")

    def _unregistered(self) -> None:
        """This broker was unregistered: stay alive, fenced, as Kafka's brokers do."""
        if self.state is State.PENDING_CONTROLLED_SHUTDOWN:
            self.state = State.SHUTTING_DOWN
            self._may_stop.set()
        elif not self._fenced:
            log.error(
                f"broker {self.identity.broker_id} was unregistered while it runs: it leads and"
                " holds nothing for the cluster any longer. Stop it, or restart it to register"
                " again"
            )
        self._fenced = True


def _refusal(code: ErrorCode, me: Identity) -> str:
    if code is ErrorCode.DUPLICATE_BROKER_REGISTRATION:
        return (
            f"another live broker has node.id {me.broker_id}; give each node its own, or stop the"
            " other one"
        )
    if code is ErrorCode.INCONSISTENT_CLUSTER_ID:
        return f"the controllers belong to another cluster than {me.cluster_id}"
    return f"the controller refuses broker {me.broker_id}: {code.name}"
