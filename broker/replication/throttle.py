"""Limits the copying by out-of-sync replicas, so that a move leaves bandwidth for others (KIP-73).

One throttle limits what a broker sends as a leader, another what it copies as a follower. Both
count all bytes of the configured partitions, but only hold back those whose follower is out of
sync: in-sync replicas stay in sync, whatever the limit. Pure: the caller passes the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from raftka.broker.quotas.rates import SampledSum, Windows, rounded
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import TOPIC_RESOURCE, MetadataImage
from raftka.model.ids import TopicPartition
from raftka.model.logs import get_logger
from raftka.model.settings import Config

log = get_logger(__name__)

ALL: Final = "*"
"""Stands for all partitions of a topic."""

UNLIMITED: Final = 2**63 - 1
"""The default rate."""

_RATES: Final = {
    "leader": "leader.replication.throttled.rate",
    "follower": "follower.replication.throttled.rate",
}
_LONGEST_WAIT_MS: Final = 10_000


class ReplicationThrottle:
    """One direction of one broker."""

    def __init__(self, windows: Windows) -> None:
        self._sent = SampledSum(windows)
        self._rate = 0
        self._partitions: Mapping[str, frozenset[int] | None] = {}
        self.is_active = False
        """Whether anything is throttled."""

    def follow(self, rate: int, partitions: Mapping[str, frozenset[int] | None]) -> None:
        """Set the limit in bytes per second, and its partitions by topic.

        None stands for all partitions of a topic; with the rate `UNLIMITED` none is throttled.
        """
        self._rate = rate
        self._partitions = partitions
        self.is_active = bool(partitions) and rate != UNLIMITED

    def covers(self, target: TopicPartition) -> bool:
        """Whether a partition is throttled while its follower is not in sync."""
        if not self.is_active or target.topic not in self._partitions:
            return False
        named = self._partitions[target.topic]
        return named is None or target.partition in named

    def record(self, size: int, now_ms: int) -> None:
        """Count the bytes of a throttled partition."""
        self._sent.record(size, now_ms)

    def wait_ms(self, now_ms: int) -> int:
        """How long until the rate is down to the limit; 0 if it is not above it.

        The rate is Kafka's SimpleRate: the recorded bytes by the time since the oldest of them, but
        at least one window.
        """
        total = self._sent.total(now_ms)
        elapsed_ms = max(self._sent.elapsed_ms(now_ms), self._sent.windows.window_ms)
        if total * 1000 <= self._rate * elapsed_ms:
            return 0
        if not self._rate:
            return _LONGEST_WAIT_MS
        return min(max(1, rounded(total * 1000 / self._rate - elapsed_ms)), _LONGEST_WAIT_MS)


class ReplicationThrottles:
    """Both directions, from the settings of the broker and the topics."""

    def __init__(self, node_id: int, windows: Windows) -> None:
        self.leader = ReplicationThrottle(windows)
        self.follower = ReplicationThrottle(windows)
        self._node_id = node_id

    def follow(self, config: Config, image: MetadataImage, delta: MetadataDelta) -> None:
        """Read the limits again after any setting has changed."""
        if not delta.configs.changed:
            return
        for each, side in ((self.leader, "leader"), (self.follower, "follower")):
            name = f"{side}.replication.throttled.replicas"
            texts = {
                resource.name: values[name]
                for resource, values in image.configs.items()
                if resource.type == TOPIC_RESOURCE and name in values
            }
            was_active = each.is_active
            rate = config.int(_RATES[side])
            each.follow(rate, throttled_partitions(texts, self._node_id))
            if each.is_active:
                log.info(f"as a {side}, replication is throttled to {rate} bytes a second")
            elif was_active:
                log.info(f"as a {side}, replication is no longer throttled")


def throttled_partitions(
    configs: Mapping[str, str], broker_id: int
) -> Mapping[str, frozenset[int] | None]:
    """The partitions of a broker in topics' throttle settings: "partition:broker,..." or "*".

    `configs` maps topics to the setting's text.
    """
    found: dict[str, frozenset[int] | None] = {}
    for topic, text in configs.items():
        if text.strip() == ALL:
            found[topic] = None
            continue
        pairs = (item.strip().split(":") for item in text.split(",") if item.strip())
        named = frozenset(int(index) for index, broker in pairs if int(broker) == broker_id)
        if named:
            found[topic] = named
    return found
