"""Gauges of the connections from clients and other nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from raftka.broker.metrics.families import Family, labels
from raftka.net.client_software import OTHER, Software, software_of

if TYPE_CHECKING:
    from raftka.net.server import Server

_METRICS: Final = "kafka_server_socket_server_metrics_"
_SOFTWARE_MAX: Final = 50


def software(servers: Iterable[Server]) -> dict[Software, int]:
    """The number of open connections by client software; the rarest ones are summed up."""
    found = Counter(software_of(session) for each in servers for session in each.sessions())
    shown = dict(found.most_common(_SOFTWARE_MAX))
    if rest := found.total() - sum(shown.values()):
        shown[OTHER, OTHER] = rest
    return shown


def connections(servers: Sequence[Server]) -> Iterator[Family]:
    """The connections of each listener. One network processor, the event loop, serves all."""
    where = [(labels(listener=each.name, networkProcessor=0), each) for each in servers]
    yield Family(
        (_METRICS + "connection_count", "kafka_server_socketservermetrics_connection_count"),
        "gauge",
        "Connections that are open.",
        [(label, each.connection_count) for label, each in where],
    )
    yield Family(
        (_METRICS + "connections",),
        "gauge",
        "Connections that are open, by the software that clients say they are (KIP-511).",
        [
            (
                labels(
                    clientSoftwareName=name,
                    clientSoftwareVersion=version,
                    listener=each.name,
                    networkProcessor=0,
                ),
                count,
            )
            for each in servers
            for (name, version), count in software([each]).items()
        ],
    )
    yield Family(
        (_METRICS + "connection_creation_total",),
        "counter",
        "Connections that were accepted.",
        [(label, each.accepted_count) for label, each in where],
    )
