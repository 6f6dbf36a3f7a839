"""What producers, consumers and admin clients share: connections to brokers, and the layout.

One task keeps the layout fresh. It asks again when a caller reports a change (an error, a broken
connection, a silent broker), and at the latest after metadata.max.age.ms. When no known broker can
be reached it starts over from bootstrap.servers (KIP-899). client/silence.py has the rules for
silent brokers.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from math import inf
from typing import TypeVar

import trio

from raftka.client.backoff import Backoff
from raftka.client.connections import Connections
from raftka.client.metadata import Broker, ClusterView
from raftka.client.missing_topics import MissingTopics
from raftka.client.settings import ClientConfig
from raftka.client.silence import Losses, first_answer
from raftka.model import timers
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint
from raftka.model.ports import AuthenticationFailed, BrokenConnection, Clock, Dice, Network
from raftka.net.channel import Channel
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.describe_cluster import DescribeClusterRequest
from raftka.net.protocol.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from raftka.net.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
)

log = logging.getLogger("raftka.client")

R = TypeVar("R", bound=Response)
A = TypeVar("A")

_CONTROLLERS = 2
_QUICK_RETRIES = 10
"""Refreshes that come at the first pause's pace: while a leader is being elected, a pause that
doubles would make up most of the outage."""


class ClusterUnreachable(KafkaError):
    """No broker answered. The message lists the attempts and their errors."""

    def __init__(self, endpoints: Iterable[Endpoint], last: BaseException | None) -> None:
        places = ", ".join(sorted({str(endpoint) for endpoint in endpoints}))
        reason = f" ({last})" if last is not None else ""
        super().__init__(
            ErrorCode.BROKER_NOT_AVAILABLE,
            f"cannot reach {places}{reason}: is the cluster running, and is this its address?",
        )

    def __str__(self) -> str:
        return self.message


class Cluster:
    """One client's view of the cluster and its connections to it."""

    def __init__(self, config: ClientConfig, network: Network, clock: Clock, dice: Dice) -> None:
        self.config = config
        self.clock = clock
        self.dice = dice
        self.view = ClusterView()
        self.request_timeout_s = config.seconds("request.timeout.ms")
        self.retry_backoff = Backoff(
            config.seconds("retry.backoff.ms"), config.seconds("retry.backoff.max.ms"), dice
        )
        self.last_error: BrokenConnection | None = None
        """Why the last attempt to learn the layout failed; None after a success."""
        self.on_change: Callable[[], None] | None = None
        """Called after each answer that changed the view."""
        self._bootstrap = config.bootstrap()
        self._network = network
        self._connections: Connections | None = None
        self._topics: dict[str, None] = {}
        self._missing = MissingTopics()
        self._all_topics = False
        self._allow_creation = True
        self._closed = False
        self._wanted = clock.alarm()
        self._news = trio.Event()
        self._quick = 0
        self._max_age_s = config.seconds("metadata.max.age.ms")
        self._patience_s = config.seconds("raftka.broker.silence.max.ms") or inf
        self._losses = Losses()
        self._coordinated: dict[Endpoint, tuple[str, int]] = {}
        """For each broker that is a coordinator: one of its keys, and the key's type."""
        self._looking = False

    @property
    def connections(self) -> Connections:
        if self._connections is None:
            raise RuntimeError("the client is not open: use it within `async with`")
        return self._connections

    def start(self, nursery: trio.Nursery) -> None:
        """Start the tasks, which end with the nursery."""
        self._connections = Connections(
            nursery, self.config, self._network, self.clock, self.dice, self.refresh_soon
        )
        self._tasks = nursery
        nursery.start_soon(self._keep_fresh)

    def close(self) -> None:
        self._closed = True
        if self._connections is not None:
            self._connections.close()

    # The layout

    def follow(self, topics: Iterable[str], *, allow_creation: bool = True) -> None:
        """Keep these topics in the view, in addition to the present ones."""
        self._allow_creation = allow_creation
        fresh = [name for name in topics if name not in self._topics]
        if fresh:
            self._topics.update(dict.fromkeys(fresh))
            self.refresh_soon()

    def follow_only(self, topics: Iterable[str], *, allow_creation: bool = True) -> None:
        """Keep exactly these topics in the view."""
        self._all_topics = False
        wanted = dict.fromkeys(sorted(topics))
        gone = [name for name in self._topics if name not in wanted]
        self._topics = {name: None for name in self._topics if name in wanted}
        if gone:
            self.view = self.view.without(gone)
        self.follow(wanted, allow_creation=allow_creation)

    def follow_all(self) -> None:
        """Keep every topic of the cluster in the view."""
        self._all_topics = True
        self.refresh_soon()

    def refresh_soon(self) -> None:
        """Something changed: ask again as soon as the pause between requests allows."""
        self._wanted.ring()

    async def refreshed(self, version: int) -> None:
        """Wait until there is a view newer than `version`, or an attempt at one failed."""
        if self.view.version > version:
            await trio.lowlevel.checkpoint()
            return
        self.refresh_soon()
        await self._news.wait()

    async def layout(self, timeout_s: float) -> ClusterView:
        """A view made after this call. Raises ClusterUnreachable."""
        before = self.view.version
        with self.clock.within(timeout_s):
            while self.view.version == before:
                await self.refreshed(before)
            return self.view
        raise self.unreachable()

    def learn_leaders(
        self, leaders: Iterable[tuple[str, int, int, int]], endpoints: Iterable[Broker]
    ) -> None:
        """Take over newer leaders that an answer named (KIP-951)."""
        view = self.view.with_leaders(leaders, endpoints)
        if view is not self.view:
            self._publish(view)

    def unreachable(self) -> ClusterUnreachable:
        tried = [*self._bootstrap, *(broker.endpoint for broker in self.view.brokers.values())]
        return ClusterUnreachable(tried, self.last_error)

    # Requests

    async def any_channel(self) -> Channel:
        """A channel to any broker. Raises BrokenConnection when none can be reached."""
        failure: BrokenConnection | None = None
        for endpoint in self._by_preference():
            try:
                return await self.connections.channel(endpoint)
            except BrokenConnection as error:
                failure = error
        assert failure is not None
        raise failure

    async def ask_any(self, attempt: Callable[[Channel], Awaitable[A]]) -> A:
        """The first answer of any broker: while one is silent, another is asked. Raises
        BrokenConnection, or KafkaError of the last one when all fail.
        """

        async def ask_at(endpoint: Endpoint) -> A:
            return await attempt(await self.connections.channel(endpoint))

        attempts = [partial(ask_at, endpoint) for endpoint in self._by_preference()]
        return await first_answer(attempts, self.clock, self._patience_s)

    async def channel_to(self, node_id: int, lane: str = "") -> Channel:
        """A channel to one broker. Raises BrokenConnection, also when the id is unknown."""
        broker = self.view.brokers.get(node_id)
        if broker is None:
            self.refresh_soon()
            raise BrokenConnection(f"broker {node_id} is not known")
        try:
            return await self.connections.channel(broker.endpoint, lane)
        except BrokenConnection:
            self.refresh_soon()
            raise

    async def ask(
        self,
        channel: Channel,
        request: Request[R],
        *,
        highest: int | None = None,
        timeout_s: float | None = None,
        wait_s: float = 0.0,
    ) -> R:
        """One request to one broker, which may wait for `wait_s` before it answers.

        Raises BrokenConnection, KafkaError UNSUPPORTED_VERSION.
        """
        version = channel.version_for(type(request), highest)
        limit_s = self.request_timeout_s if timeout_s is None else timeout_s
        return await channel.request(request, version, limit_s + wait_s, wait_s=wait_s)

    async def find_coordinator(self, key: str, key_type: int) -> Broker:
        """The coordinator of a group or transactional id. Raises KafkaError, BrokenConnection."""
        request = FindCoordinatorRequest(key=key, key_type=key_type, coordinator_keys=[key])

        async def ask(channel: Channel) -> Coordinator | FindCoordinatorResponse:
            version = channel.version_for(FindCoordinatorRequest)
            answer = await channel.request(request, version, self.request_timeout_s)
            return answer.coordinators[0] if version >= 4 else answer

        # An error is an answer, too, after which no other broker is asked.
        found = await self.ask_any(ask)
        if found.error_code != ErrorCode.NONE:
            raise KafkaError(ErrorCode(found.error_code), found.error_message)
        broker = Broker(found.node_id, found.host, found.port)
        self._coordinates(broker.endpoint, key, key_type)
        return broker

    def _coordinates(self, endpoint: Endpoint, key: str, key_type: int) -> None:
        """A broker coordinates this key now; the one before it no longer does."""
        for other, known in list(self._coordinated.items()):
            if known == (key, key_type) and other != endpoint:
                del self._coordinated[other]
                self._losses.lost(other, self.clock.monotonic())
        self._coordinated[endpoint] = key, key_type

    # The task

    async def _keep_fresh(self) -> None:
        failures = 0
        while True:
            try:
                view = await self._ask_layout()
            except (BrokenConnection, KafkaError) as error:
                if self._closed:
                    return
                failures += 1
                if isinstance(error, AuthenticationFailed):
                    self.last_error = error
                else:
                    self.last_error = BrokenConnection(str(error))
                self._warn(failures)
                self._tell()
                await self.clock.sleep(self.retry_backoff.pause(failures))
                continue
            failures = 0
            self.last_error = None
            if self.config.waits_for_topics and (words := self._missing.noticed(view.errors)):
                log.warning("%s", words)
            asked_at = self.clock.monotonic()
            self._publish(view)
            self._look_beyond(self._leave_silent())
            await self._wanted.wait(asked_at + self._max_age_s)
            waited = self.clock.monotonic() - asked_at
            self._quick = self._quick + 1 if waited < 2 * self.retry_backoff.longest_s else 0
            pause = self.retry_backoff.pause(max(1, self._quick - _QUICK_RETRIES))
            if any(True for _ in self.connections.silent()):
                pause = min(pause, self._patience_s / 2)
            if waited < pause:
                await self.clock.sleep(pause - waited)

    def _warn(self, failures: int) -> None:
        """Warn at once, then less and less often: the user should know why nothing happens."""
        if failures & (failures - 1) == 0:
            log.warning("%s (attempt %d)", self.unreachable(), failures)

    async def _ask_layout(self) -> ClusterView:
        # Merge into the current view, to keep changes that came during the request.
        answer, complete = await self.ask_any(self._layout_by)
        return self.view.merged(answer, complete=complete)

    async def _layout_by(self, channel: Channel) -> tuple[MetadataResponse, bool]:
        """One broker's answer, and whether it covers every topic."""
        if self.config.controllers:
            return await self._ask_controllers(channel), False
        everything = self._all_topics
        topics = [MetadataRequestTopic(name=name) for name in self._topics]
        request = MetadataRequest(
            topics=None if everything else topics,
            allow_auto_topic_creation=self._allow_creation and not everything,
        )
        answer = await self.ask(channel, request)
        if not answer.brokers:
            raise BrokenConnection(f"{channel.peer} knows of no broker yet")
        return answer, everything

    async def _ask_controllers(self, channel: Channel) -> MetadataResponse:
        """Controllers serve no Metadata: DescribeCluster lists them (KIP-919)."""
        answer = await self.ask(channel, DescribeClusterRequest(endpoint_type=_CONTROLLERS))
        if answer.error_code != ErrorCode.NONE:
            raise KafkaError(ErrorCode(answer.error_code), answer.error_message)
        nodes = [
            MetadataResponseBroker(node_id=node.broker_id, host=node.host, port=node.port)
            for node in answer.brokers
        ]
        return MetadataResponse(
            brokers=nodes, cluster_id=answer.cluster_id, controller_id=answer.controller_id
        )

    def _leave_silent(self) -> set[Endpoint]:
        """Disconnect silent brokers that the cluster has replaced; returns the others."""
        kept: set[Endpoint] = set()
        for endpoint, channel, since in list(self.connections.silent()):
            if not self._losses.has_lost(endpoint, since):
                kept.add(endpoint)
                continue
            timers.fired("silence", channel.peer)
            log.warning(
                "%s has not answered for %.1f s, and others have taken over from it: going on"
                " with them",
                channel.peer,
                self.clock.monotonic() - since,
            )
            channel.close("it says nothing, and others have taken over from it")
        return kept

    def _look_beyond(self, silent: set[Endpoint]) -> None:
        """The layout names no coordinators: look up those that silent brokers were."""
        coordinators = sorted(silent & self._coordinated.keys())
        if coordinators and not self._looking:
            self._looking = True
            self._tasks.start_soon(self._look_for_coordinators, coordinators)

    async def _look_for_coordinators(self, silent: list[Endpoint]) -> None:
        """Look up whether other brokers have replaced silent ones as coordinators."""
        try:
            for endpoint in silent:
                try:
                    if (known := self._coordinated.get(endpoint)) is not None:
                        await self.find_coordinator(*known)
                except (BrokenConnection, KafkaError) as error:
                    log.debug("no coordinator in place of one that is silent: %s", error)
        finally:
            self._looking = False
        self._leave_silent()

    def _publish(self, view: ClusterView) -> None:
        self._losses.learn(self.view, view, self.clock.monotonic())
        self.view = view
        self._tell()
        if self.on_change is not None:
            self.on_change()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _by_preference(self) -> list[Endpoint]:
        """Open connections first, then brokers that are not backing off, then the bootstrap list;
        silent brokers come last.
        """
        known = [broker.endpoint for broker in self.view.brokers.values()]
        self._shuffle(known)
        open_now = [e for e in known if self.connections.ready(e) is not None]
        bootstrap = [e for e in self._bootstrap if e not in known]
        open_now += [e for e in bootstrap if not known and self.connections.ready(e) is not None]
        rest = [e for e in known + bootstrap if e not in open_now]
        rest.sort(key=self.connections.resting_s)
        silent = {endpoint for endpoint, _, _ in self.connections.silent()}
        return sorted(open_now + rest, key=silent.__contains__)

    def _shuffle(self, endpoints: list[Endpoint]) -> None:
        for last in range(len(endpoints) - 1, 0, -1):
            other = self.dice.randrange(last + 1)
            endpoints[last], endpoints[other] = endpoints[other], endpoints[last]
