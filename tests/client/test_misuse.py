"""Wrong uses, and the errors that users see."""

from __future__ import annotations

from array import array
from typing import Any, cast

import pytest

import raftka
from raftka.client.admin import Admin
from raftka.client.consumer import Consumer
from raftka.client.producer import Producer
from raftka.client.settings import ConfigError
from raftka.model.ids import TopicPartition
from tests.support.scripted_cluster import ScriptedCluster

NOT_BYTES: list[Any] = [5, {}, [1], 1.5, True]
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


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        *[({"value": each}, TypeError, "values are bytes") for each in NOT_BYTES],
        ({"value": memoryview(array("i", [1, 2]))}, TypeError, "this is memoryview"),
        ({"key": 5}, TypeError, "this is int"),
        *[
            ({"headers": headers}, TypeError, "headers are a list of pairs")
            for headers in (
                {"a": b"1"},
                [("a", "b")],
                [("a",)],
                [(b"a", b"b")],
                ["ab"],
                5,
                iter(()),
            )
        ],
        ({"partition": "0"}, TypeError, "a partition is an int, not str"),
        ({"partition": 0.0}, TypeError, "a partition is an int, not float"),
        ({"partition": -1}, ValueError, "a partition is a number from 0 to 2147483647, not -1"),
        ({"partition": 2**31}, ValueError, "a partition is a number"),
        ({"timestamp_ms": "now"}, TypeError, "a timestamp is an int, not str"),
        ({"timestamp_ms": 1.5}, TypeError, "a timestamp is an int, not float"),
        ({"timestamp_ms": -5}, ValueError, "a timestamp is a number"),
        ({"timestamp_ms": 2**63}, ValueError, "a timestamp is a number"),
        *[({"topic": topic}, TypeError, "a topic is named by a str") for topic in (None, 5, b"t")],
    ],
)
async def test_what_is_no_record_is_refused_at_once_and_others_go_on(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    given: dict[str, Any],
    kind: type[Exception],
    words: str,
) -> None:
    cluster.create("t")
    async with Producer(BOOTSTRAP, **world) as producer:
        with pytest.raises(kind, match=words):
            await producer.send(**{"topic": "t", "value": b"v", **given})
        value: Any = bytearray(b"v")
        stored = await producer.send("t", value, b"k", headers=[("h", None)])
        assert (await stored).offset == 0


class Integer:
    """An integer of another type than int, like those in numpy's arrays."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


async def test_integers_of_other_libraries_are_integers(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    zero: Any = Integer(0)
    async with Producer(BOOTSTRAP, **world) as producer:
        stored = await producer.send("t", b"v", partition=zero, timestamp_ms=zero)
        assert (await stored).partition == 0
        with pytest.raises(ValueError, match="a partition is a number from 0"):
            await producer.send("t", b"v", partition=cast(Any, Integer(-1)))
    async with Consumer({**BOOTSTRAP, "group.id": "g"}, **world) as consumer:
        consumer.assign([("t", zero)])  # type: ignore[list-item]
        assert consumer.assignment == [TopicPartition("t", 0)]
        consumer.seek(TopicPartition("t", 0), zero)
        (record,) = await consumer.poll(timeout_s=1)
        assert (record.partition, record.offset, record.timestamp_ms) == (0, 0, 0)


async def test_what_is_no_place_to_read_from_is_refused_at_once(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.create("t")
    there = TopicPartition("t", 0)
    wrong: Any
    async with Consumer({**BOOTSTRAP, "group.id": "g"}, **world) as consumer:
        for wrong in (None, 5, [5], [None], b"t"):
            with pytest.raises(TypeError, match="topics are a list of str"):
                consumer.subscribe(wrong)
        for wrong in (there, ["t"], [("t", "0")], [("t",)], [5]):
            with pytest.raises(TypeError, match="a partition is a"):
                consumer.assign(wrong)
        with pytest.raises(ValueError, match="a partition is a number from 0"):
            consumer.assign([TopicPartition("t", -1)])
        consumer.assign([there])
        for wrong in ("0", 1.0, None):
            with pytest.raises(TypeError, match="an offset is an int"):
                consumer.seek(there, wrong)
            with pytest.raises(TypeError, match="an offset is an int"):
                await consumer.commit({there: wrong})
        for wrong in (-1, 2**63):
            with pytest.raises(ValueError, match="an offset is a number from 0"):
                consumer.seek(there, wrong)
            with pytest.raises(ValueError, match="an offset is a number from 0"):
                await consumer.commit({there: wrong})


async def test_letters_of_a_name_are_no_names(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    wrong: Any = "abc"
    async with Admin(BOOTSTRAP, **world) as admin:
        calls: list[tuple[Any, str]] = [
            (admin.delete_topics, "topics"),
            (admin.describe_topics, "topics"),
            (admin.delete_groups, "groups"),
            (admin.describe_groups, "groups"),
        ]
        for call, what in calls:
            with pytest.raises(TypeError, match=f"{what} are a list of str"):
                await call(wrong)
        topics: Any
        for topics in (wrong, [wrong], 5, None):
            with pytest.raises(TypeError, match="topics are a list of NewTopic"):
                await admin.create_topics(topics)


@pytest.mark.parametrize("kind", [Producer, Consumer, Admin])
async def test_a_client_is_opened_once(
    kind: Any, cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    client = kind(BOOTSTRAP, **world)
    async with client:
        with pytest.raises(RuntimeError, match="was opened before: make one for each"):
            async with client:
                pass
    with pytest.raises(RuntimeError, match="was opened before"):
        async with client:
            pass
    for wrong in (None, 5, "x"):
        with pytest.raises(ConfigError, match="the settings are a dict"):
            kind(wrong)


async def test_an_admin_that_is_not_open_says_what_to_do(world: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="use it within `async with`"):
        await Admin(BOOTSTRAP, **world).list_topics()


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
