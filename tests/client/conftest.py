"""A scripted cluster on a virtual clock, for tests of the clients."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

from tests.support.memory_network import MemoryNetwork, VirtualClock
from tests.support.scripted_cluster import ScriptedCluster


@pytest.fixture
def world(nursery: trio.Nursery, autojump_clock: trio.testing.MockClock) -> dict[str, Any]:
    """A client's ports, as keyword arguments."""
    return {
        "network": MemoryNetwork(nursery),
        "clock": VirtualClock(),
        "dice": random.Random(7),
    }


@pytest.fixture
async def cluster(world: dict[str, Any]) -> AsyncIterator[ScriptedCluster]:
    yield ScriptedCluster(world["network"])
