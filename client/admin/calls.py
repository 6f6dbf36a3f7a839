"""The common base of all administrative operations: which node to ask, and how long to retry.

An operation is a function whose first argument is a `Calls`; Admin has each as a method.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from raftka.client.admin.outcomes import is_without_controller
from raftka.client.cluster import ClusterUnreachable
from raftka.client.config import admin_config
from raftka.client.opening import Client
from raftka.model.errors import RETRIABLE, ErrorCode, KafkaError
from raftka.model.ports import AuthenticationFailed, BrokenConnection, Clock, Dice, Network
from raftka.net.channel import Channel
from raftka.net.protocol.message import Request, Response

log = logging.getLogger("raftka.admin")

R = TypeVar("R", bound=Response)
T = TypeVar("T")

NOT_TO_RETRY = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INCONSISTENT_TOPIC_ID,
        ErrorCode.ELECTION_NOT_NEEDED,
        ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
        ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
        ErrorCode.LISTENER_NOT_FOUND,
    }
)
"""Errors that may pass, but that are raised at once instead of retried."""

_TIMEOUTS: Final = 2
"""How often brokers may answer REQUEST_TIMED_OUT before it is raised."""
_SILENCE_S: Final = 5.0
"""How long an error is retried before the log mentions it; most pass sooner."""


class Calls(Client):
    """Sends requests to brokers, and retries. The operations build on it."""

    def __init__(
        self,
        config: Mapping[str, object],
        *,
        network: Network | None = None,
        clock: Clock | None = None,
        dice: Dice | None = None,
    ) -> None:
        """`config`: Kafka's admin client settings. Raises ConfigError."""
        super().__init__(admin_config(config), network, clock, dice)
        self.api_timeout_s: Final = self._config.seconds("default.api.timeout.ms")
        """How long an operation retries."""
        self._retries = self._config.number("retries")

    @property
    def timeout_ms(self) -> int:
        """The timeout that a request gives to the broker for its work."""
        return int(self._cluster.request_timeout_s * 1000)

    async def retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Retry until the attempt succeeds. Raises KafkaError: one that is not retriable, or the
        last one. A broker that answers REQUEST_TIMED_OUT has already waited for long, for example
        for a controller: it is asked once more, and then its message is the error.
        """
        failures = timeouts = 0
        problem: BrokenConnection | KafkaError | None = None
        said = False
        begun = self._clock.monotonic()
        with self._cluster.clock.within(self.api_timeout_s):
            while failures <= self._retries:
                try:
                    return await attempt()
                except AuthenticationFailed as error:
                    raise KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED, str(error)) from error
                except BrokenConnection as error:
                    problem = error
                except KafkaError as error:
                    if error.code not in RETRIABLE or error.code in NOT_TO_RETRY:
                        raise
                    timeouts += error.code == ErrorCode.REQUEST_TIMED_OUT
                    if timeouts >= _TIMEOUTS:
                        raise
                    problem = error
                    waited = self._clock.monotonic() - begun
                    if not said and (timeouts or waited >= _SILENCE_S):
                        said = True
                        log.warning("trying again: %s", error.message)
                log.info("trying again: %s", problem)
                failures += 1
                self._cluster.refresh_soon()
                await self._clock.sleep(self._cluster.retry_backoff.pause(failures))
        if isinstance(problem, KafkaError):
            raise problem
        if problem is not None and self._cluster.last_error is None:
            self._cluster.last_error = problem
        raise self._cluster.unreachable() from problem

    async def ask(self, request: Request[R]) -> R:
        """Ask any broker; it forwards what only the controller may answer."""

        async def attempt() -> R:
            answer = await self._cluster.ask(
                await self._channel(), request, timeout_s=self.api_timeout_s
            )
            if is_without_controller(answer):
                raise KafkaError(
                    ErrorCode.NOT_CONTROLLER,
                    "the controller that was asked resigned before it had decided",
                )
            return answer

        return await self.retrying(attempt)

    async def ask_broker(self, node_id: int, request: Request[R]) -> R:
        """Ask one broker."""

        async def attempt() -> R:
            return await self._cluster.ask(await self.channel_to(node_id), request)

        try:
            return await self.retrying(attempt)
        except ClusterUnreachable as error:
            raise self._silent(node_id, error) from None

    def _silent(self, node_id: int, error: ClusterUnreachable) -> KafkaError:
        """The error for a broker that does not answer while others do."""
        broker = self._cluster.view.brokers.get(node_id)
        if broker is None:
            return error
        reason = error.__cause__ or "no answer in time"
        return KafkaError(
            ErrorCode.BROKER_NOT_AVAILABLE,
            f"broker {node_id} ({broker.endpoint}) does not answer: {reason}. What is asked for"
            " needs every broker: start it again, or unregister it if it is gone for good",
        )

    async def _channel(self) -> Channel:
        """A channel to any broker, or to the active controller, which alone knows everything."""
        if not self._config.controllers:
            return await self._cluster.any_channel()
        await self.know_brokers()
        return await self.channel_to(self._cluster.view.controller_id)

    async def channel_to(self, node_id: int) -> Channel:
        await self.know_brokers()
        if node_id not in self._cluster.view.brokers:
            await self._cluster.refreshed(self._cluster.view.version)
            if node_id not in self._cluster.view.brokers:
                raise KafkaError(
                    ErrorCode.INVALID_REQUEST, f"there is no broker {node_id} in the cluster"
                )
        return await self._cluster.channel_to(node_id)

    async def know_brokers(self) -> list[int]:
        """The ids of all brokers, once the layout is known."""
        while not self._cluster.view.brokers:
            await self._cluster.refreshed(self._cluster.view.version)
            if self._cluster.last_error is not None:
                raise self._cluster.last_error
        return sorted(self._cluster.view.brokers)

    async def ask_everyone(self, request: Callable[[], Request[R]]) -> dict[int, R]:
        """Ask every broker the same; answers by broker id."""
        nodes = await self.retrying(self.know_brokers)
        answers: dict[int, R] = {}

        async def ask(node: int) -> None:
            answers[node] = await self.ask_broker(node, request())

        for node in nodes:
            await ask(node)
        return answers

    async def layout_of(self, topics: Sequence[str]) -> None:
        """Ask for these topics, so that the view has their current layout."""
        self._cluster.follow(topics, allow_creation=False)
        version = self._cluster.view.version
        while True:
            await self._cluster.refreshed(version)
            view = self._cluster.view
            if all(name in view.topics or name in view.errors for name in topics):
                return
            if self._cluster.last_error is not None:
                raise self._cluster.last_error
            version = view.version
