"""The share consumer: a member of a share group, that acknowledges record by record (KIP-932).

    async with ShareConsumer({"bootstrap.servers": "localhost:9092", "group.id": "g"}) as consumer:
        consumer.subscribe(["topic"])
        while True:
            for record in await consumer.poll():
                ...

With share.acknowledgement.mode=implicit the records of a poll count as accepted with the next poll
or commit. With explicit each record must be acknowledged, and `poll` refuses to go on before that.
An unacknowledged record is delivered again, to this member or another, when its lock expires.

One task uses a share consumer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import NamedTuple

import trio

from raftka.client.config import share_consumer_config
from raftka.client.consumer.state import ConsumerRecord
from raftka.client.opening import Client
from raftka.client.share.acknowledgements import Acknowledgements, AcknowledgeType, Said
from raftka.client.share.answers import delivered, outcome
from raftka.client.share.membership import ShareMembership
from raftka.client.share.sessions import BrokerSession, Place, Wish
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import SHORTEST_WAIT_S, BrokenConnection, Clock, Dice, Network
from raftka.net.protocol.messages.share_fetch import ShareFetchResponse

_POLL_S = 1.0
_LANE = "share"
_SESSION_LOST = frozenset(
    {ErrorCode.SHARE_SESSION_NOT_FOUND, ErrorCode.INVALID_SHARE_SESSION_EPOCH}
)

Outcomes = dict[TopicPartition, KafkaError | None]


class ShareRecord(NamedTuple):
    """A record, and its delivery count."""

    record: ConsumerRecord
    delivery_count: int

    @property
    def place(self) -> TopicPartition:
        """The partition of the record."""
        return TopicPartition(self.record.topic, self.record.partition)


class ShareConsumer(Client):
    """Gets records that no other member of the group has at the time."""

    def __init__(
        self,
        config: Mapping[str, object],
        *,
        network: Network | None = None,
        clock: Clock | None = None,
        dice: Dice | None = None,
    ) -> None:
        """`config`: Kafka's consumer settings. Raises ConfigError."""
        settings = share_consumer_config(config)
        super().__init__(settings, network, clock, dice)
        self._explicit = settings.text("share.acknowledgement.mode") == "explicit"
        self._news = self._clock.alarm()
        self._membership = ShareMembership(
            self._cluster,
            settings.text("group.id"),
            settings.text("client.rack") or None,
            self._news.ring,
        )
        self._wish = Wish(
            settings.number("fetch.max.wait.ms"),
            settings.number("fetch.min.bytes"),
            settings.number("fetch.max.bytes"),
            settings.number("max.poll.records"),
            settings.text("share.acquire.mode") == "record_limit",
        )
        self._sessions: dict[int, BrokerSession] = {}
        self._said: dict[Place, Acknowledgements] = {}
        self._ready: list[ShareRecord] = []
        """Records that a broker has delivered and that were not polled yet."""
        self._polled: list[ShareRecord] = []
        """The records of the last poll."""
        self._outcomes: Outcomes = {}

    # For users.

    @property
    def member_id(self) -> str:
        """The id of this member in the group."""
        return self._membership.member_id

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe to exactly these topics."""
        names = sorted(set(topics))
        self._cluster.follow_only(names, allow_creation=False)
        self._membership.subscribe(names)

    def assignment(self) -> set[TopicPartition]:
        """The partitions that the group assigns to this member now."""
        names = ((self._cluster.view.topic_name(place[0]), place[1]) for place in self._places())
        return {TopicPartition(name, index) for name, index in names if name is not None}

    async def poll(self, timeout_s: float = _POLL_S) -> list[ShareRecord]:
        """Records acquired for this member, at most max.poll.records; none when the timeout
        expires.

        Raises KafkaError: of the group, or ILLEGAL_STATE when records of the last poll are not
        acknowledged in explicit mode.
        """
        self._settle_last_poll()
        end_s = self._clock.monotonic() + timeout_s
        while True:
            if self._membership.failure is not None:
                raise self._membership.failure
            limit = self._wish.max_records
            if self._ready:
                self._polled, self._ready = self._ready[:limit], self._ready[limit:]
                await trio.lowlevel.cancel_shielded_checkpoint()
                return list(self._polled)
            now_s = self._clock.monotonic()
            if end_s - now_s < SHORTEST_WAIT_S:
                await trio.lowlevel.checkpoint()
                return []
            again_s = self._fetch_where_possible(now_s)
            await self._news.wait(min(end_s, again_s))

    def acknowledge(
        self, record: ShareRecord, kind: AcknowledgeType = AcknowledgeType.ACCEPT
    ) -> None:
        """Acknowledge a record of the last poll; the next poll or commit sends that to the broker.
        Raises KafkaError INVALID_RECORD_STATE for a record that this member does not hold.
        """
        place = self._place_of(record)
        said = None if place is None else self._said.get(place)
        if said is None or not said.say(record.record.offset, kind):
            raise KafkaError(
                ErrorCode.INVALID_RECORD_STATE,
                f"offset {record.record.offset} of {record.place} is not held by this member",
            )

    async def commit(self) -> Outcomes:
        """Commit all acknowledgements; returns None or the error by partition. In implicit mode the
        records of the last poll are accepted first.
        """
        self._settle_last_poll(accept=not self._explicit)
        self._outcomes = {}
        async with trio.open_nursery() as nursery:
            for session, said in self._to_say():
                nursery.start_soon(self._acknowledge, session, said)
        return dict(self._outcomes)

    async def close(self) -> None:
        """Commit the acknowledgements, release all other records, and leave the group."""
        async with trio.open_nursery() as nursery:
            said = dict(self._to_say())
            for session in self._sessions.values():
                nursery.start_soon(self._acknowledge, session, said.get(session, {}), True)
        try:
            await self._membership.leave()
        except (KafkaError, BrokenConnection):
            return  # The coordinator expires its session.

    # opening.Client.

    def _start(self, nursery: trio.Nursery) -> None:
        self._cluster.on_change = self._news.ring
        nursery.start_soon(self._membership.run)

    async def _say_last_words(self) -> None:
        await self.close()

    # Acknowledging.

    def _settle_last_poll(self, *, accept: bool = True) -> None:
        """Settle the records of the last poll before the next one."""
        polled, self._polled = self._polled, []
        for each in polled:
            place = self._place_of(each)
            said = None if place is None else self._said.get(place)
            if said is None or each.record.offset not in said.open_offsets:
                continue
            if self._explicit:
                self._polled = polled
                if not accept:
                    continue
                raise KafkaError(
                    ErrorCode.INVALID_RECORD_STATE,
                    f"offset {each.record.offset} of {each.place} is not acknowledged:"
                    " share.acknowledgement.mode=explicit asks for it before the next poll",
                )
            said.say(each.record.offset, AcknowledgeType.ACCEPT)

    def _place_of(self, record: ShareRecord) -> Place | None:
        topic = self._cluster.view.topics.get(record.record.topic)
        return None if topic is None else (topic.id, record.record.partition)

    def _to_say(self) -> list[tuple[BrokerSession, dict[Place, list[Said]]]]:
        """The acknowledgements to send, by the session with the partition's leader."""
        by_node: dict[int, dict[Place, list[Said]]] = {}
        for place, said in self._said.items():
            node_id = self._leader(place)
            if said and node_id in self._sessions:
                assert node_id is not None
                by_node.setdefault(node_id, {})[place] = said.take()
        return [(self._sessions[node_id], said) for node_id, said in by_node.items()]

    async def _acknowledge(
        self, session: BrokerSession, said: dict[Place, list[Said]], final: bool = False
    ) -> None:
        async with session.turn:
            if session.epoch == 0:
                error = KafkaError(ErrorCode.SHARE_SESSION_NOT_FOUND, "the session was lost")
                self._note(dict.fromkeys(said, error))
                return
            try:
                channel = await self._cluster.channel_to(session.node_id, _LANE)
                answer = await self._cluster.ask(channel, session.acknowledge(said, final=final))
            except (BrokenConnection, KafkaError) as error:
                session.lost()
                self._note(dict.fromkeys(said, _as_error(error)))
                return
            if answer.error_code:
                session.lost()
                refused = KafkaError(ErrorCode(answer.error_code), answer.error_message)
                self._note(dict.fromkeys(said, refused))
                return
            session.answered()
        self._note(
            {
                (bytes(topic.topic_id), part.partition_index): outcome(part.error_code, part)
                for topic in answer.responses
                for part in topic.partitions
            }
        )

    def _note(self, outcomes: Mapping[Place, KafkaError | None]) -> None:
        for (topic_id, index), error in outcomes.items():
            name = self._cluster.view.topic_name(topic_id)
            if name is not None:
                self._outcomes[TopicPartition(name, index)] = error
            if error is not None and error.code is ErrorCode.NOT_LEADER_OR_FOLLOWER:
                self._cluster.refresh_soon()

    # Fetching.

    def _places(self) -> list[Place]:
        assigned = self._membership.assigned
        return [(topic_id, index) for topic_id, some in assigned.items() for index in some]

    def _leader(self, place: Place) -> int | None:
        name = self._cluster.view.topic_name(place[0])
        leader = None if name is None else self._cluster.view.leader(name, place[1])
        return None if leader is None else leader.id

    def _fetch_where_possible(self, now_s: float) -> float:
        """Start a fetch at every leader without one; returns when to check again at the latest."""
        by_node: dict[int, list[Place]] = {}
        again_s = inf
        for place in self._places():
            node_id = self._leader(place)
            if node_id is None:
                self._cluster.refresh_soon()
                again_s = min(again_s, now_s + self._cluster.retry_backoff.longest_s)
            else:
                by_node.setdefault(node_id, []).append(place)
        said = dict(self._to_say())
        for node_id, places in by_node.items():
            session = self._sessions.get(node_id)
            if session is None:
                session = self._sessions[node_id] = BrokerSession(
                    node_id, self._config.text("group.id"), self.member_id
                )
            if session in said:
                self.tasks.start_soon(self._acknowledge, session, said[session])
            if session.retry_at_s > now_s:
                again_s = min(again_s, session.retry_at_s)
            elif not session.is_fetching:
                session.is_fetching = True
                self.tasks.start_soon(self._fetch, session, places)
        return again_s

    async def _fetch(self, session: BrokerSession, places: list[Place]) -> None:
        try:
            async with session.turn:
                channel = await self._cluster.channel_to(session.node_id, _LANE)
                request = session.fetch(places, {}, self._wish)
                wait_s = self._wish.max_wait_ms / 1000
                answer = await self._cluster.ask(channel, request, wait_s=wait_s)
                if answer.error_code:
                    raise KafkaError(ErrorCode(answer.error_code), answer.error_message)
                session.answered()
            session.failures = 0
            self._take(answer, session)
        except (BrokenConnection, KafkaError) as error:
            session.lost()
            session.failures += 1
            pause_s = self._cluster.retry_backoff.pause(session.failures)
            session.retry_at_s = self._clock.monotonic() + pause_s
            if not (isinstance(error, KafkaError) and error.code in _SESSION_LOST):
                self._cluster.refresh_soon()
        finally:
            session.is_fetching = False
            self._news.ring()

    def _take(self, answer: ShareFetchResponse, session: BrokerSession) -> None:
        for topic in answer.responses:
            topic_id = bytes(topic.topic_id)
            name = self._cluster.view.topic_name(topic_id)
            for part in topic.partitions:
                place = (topic_id, part.partition_index)
                if part.error_code or name is None:
                    self._said.pop(place, None)
                    self._cluster.refresh_soon()
                    pause_s = self._cluster.retry_backoff.pause(1)
                    session.retry_at_s = self._clock.monotonic() + pause_s
                    continue
                target = TopicPartition(name, part.partition_index)
                found, missing = delivered(target, part)
                said = self._said.setdefault(place, Acknowledgements())
                said.deliver((record.offset for record, _ in found), missing)
                self._ready += [ShareRecord(record, count) for record, count in found]


def _as_error(error: BrokenConnection | KafkaError) -> KafkaError:
    if isinstance(error, KafkaError):
        return error
    return KafkaError(ErrorCode.NETWORK_EXCEPTION, str(error))
