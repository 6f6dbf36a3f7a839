"""The connections of one client: none is opened once the client has ended."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import trio

from raftka.client.config import admin_config
from raftka.client.connections import Connections
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection
from raftka.net.clock import system_clock


class SlowNetwork:
    """Connects while something else happens."""

    def __init__(self, meanwhile: Any) -> None:
        self.closed = 0
        self._meanwhile = meanwhile

    async def connect(self, host: str, port: int, *, timeout_s: float) -> Any:
        self._meanwhile()
        return self

    def close(self) -> None:
        self.closed += 1


async def test_what_connects_after_the_end_is_closed_again() -> None:
    """A client that is killed while it leaves its group: seed 777002 found the error of trio."""
    async with trio.open_nursery() as nursery:
        network: Any = SlowNetwork(nursery.cancel_scope.cancel)
        config = admin_config({"bootstrap.servers": "h:1"})
        connections = Connections(nursery, config, network, system_clock(), Random(1))
        with trio.CancelScope(shield=True), pytest.raises(BrokenConnection, match="has ended"):
            await connections.channel(Endpoint("h", 1))
    assert network.closed == 1
