"""Real nodes in your tests: public API.

    from raftka.testing import Cluster

    with Cluster(nodes=3) as cluster:
        cluster.create_topic("orders")
        ... cluster.bootstrap_servers ...
        cluster.kill(cluster.leader("orders", 0))

With pytest, the fixtures `raftka_broker` (one node), `raftka_cluster` (three) and `raftka_factory`
(as many clusters as you ask for, with settings of your own) are there once raftka is installed;
`cluster_fixture` makes a fixture with settings and a scope of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raftka.local_cluster import NodeFailed
    from raftka.testing.cluster import Cluster
    from raftka.testing.fixtures import cluster_fixture

__all__ = ["Cluster", "NodeFailed", "cluster_fixture"]

_HOMES = {
    "Cluster": "raftka.testing.cluster",
    "NodeFailed": "raftka.local_cluster",
    "cluster_fixture": "raftka.testing.fixtures",
}


def __getattr__(name: str) -> Any:
    """What is public, imported on first use: the modules behind it import this package, too."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'raftka.testing' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
