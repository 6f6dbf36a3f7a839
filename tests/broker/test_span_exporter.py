"""The exporter of spans and its settings: errors in them are reported at the start."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from raftka.broker.span_exporter import SpanExporter, exporter_of
from raftka.model.ports import TlsFailure, TlsStream
from raftka.model.settings.config import WrongSettings
from raftka.model.settings.reading import read_config
from raftka.model.tls_settings import TlsSettings
from raftka.net.security.openssl import OpenSsl
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.network import Fabric


def made(fabric: Fabric, **settings: str) -> tuple[SpanExporter, Any]:
    """The exporter of a node with these settings, and the node."""
    given = {
        "node.id": "1",
        "process.roles": "broker,controller",
        "listeners": "PLAINTEXT://n1:9092,CONTROLLER://n1:9093",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": "1@n1:9093",
        "log.dirs": "/d",
        **{f"raftka.otlp.{name.replace('_', '.')}": value for name, value in settings.items()},
    }
    node: Any = SimpleNamespace(
        config=read_config(given),
        clock=SimClock(),
        dice=random.Random(1),
        network=fabric.host("n1"),
        node_id=1,
        cluster_id="c",
    )
    return exporter_of(node), node


@pytest.mark.parametrize("headers", ["key", "=x", "k ey=x", "key=\u00e9", "key=a\x01b", "a=b,c"])
def test_headers_that_no_request_could_carry(headers: str) -> None:
    with pytest.raises(WrongSettings, match="name=value in ASCII"):
        made(Fabric(random.Random(1)), traces_endpoint="http://h/v1", headers=headers)


@pytest.mark.parametrize("url", ["http://h/v\u00e9", "http://\u00e9/v1", "http://h/v 1"])
def test_an_endpoint_with_characters_that_no_request_could_carry(url: str) -> None:
    with pytest.raises(WrongSettings, match="percent-encoded"):
        made(Fabric(random.Random(1)), traces_endpoint=url)


@pytest.mark.parametrize("url", ["file:///tmp/spans", "collector:4318", "http:///v1"])
def test_an_endpoint_that_is_no_url_of_http(url: str) -> None:
    with pytest.raises(WrongSettings, match="must be http://host/path or https://host/path"):
        made(Fabric(random.Random(1)), traces_endpoint=url)


async def test_the_authorities_are_read_once(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    """That takes 50 ms of CPU, in which the node does nothing else."""
    read, asked = [], []

    class NoAgreement:
        def server(self) -> TlsStream:
            raise AssertionError

        def client(self, host: str) -> TlsStream:
            asked.append(host)
            raise TlsFailure("no")

    def context(_: OpenSsl, settings: TlsSettings, *, server: bool) -> NoAgreement:
        read.append(settings)
        return NoAgreement()

    monkeypatch.setattr(OpenSsl, "context", context)
    fabric = Fabric(random.Random(1))
    exporter, node = made(fabric, traces_endpoint="https://collector:4318/v1/traces")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fabric.run)
        await fabric.host("collector").listen("collector", 4318)
        nursery.start_soon(exporter.run)
        for _ in range(3):
            node.spans.add("Fetch", (), 1.0, 2.0, 2.0)
            await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert (len(read), asked) == (1, ["collector"] * 3)
