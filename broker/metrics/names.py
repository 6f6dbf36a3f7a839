"""Names of metrics: Kafka's MBeans as the two common exporters spell them.

The JMX exporter's usual rules turn `kafka.server<type=BrokerTopicMetrics, name=MessagesInPerSec>`
into `kafka_server_brokertopicmetrics_messagesin_total`, Strimzi's metrics reporter into
`..._messagesinpersec_total`; dashboards query either. The same for `RequestHandlerAvgIdlePercent`,
and for the raft metrics: `raftmetrics` and `raft_metrics`.
"""

from __future__ import annotations


def meter(name: str) -> tuple[str, ...]:
    """The count of a `<name>PerSec` meter, under both names."""
    return (f"{name}_total", f"{name}persec_total")


def percent(name: str) -> tuple[str, ...]:
    """A `<name>Percent` gauge."""
    return (f"{name}_percent", f"{name}percent")


def raft(name: str) -> tuple[str, ...]:
    """An attribute of `kafka.server:type=raft-metrics`."""
    return (f"kafka_server_raftmetrics_{name}", f"kafka_server_raft_metrics_{name}")
