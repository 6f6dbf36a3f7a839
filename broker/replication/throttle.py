"""Limits what replicas that are not in sync copy, so that a move leaves room for others (KIP-73).

One for what a broker sends as a leader, one for what it takes as a follower. Both sides count all
bytes of the partitions that are named, and hold back those alone that are named and whose follower
is not in sync: what is in sync stays so, whatever the limit. Pure: the caller says what time it is.
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
"""As the partitions of a topic: all of them."""

UNLIMITED: Final = 2**63 - 1
"""The rate that is set by default."""

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
        """Take a limit in bytes a second, and by topic the partitions for which it holds.

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
        """Count bytes of a partition that is covered."""
        self._sent.record(size, now_ms)

    def wait_ms(self, now_ms: int) -> int:
        """How long until the rate is at the limit again; 0 when it is not above it.

        The rate is Kafka's SimpleRate: what was counted, by the time since the oldest of it, but
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
    """Both directions, as the settings of the broker and of the topics have them."""

    def __init__(self, node_id: int, windows: Windows) -> None:
        self.leader = ReplicationThrottle(windows)
        self.follower = ReplicationThrottle(windows)
        self._node_id = node_id

    def follow(self, config: Config, image: MetadataImage, delta: MetadataDelta) -> None:
        """Take the limits again when any setting has changed."""
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
    """The partitions that settings of topics name for a broker: "partition:broker,..." or "*".

    `configs` has the setting's text by topic.
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
