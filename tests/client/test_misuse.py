"""Wrong uses, and the errors that a user then reads."""

from __future__ import annotations

from typing import Any

import pytest

import raftka
from raftka.client.producer import Producer
from tests.support.scripted_cluster import ScriptedCluster

BOOTSTRAP = {"bootstrap.servers": "b1:9092"}


async def test_text_is_refused_in_words(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    text: Any = "text"
    async with Producer(BOOTSTRAP, **world) as producer:
        for given in ({"value": text}, {"key": text}):
            with pytest.raises(TypeError, match="keys and values are bytes"):
                await producer.send("t", **given)


async def test_a_producer_that_is_not_open_says_what_to_do(world: dict[str, Any]) -> None:
    producer = Producer(BOOTSTRAP, **world)
    with pytest.raises(RuntimeError, match="use it within `async with Producer"):
        await producer.send("t", b"v")
    with pytest.raises(RuntimeError, match="use it within `async with Producer"):
        await producer.flush()


def test_under_asyncio_trio_is_named() -> None:
    import asyncio

    async def main() -> None:
        async with Producer(BOOTSTRAP):
            pass

    with pytest.raises(RuntimeError, match=r"this is asyncio: .* trio\.run\(main\)"):
        asyncio.run(main())


@pytest.mark.parametrize("name", raftka.__all__)
def test_what_is_public_is_there(name: str) -> None:
    assert getattr(raftka, name) is not None
