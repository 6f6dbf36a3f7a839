"""raftka: a Kafka cluster in Python that you can run, break and understand.

    from raftka import Admin, Consumer, NewTopic, Producer

The clients are native to trio. Nothing is imported before it is asked for, so that a server does
not pay for the clients, nor a tool for the server.

Public is what this package, `raftka.testing` (real nodes in your tests) and `raftka.simulation`
(the cluster under one seed) export. All other modules of raftka are private: they may change with
any version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raftka.model.version import __version__

if TYPE_CHECKING:
    from raftka.client.admin import Admin, NewTopic
    from raftka.client.consumer import Consumer
    from raftka.client.producer import Producer
    from raftka.local_cluster import LocalCluster
    from raftka.model.errors import ErrorCode, KafkaError

_HOMES = {
    "Admin": "raftka.client.admin",
    "Consumer": "raftka.client.consumer",
    "ErrorCode": "raftka.model.errors",
    "KafkaError": "raftka.model.errors",
    "LocalCluster": "raftka.local_cluster",
    "NewTopic": "raftka.client.admin",
    "Producer": "raftka.client.producer",
}

__all__ = [
    "Admin",
    "Consumer",
    "ErrorCode",
    "KafkaError",
    "LocalCluster",
    "NewTopic",
    "Producer",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'raftka' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
