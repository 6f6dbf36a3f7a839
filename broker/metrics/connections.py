"""Gauges of the connections that clients and other nodes have to this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from raftka.broker.metrics.families import Family, labels

if TYPE_CHECKING:
    from raftka.net.server import Server

_METRICS: Final = "kafka_server_socket_server_metrics_"


def connections(servers: Sequence[Server]) -> Iterator[Family]:
    """Of each listener. One network processor serves all of them here: the event loop."""
    where = [(labels(listener=each.name, networkProcessor=0), each) for each in servers]
    yield Family(
        (_METRICS + "connection_count", "kafka_server_socketservermetrics_connection_count"),
        "gauge",
        "Connections that are open.",
        [(label, each.connection_count) for label, each in where],
    )
    yield Family(
        (_METRICS + "connection_creation_total",),
        "counter",
        "Connections that were accepted.",
        [(label, each.accepted_count) for label, each in where],
    )
