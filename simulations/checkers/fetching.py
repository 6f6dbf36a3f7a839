"""No partition starves: a fetcher receives records from each partition that has some, in turn.

A broker answers a fetch at once when it may return records, and a fetch session reaches every
partition however small the limits are: a partition that was served moves to the end (KIP-74,
KIP-227). Without a session the fetcher rotates the order.

A follower may read to the end of its leader's log on disk, a consumer up to the high watermark: the
last one that the leader reported counts, which is a lower bound. Fetches of replicas that do not
lead are not judged here, nor those that ask for more than one byte or for committed transactions
only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import trio

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage, PartitionImage
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.fetches import TOPIC_IDS_SINCE, Asked, FetchTalk, Place, Wanted
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Key, PartitionLogs
from raftka.simulations.violation import About, Report

HELD_MAX_S: Final = 1.5
"""A running broker answers within this long after the first check."""
_NOTHING_MAX: Final = 2
"""The response in flight may have been composed before the record arrived."""
_EXTRA_TURNS: Final = 2
"""The first answer of a session does not change the order, and one may be in flight."""
_NEVER: Final = float("inf")
_THROTTLED: Final = "leader.replication.throttled.replicas"
_RATE: Final = "leader.replication.throttled.rate"
_LATE_S: Final = 15.0
"""This long after a change of limits or ISRs a leader may still act on the old ones: a leader that
is cut off leads until its session ends, and a quota averages over its windows.
"""


class FetchChecker:
    """Checks every response to a Fetch, and at intervals the fetches that wait for one."""

    def __init__(
        self,
        watched: Watched,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        report: Report,
        *,
        high_watermark: Callable[[str, Key], int],
        runs_since: Callable[[str], float],
    ) -> None:
        """`high_watermark`: the last one that a host reported as leader of the present epoch, or
        -1. `runs_since`: when a host's process was last started or resumed; infinity while it does
        not run.
        """
        self.looks = Looks()
        self._metadata = metadata
        self._logs = logs
        self._report = report
        self._high_watermark = high_watermark
        self._runs_since = runs_since
        self._talks: list[FetchTalk] = []
        self._throttled_s: dict[str, float] = {}
        """When a topic was last seen with a throttle."""
        self._joined_s: dict[tuple[Key, int], float] = {}
        """When a replica joined an ISR."""
        self._limited_s: float | None = None
        """When clients were last seen with a quota."""
        metadata.on_change.append(self._isr_changed)
        metadata.on_image.append(self._limits_changed)
        watched.every_fetch(self)

    # observers.fetches.FetchListener

    def fetches_begin(self, talk: FetchTalk) -> None:
        if talk.flow is not None:
            self._talks.append(talk)

    def fetch_answered(self, talk: FetchTalk, asked: Asked, response: Any) -> None:
        """Finds partitions with records that are passed over while others are served repeatedly."""
        if talk.wanted is None or talk.waits_for_more:
            return
        self.looks("partition-passed-over")
        served, settled = _sort(response, asked.version)
        for place, wanted in talk.wanted.items():
            if place in settled or place in served or not self._is_readable(talk, place, wanted):
                wanted.served()
            elif wanted.others is None:
                # The records may have come when the response was already composed.
                wanted.others = {}
            else:
                self._passed_over(talk, place, wanted, served)

    def _passed_over(
        self, talk: FetchTalk, place: Place, wanted: Wanted, served: list[Place]
    ) -> None:
        assert wanted.others is not None
        for each in served:
            wanted.others[each] = wanted.others.get(each, 0) + 1
        wanted.passed += 1
        wanted.nothing += not served
        if wanted.nothing >= _NOTHING_MAX:
            self._report(
                "fetch-waits",
                f"{talk.server} has answered {wanted.nothing} fetches of {talk.client} with"
                f" nothing, though it may give records of {self._words(place)} from offset"
                f" {wanted.offset} on",
                about=self._about(talk, place, wanted),
            )
        elif wanted.passed > len(talk.wanted or ()) + _EXTRA_TURNS:
            others = ", ".join(
                f"{self._words(each)} {times} times" for each, times in wanted.others.items()
            )
            self._report(
                "partition-passed-over",
                f"{talk.server} has answered {talk.client} {wanted.passed} times with nothing of"
                f" {self._words(place)}, which has records from offset {wanted.offset} on, and has"
                f" served {others}",
                about=self._about(talk, place, wanted),
            )

    def look(self) -> None:
        """Finds a fetch that waits although there are records that it may read."""
        now = trio.current_time()
        self._talks = [talk for talk in self._talks if talk.flow is not None and talk.flow.is_open]
        for talk in self._talks:
            if talk.open:
                self._look_at(talk, talk.open[-1], now)

    def _look_at(self, talk: FetchTalk, asked: Asked, now: float) -> None:
        runs_since = self._runs_since(talk.server)
        since = asked.readable_since
        arrived = talk.flow is not None and talk.flow.all_arrived
        wanted = talk.as_of_now() if arrived and runs_since < _NEVER else None
        if wanted is None or talk.waits_for_more:
            since.clear()
            return
        self.looks("fetch-waits")
        for place, each in wanted.items():
            if not self._is_readable(talk, place, each):
                since.pop(place, None)
            elif since.setdefault(place, now) < runs_since:
                since[place] = now
            elif now - since[place] >= HELD_MAX_S:
                self._report(
                    "fetch-waits",
                    f"a fetch of {talk.client} waits at {talk.server} since"
                    f" {since[place]:.3f} s at least, though it may be given records of"
                    f" {self._words(place)} from offset {each.offset} on",
                    about=self._about(talk, place, each),
                )

    def _is_readable(self, talk: FetchTalk, place: Place, wanted: Wanted) -> bool:
        """Whether a leader has records for the fetcher."""
        key = self._key(place)
        partition = self._metadata.image.partition(*key) if key is not None else None
        if key is None or partition is None or f"n{partition.leader}" != talk.server:
            return False
        if wanted.epoch not in (-1, partition.leader_epoch):
            return False
        mirror = self._logs.replica(talk.server, key)
        if mirror is None or not mirror.start_offset <= wanted.offset < mirror.end_offset:
            return False
        if talk.is_follower:
            return not self._may_hold_back(talk, key, partition)
        if self._metadata.image.client_quotas or _is_recent(self._limited_s):
            return False
        return wanted.offset < self._high_watermark(talk.server, key)

    def _may_hold_back(self, talk: FetchTalk, key: Key, partition: PartitionImage) -> bool:
        """Whether a throttle may delay it: the fetch of a follower that is not in sync (KIP-73)."""
        was_throttled = _is_recent(self._throttled_s.get(key[0]))
        if not was_throttled and not _throttles(self._metadata.image, key[0], partition.leader):
            return False
        joined = next((each for each in partition.isr if f"n{each}" == talk.client), None)
        if joined is None:
            return True
        return _is_recent(self._joined_s.get((key, joined)))

    def _isr_changed(self, key: Key, before: PartitionImage | None, after: PartitionImage) -> None:
        if before is None or before.leader_epoch != after.leader_epoch:
            return  # A leader starts with the ISR of its election.
        for member in after.isr:
            if member not in before.isr:
                self._joined_s[key, member] = trio.current_time()

    def _limits_changed(
        self, before: MetadataImage, after: MetadataImage, delta: MetadataDelta
    ) -> None:
        now = trio.current_time()
        if before.client_quotas:
            self._limited_s = now
        if before.configs is not after.configs:
            for name in before.topics:
                if _THROTTLED in before.topic_config(name):
                    self._throttled_s[name] = now

    def _key(self, place: Place) -> Key | None:
        topic, index = place
        name = topic if isinstance(topic, str) else self._metadata.image.topic_names.get(topic)
        return None if name is None else (name, index)

    def _words(self, place: Place) -> str:
        key = self._key(place)
        return f"{key[0]}-{key[1]}" if key is not None else f"partition {place[1]}"

    def _about(self, talk: FetchTalk, place: Place, wanted: Wanted) -> About:
        return About(self._key(place), wanted.offset, node=talk.server, other=talk.client)


def _is_recent(at_s: float | None) -> bool:
    return at_s is not None and trio.current_time() - at_s < _LATE_S


def _throttles(image: MetadataImage, topic: str, leader: int) -> bool:
    if _THROTTLED not in image.topic_config(topic):
        return False
    return any(_RATE in image.broker_config(each) for each in (leader, None))


def _sort(response: Any, version: int) -> tuple[list[Place], set[Place]]:
    """Partitions with records; and those with another reason for the fetcher to move on."""
    served: list[Place] = []
    settled: set[Place] = set()
    for topic in response.responses:
        name = bytes(topic.topic_id) if version >= TOPIC_IDS_SINCE else topic.topic
        for data in topic.partitions:
            place = (name, data.partition_index)
            if data.records:
                served.append(place)
            elif (
                data.error_code
                or data.preferred_read_replica >= 0
                or data.diverging_epoch.end_offset >= 0
            ):
                settled.add(place)
    return served, settled
