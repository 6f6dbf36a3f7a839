"""Records and bytes by topic, as Kafka's BrokerTopicMetrics has them.

The data plane adds to plain integers that it finds at the replica; the metrics reporter makes
the sums (broker/metrics).
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
    """What has passed through the replicas of one topic on this broker.

    Requests are counted once for each partition that they name.
    """

    __slots__ = COUNTS

    def __init__(self) -> None:
        self.messages_in = 0
        """Records that this broker appended as leader."""
        self.bytes_in = 0
        self.bytes_rejected = 0
        """Of batches larger than the topic takes."""
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
        """Count what `other` counted, too."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Traffic:
    """The traffic of a broker's topics."""

    def __init__(self) -> None:
        self._topics: dict[str, TopicTraffic] = {}
        self._gone = TopicTraffic()
        """Of topics that have left this broker: a sum that is a counter must not fall."""

    def of(self, topic: str) -> TopicTraffic:
        """The counts of a topic, from zero when it is new here."""
        found = self._topics.get(topic)
        if found is None:
            found = self._topics[topic] = TopicTraffic()
        return found

    def forget(self, topic: str) -> None:
        """No replica of the topic is here any longer."""
        gone = self._topics.pop(topic, None)
        if gone is not None:
            self._gone.add(gone)

    def __iter__(self) -> Iterator[tuple[str, TopicTraffic]]:
        return iter(self._topics.items())

    def total(self) -> TopicTraffic:
        """Over all topics since the process began."""
        total = TopicTraffic()
        total.add(self._gone)
        for traffic in self._topics.values():
            total.add(traffic)
        return total
