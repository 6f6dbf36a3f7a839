"""Real processes for tests with real clients; one cluster of each size for the whole session."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from raftka.local_cluster import LocalCluster

# Groups are ready at once: no test waits for members that do not come.
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "5"}


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One node."""
    directory: Path = tmp_path_factory.mktemp("single")
    with LocalCluster(directory, nodes=1, settings=SETTINGS) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three nodes, which no test leaves broken."""
    directory: Path = tmp_path_factory.mktemp("three")
    with LocalCluster(directory, nodes=3, settings=SETTINGS) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture
def topic() -> str:
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def kcat() -> str:
    """The path of kcat."""
    found = shutil.which("kcat")
    if found is None:
        pytest.skip("kcat is not installed (Debian: apt-get install kcat)")
    return found
