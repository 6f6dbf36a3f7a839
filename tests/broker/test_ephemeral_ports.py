"""A broker's listeners on port 0: as Kafka, it advertises the ports that it got."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from raftka.broker.binding import bind, number_listeners
from raftka.model.settings import read_config
from raftka.model.settings.listeners import listeners
from raftka.net.transport import TcpNetwork


def node(given: str, advertised: str | None = None) -> Any:
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"{given},CONTROLLER://127.0.0.1:0",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": "1@127.0.0.1:9093",
        "listener.security.protocol.map": "A:PLAINTEXT,B:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "A",
        "log.dirs": "/data",
    }
    if advertised is not None:
        settings["advertised.listeners"] = advertised
    found = {each.name: each for each in listeners(read_config(settings))}
    return SimpleNamespace(listeners=found, network=TcpNetwork())


async def test_what_is_bound_later_is_what_is_advertised() -> None:
    one = node("A://127.0.0.1:0,B://127.0.0.1:0")
    await number_listeners(one)
    a, b = one.listeners["A"], one.listeners["B"]
    assert a.bind.port and b.bind.port and a.bind.port != b.bind.port
    assert (a.advertised, b.advertised) == (a.bind, b.bind)
    assert one.listeners["CONTROLLER"].bind.port == 0, "voters know controllers by their settings"
    bound = await bind(cast(Any, one), "broker")
    assert {name: each.port for name, each in bound.items()} == {
        "A": a.bind.port,
        "B": b.bind.port,
    }
    for each in bound.values():
        each.close()


async def test_a_port_that_is_advertised_by_the_settings_stays() -> None:
    one = node("A://127.0.0.1:0,B://127.0.0.1:0", "A://localhost:0,B://proxy:7777")
    await number_listeners(one)
    a, b = one.listeners["A"], one.listeners["B"]
    assert a.advertised == ("localhost", a.bind.port)
    assert b.advertised == ("proxy", 7777) and b.bind.port
