"""Makes fixtures for users: `orders_cluster = cluster_fixture(nodes=3, scope="module")`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from raftka.testing.cluster import Cluster

if TYPE_CHECKING:
    import pytest

Scope = Literal["session", "package", "module", "class", "function"]


def cluster_fixture(
    nodes: int = 1,
    *,
    settings: Mapping[str, object] | None = None,
    scope: Scope = "session",
    topics: Mapping[str, int] | None = None,
) -> Any:
    """A pytest fixture that gives a running Cluster, for a conftest.py or a test module.

        broker = cluster_fixture(settings={"log.retention.ms": 1000}, topics={"orders": 3})

    `topics` are created before the first test: names, and how many partitions each has.
    """
    import pytest

    @pytest.fixture(scope=scope)
    def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
        with Cluster(nodes, settings=settings) as made:
            for name, partitions in (topics or {}).items():
                made.create_topic(name, partitions)
            yield made

    return cluster
