"""Records and bytes by topic, as Kafka's BrokerTopicMetrics has them.

The data plane increments plain integers at the replica; the metrics reporter computes the sums
(broker/metrics).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

COUNTS: Final = (
    "messages_in",
    "bytes_in",
    "bytes_rejected",
    "bytes_out",
    "replication_bytes_in",
    "replication_bytes_out",
    "produce_requests",
    "fetch_requests",
    "failed_produce_requests",
    "failed_fetch_requests",
)


class TopicTraffic:
    """The traffic of one topic's replicas on this broker.

    A request counts once for each of its partitions.
    """

    __slots__ = COUNTS

    def __init__(self) -> None:
        self.messages_in = 0
        """Records that this broker appended as leader."""
        self.bytes_in = 0
        self.bytes_rejected = 0
        """In batches that exceeded the topic's max.message.bytes."""
        self.bytes_out = 0
        """To consumers."""
        self.replication_bytes_in = 0
        """From the leaders that this broker follows."""
        self.replication_bytes_out = 0
        """To followers."""
        self.produce_requests = 0
        self.fetch_requests = 0
        self.failed_produce_requests = 0
        self.failed_fetch_requests = 0

    def add(self, other: TopicTraffic) -> None:
        """Add another topic's counts."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Traffic:
    """The traffic of a broker's topics."""

    def __init__(self) -> None:
        self._topics: dict[str, TopicTraffic] = {}
        self._gone = TopicTraffic()
        """Of topics that have left this broker: a counter must not decrease."""

    def of(self, topic: str) -> TopicTraffic:
        """The counts of a topic, starting at zero."""
        found = self._topics.get(topic)
        if found is None:
            found = self._topics[topic] = TopicTraffic()
        return found

    def forget(self, topic: str) -> None:
        """The last replica of the topic has left this broker."""
        gone = self._topics.pop(topic, None)
        if gone is not None:
            self._gone.add(gone)

    def __iter__(self) -> Iterator[tuple[str, TopicTraffic]]:
        return iter(self._topics.items())

    def total(self) -> TopicTraffic:
        """Over all topics since the process started."""
        total = TopicTraffic()
        total.add(self._gone)
        for traffic in self._topics.values():
            total.add(traffic)
        return total
