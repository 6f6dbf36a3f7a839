"""The fetch session with one leader, as the follower keeps it (KIP-227).

A request names the changes since the last one: new partitions, new fetch offsets, forgotten
partitions. No I/O: broker/replication/leader_fetcher.py sends the requests and passes in the
answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

from raftka.broker.replication.fetch_session import INITIAL_EPOCH, NO_SESSION
from raftka.broker.replication.following import Following, Outcome
from raftka.broker.replication.throttle import ReplicationThrottle
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.logs import get_logger
from raftka.net.protocol.messages.fetch import (
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from raftka.storage.failure import LogDirFailure

log = get_logger(__name__)

Key = tuple[bytes, int]
"""(topic id, partition index)"""


class _Asked(NamedTuple):
    """A partition's values in the last request."""

    offset: int
    log_start_offset: int
    last_epoch: int
    request: int
    """The number of that request within the session."""
    following: Following
    since: int
    """The number of the first request since the partition was added."""


class FollowerSession:
    """The partitions that are copied from one leader, and what that leader knows of them."""

    def __init__(
        self,
        make_request: Callable[[], FetchRequest],
        partition_max_bytes: int,
        throttle: ReplicationThrottle | None = None,
    ) -> None:
        """`throttle` limits what is copied of out-of-sync partitions; None for no limit."""
        self.following: dict[Key, Following] = {}
        self.lost: dict[Key, Following] = {}
        """Partitions whose offset is out of the leader's range."""
        self.session_id = NO_SESSION
        self._make_request = make_request
        self._partition_max_bytes = partition_max_bytes
        self._throttle = throttle
        self._epoch = INITIAL_EPOCH
        self._by_name: dict[TopicPartition, Key] = {}
        self._changed: dict[Key, None] = {}
        """Partitions that the next request must name."""
        self._asked: dict[Key, _Asked] = {}
        self._requests = 0
        self._answers = 0
        self._delayed: dict[Key, Following] = {}
        """Partitions that the leader refused, which wait for a retry."""
        self._lag: dict[Key, int] = {}

    @property
    def max_lag(self) -> int:
        """The lag of the most lagging partition, in records, as of the last answers."""
        return max(self._lag.values(), default=0)

    @property
    def has_news(self) -> bool:
        """Whether the next request of the session has something to report."""
        # Before the first answer there is no session yet.
        return bool(self._changed) and self.session_id != NO_SESSION

    def add(self, following: Following) -> None:
        """Start to copy a partition, from the next request on."""
        key = following.key
        self.following[key] = following
        self._by_name[following.replica.topic_partition] = key
        self._changed[key] = None

    def remove(self, topic_partition: TopicPartition) -> None:
        """Stop to copy a partition."""
        key = self._by_name.pop(topic_partition)
        for mapping in (self.following, self._lag, self._delayed, self.lost):
            mapping.pop(key, None)
        self._changed[key] = None

    def tell_again(self, topic_partition: TopicPartition) -> None:
        """Let the next request report the current log start offset."""
        self._changed[self._by_name[topic_partition]] = None

    def restart(self) -> None:
        """A new connection: the leader has no session of this follower."""
        self.session_id, self._epoch = NO_SESSION, INITIAL_EPOCH
        self._asked.clear()
        self._requests = self._answers = 0
        self._delayed.clear()
        self.lost.clear()
        self._changed = dict.fromkeys(self.following)

    def retry(self, now_s: float) -> float:
        """Ask again for partitions whose back-off is over; return the seconds until the next."""
        wait_s = float("inf")
        for key, following in list(self._delayed.items()):
            if following.not_before_s <= now_s:
                del self._delayed[key]
                self._changed[key] = None
            else:
                wait_s = min(wait_s, following.not_before_s - now_s)
        return wait_s

    def request(self) -> FetchRequest | None:
        """The next fetch; None if there is nothing to ask for."""
        number = self._requests + 1
        topics: list[FetchTopic] = []
        forgotten: dict[bytes, ForgottenTopic] = {}
        for key in self._changed:
            topic_id, index = key
            following = self.following.get(key)
            if following is None or key in self.lost or key in self._delayed:
                if self._asked.pop(key, None) is not None:
                    left = forgotten.setdefault(topic_id, ForgottenTopic(topic_id=topic_id))
                    left.partitions.append(index)
                continue
            wanted = following.request(self._partition_max_bytes)
            before = self._asked.get(key)
            self._asked[key] = _Asked(
                wanted.fetch_offset,
                wanted.log_start_offset,
                wanted.last_fetched_epoch,
                number,
                following,
                before.since if before is not None and before.following is following else number,
            )
            # A leader serves partitions in the order of the first request, so a topic is repeated
            # if other partitions come between its own.
            if not topics or topics[-1].topic_id != topic_id:
                topics.append(FetchTopic(topic_id=topic_id))
            topics[-1].partitions.append(wanted)
        self._changed.clear()
        if not self._asked and not forgotten:
            # An empty session would be answered at once, again and again.
            return None
        self._requests = number
        request = self._make_request()
        request.session_id = self.session_id
        request.session_epoch = self._epoch
        request.topics = topics
        request.forgotten_topics_data = list(forgotten.values())
        self._epoch += 1
        return request

    def answered(self, response: FetchResponse, now_s: float, now_ms: int) -> None:
        """Apply an answer of the leader.

        Raises KafkaError if the leader has ended the session: a new connection begins another.
        """
        self._answers += 1
        if response.error_code != ErrorCode.NONE:
            raise KafkaError(ErrorCode(response.error_code), "the fetch session is over")
        self.session_id = response.session_id
        served = []
        for topic in response.responses:
            topic_id = bytes(topic.topic_id)
            for data in topic.partitions:
                key = (topic_id, data.partition_index)
                if data.records:
                    served.append(key)
                following = self.following.get(key)
                asked = self._asked.get(key)
                if following is None or asked is None:
                    continue
                if asked.request <= self._answers:
                    self._take(key, following, asked, data, now_s, now_ms)
                elif asked.since <= self._answers:
                    # The partition was added again since then, and will be answered again; but the
                    # leader will not repeat the offsets that it has sent with this answer.
                    with contextlib.suppress(LogDirFailure):  # The replica was dropped already.
                        following.heard(data)
        if response.session_id == NO_SESSION:
            self._name_all(served)

    def _name_all(self, served: list[Key]) -> None:
        """The leader keeps no session for this follower: each fetch names all partitions, in turns.

        A served partition goes to the end, as in a session (KIP-227): otherwise a leader with room
        for one batch in each answer would never reach the last partition.
        """
        self._epoch = INITIAL_EPOCH
        for key in served:
            if key in self.following:
                self.following[key] = self.following.pop(key)
        left = [key for key in self._changed if key not in self.following]
        self._changed = dict.fromkeys((*self.following, *left))

    def _take(
        self,
        key: Key,
        following: Following,
        asked: _Asked,
        data: PartitionData,
        now_s: float,
        now_ms: int,
    ) -> None:
        """Apply one partition's answer."""
        try:
            outcome = following.answered(asked.offset, data, now_s, now_ms)
        except LogDirFailure:
            return  # Its directory is offline: the replica was dropped already.
        except KafkaError as error:
            log.error(f"{following.replica.topic_partition}: unusable records: {error}")
            outcome = following.back_off(now_s)
        partition_log = following.replica.log
        end = partition_log.log_end_offset
        self._lag[key] = max(0, data.high_watermark - end)
        if self._throttle is not None and self._throttle.is_active:
            outcome = self._throttled(key, following, data, outcome, now_s)
        if outcome is Outcome.REFUSED:
            self._delayed[key] = following
        elif outcome is Outcome.LOST:
            self.lost[key] = following
        if (
            end != asked.offset
            or partition_log.log_start_offset != asked.log_start_offset
            or partition_log.latest_epoch != asked.last_epoch
            or outcome is not Outcome.COPIED
        ):
            self._changed[key] = None

    def _throttled(
        self, key: Key, following: Following, data: PartitionData, outcome: Outcome, now_s: float
    ) -> Outcome:
        """Count copied bytes, and pause an out-of-sync partition above the limit (KIP-73)."""
        throttle = self._throttle
        if throttle is None or not throttle.covers(following.replica.topic_partition):
            return outcome
        now_ms = int(now_s * 1000)
        if data.records:
            throttle.record(len(data.records), now_ms)
        if outcome is not Outcome.COPIED or not self._lag[key]:
            return outcome
        wait_ms = throttle.wait_ms(now_ms)
        if not wait_ms:
            return outcome
        following.not_before_s = now_s + wait_ms / 1000
        return Outcome.REFUSED

    def found(
        self,
        starts: dict[TopicPartition, int],
        ends: dict[TopicPartition, int],
        now_s: float,
        now_ms: int,
    ) -> None:
        """The start and end offsets of the lost partitions' logs, from the leader."""
        lost, self.lost = self.lost, {}
        for key, following in lost.items():
            name = following.replica.topic_partition
            self._changed[key] = None
            try:
                if name in starts and name in ends:
                    following.found(starts[name], ends[name], now_ms)
                    continue
            except LogDirFailure:
                continue
            following.back_off(now_s)
            self._delayed[key] = following
