"""Dead letter queues on a node in virtual time (KIP-1191)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import pytest
import trio

from raftka.broker.node import Node
from raftka.broker.replication.replica import Replica
from raftka.broker.share import dead_letters
from raftka.broker.share.reading import records_of
from raftka.client.admin.configs import Alteration, Resource, ResourceType
from raftka.client.admin.features import FeatureUpdate, UpgradeType
from raftka.client.admin.topics import NewTopic
from raftka.model.ids import TopicPartition
from raftka.model.ports import bytes_of
from raftka.model.records import Record, encode_batch, iter_batches, iter_records
from raftka.net.protocol.messages.find_coordinator import FindCoordinatorRequest
from raftka.simulation import Stage, run_scenario
from raftka.simulations.machines.machine import Machine
from tests.support.raw_client import RawClient, connected, produced
from tests.support.share_member import Member

REJECT = 3
QUEUE = "dlq.t"
_COPIED = {
    "errors.deadletterqueue.topic.name": QUEUE,
    "errors.deadletterqueue.copy.record.enable": "true",
}
Story = Callable[[Stage, Member], Awaitable[None]]


def with_member(story: Story, *, group: Mapping[str, str], **settings: str) -> None:
    """A member of a group with those settings that has the topic "t" with three records."""

    async def scenario(stage: Stage) -> None:
        await stage.topic("t", partitions=2, replicas=1, min_insync_replicas="1")
        client: RawClient = await connected(stage, stage.nodes[0], "m")
        await set_group(stage, {"share.auto.offset.reset": "earliest", **group})
        for _ in range(3):
            await client.ask(produced("t", 100), 9)
        member = Member(client)
        await member.join()
        await story(stage, member)

    outcome = run_scenario(
        scenario,
        nodes=1,
        settings={
            "offsets.topic.replication.factor": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "min.insync.replicas": "1",
            "default.replication.factor": "1",
            **{name.replace("_", "."): value for name, value in settings.items()},
        },
    )
    assert outcome.violation is None, outcome.violation


async def set_group(stage: Stage, settings: Mapping[str, str]) -> None:
    resource = Resource(ResourceType.GROUP, "g")
    async with stage.admin() as admin:
        await admin.incremental_alter_configs(
            {resource: [Alteration(name, value) for name, value in settings.items()]}
        )


def node(stage: Stage) -> Node:
    process = stage.nodes[0].process
    assert process is not None
    found = process.node
    assert isinstance(found, Node)
    return found


def queued(stage: Stage, topic: str = QUEUE) -> list[Record]:
    """The records of partition 0 of a queue."""
    replica = node(stage).replicas.get(topic, 0)
    if replica is None:
        return []
    found = replica.log.read(0, 1 << 20, replica.state.high_watermark)
    data = b"".join(map(bytes_of, found.pieces))
    return [record for _, batch in iter_batches(data) for record in iter_records(batch)]


async def reject_all(member: Member) -> None:
    assert await member.take() == [(0, 2, 1)]
    answer = await member.acknowledge(0, 2, REJECT)
    assert answer.responses[0].partitions[0].error_code == 0


@pytest.mark.parametrize("copies", [False, True])
def test_what_is_rejected_is_in_the_queue_with_the_reason(copies: bool) -> None:
    async def story(stage: Stage, member: Member) -> None:
        await reject_all(member)
        await stage.until(lambda: len(queued(stage)) == 3)
        for number, record in enumerate(queued(stage)):
            assert record.key == (b"k" if copies else None)
            assert record.value == (b"x" * 100 if copies else None)
            assert record.headers == [
                ("__dlq.errors.topic", b"t"),
                ("__dlq.errors.partition", b"0"),
                ("__dlq.errors.offset", b"%d" % number),
                ("__dlq.errors.group", b"g"),
                ("__dlq.errors.delivery.count", b"1"),
                ("__dlq.errors.message", b"Offset rejected by client."),
            ]
        share = node(stage).share.partitions.led()
        place = TopicPartition("t", 0)
        (led,) = [each for each in share.values() if each.replica.topic_partition == place]
        assert led.machine is not None
        machine = led.machine
        await stage.until(lambda: machine.start_offset == 3)
        settings = stage.world.image.topic_config(QUEUE)
        assert settings["errors.deadletterqueue.group.enable"] == "true"
        assert settings["message.timestamp.type"] == "CreateTime"

    with_member(
        story,
        group={
            "errors.deadletterqueue.topic.name": QUEUE,
            "errors.deadletterqueue.copy.record.enable": str(copies).lower(),
        },
        errors_deadletterqueue_auto_create_topics_enable="true",
    )


def test_a_queue_that_does_not_exist_is_not_made_unasked_and_holds_nothing_up() -> None:
    async def story(stage: Stage, member: Member) -> None:
        await reject_all(member)
        await member.client.ask(produced("t", 100), 9)
        assert await member.take() == [(3, 3, 1)]
        (led,) = [
            each for each in node(stage).share.partitions.led().values() if each.key.partition == 0
        ]
        assert led.machine is not None and led.machine.start_offset == 3
        assert QUEUE not in stage.world.image.topics

    with_member(story, group={"errors.deadletterqueue.topic.name": QUEUE})


@pytest.mark.parametrize(
    ("name", "allows"), [("dlq.other", "false"), ("other", "true")], ids=["off", "prefix"]
)
def test_a_topic_that_is_no_queue_gets_nothing(name: str, allows: str) -> None:
    async def story(stage: Stage, member: Member) -> None:
        async with stage.admin() as admin:
            configs = {"errors.deadletterqueue.group.enable": allows}
            await admin.create_topics([NewTopic(name, 1, 1, configs)])
        await reject_all(member)
        await stage.run(2)
        assert queued(stage, name) == []

    with_member(
        story,
        group={"errors.deadletterqueue.topic.name": name},
        errors_deadletterqueue_auto_create_topics_enable="true",
    )


def test_without_share_version_2_there_are_no_queues() -> None:
    async def story(stage: Stage, member: Member) -> None:
        async with stage.admin() as admin:
            await admin.update_features(
                [FeatureUpdate("share.version", 1, UpgradeType.SAFE_DOWNGRADE)]
            )
        await reject_all(member)
        await stage.run(2)
        assert QUEUE not in stage.world.image.topics

    with_member(
        story,
        group={"errors.deadletterqueue.topic.name": QUEUE},
        errors_deadletterqueue_auto_create_topics_enable="true",
    )


def test_large_records_go_in_as_many_batches_as_the_queue_takes() -> None:
    async def story(stage: Stage, member: Member) -> None:
        async with stage.admin() as admin:
            configs = {
                "errors.deadletterqueue.group.enable": "true",
                "max.message.bytes": "500",
            }
            await admin.create_topics([NewTopic(QUEUE, 1, 1, configs)])
        for _ in range(3):
            await member.client.ask(produced("t", 700), 9)
        taken = await member.take()
        assert taken[-1][1] == 5
        await member.acknowledge(0, 5, REJECT)
        await stage.until(lambda: len(queued(stage)) == 6)
        values = [record.value for record in queued(stage)]
        assert values == [b"x" * 100] * 3 + [None] * 3, "what does not fit is not copied"

    with_member(
        story,
        group={
            "errors.deadletterqueue.topic.name": QUEUE,
            "errors.deadletterqueue.copy.record.enable": "true",
        },
    )


def test_all_are_copied_in_pieces_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "_READ_BYTES", 300)

    async def story(stage: Stage, member: Member) -> None:
        for _ in range(5):
            await member.client.ask(produced("t", 100), 9)
        assert (await member.take())[-1][1] == 7
        await member.acknowledge(0, 7, REJECT)
        await stage.until(lambda: len(queued(stage)) == 8)
        assert [record.value for record in queued(stage)] == [b"x" * 100] * 8

    with_member(story, group=_COPIED, errors_deadletterqueue_auto_create_topics_enable="true")


def test_letters_that_are_near_each_other_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(replica: Replica, first: int, *rest: int) -> tuple[dict[int, Record], int]:
        asked.append(first)
        return records_of(replica, first, *rest)

    monkeypatch.setattr(dead_letters, "records_of", counted)

    async def story(stage: Stage, member: Member) -> None:
        for _ in range(5):
            await member.client.ask(produced("t", 100), 9)
        await member.take()
        await member.fetch(said=[(n, n, 1 if n % 2 else REJECT) for n in range(8)], max_wait_ms=0)
        await stage.until(lambda: len(queued(stage)) == 4)
        assert [record.value for record in queued(stage)] == [b"x" * 100] * 4

    with_member(story, group=_COPIED, errors_deadletterqueue_auto_create_topics_enable="true")
    assert asked == [0]


def test_what_cannot_be_decompressed_within_bounds_leaves_the_others_their_copies() -> None:
    async def story(stage: Stage, member: Member) -> None:
        async with stage.admin() as admin:
            configs = {"errors.deadletterqueue.group.enable": "true", "max.message.bytes": "900"}
            await admin.create_topics([NewTopic(QUEUE, 1, 1, configs)])
        large = encode_batch([Record(0, 1, b"k", b"x" * 5000)], compression="gzip")
        request = produced("t", 100)
        request.topic_data[0].partition_data[0].records = large
        await member.client.ask(request, 9)
        await member.client.ask(produced("t", 100), 9)
        assert (await member.take())[-1][1] == 4
        await member.acknowledge(0, 4, REJECT)
        await stage.until(lambda: len(queued(stage)) == 5)
        small = b"x" * 100
        values = [record.value for record in queued(stage)]
        assert values == [small, small, small, None, small]

    with_member(story, group=_COPIED)


@pytest.mark.parametrize("rules_off", [(), ("share-dead-letters-first",)], ids=["on", "off"])
def test_the_next_leader_goes_on_with_what_is_not_in_the_queue(rules_off: tuple[str, ...]) -> None:
    found: list[int] = []

    async def scenario(stage: Stage) -> None:
        await stage.topic("t", min_insync_replicas="1")
        await set_group(stage, {"share.auto.offset.reset": "earliest"})
        leader = stage.leader_of("t")
        queue = await queue_elsewhere(stage, leader)
        await set_group(stage, {"errors.deadletterqueue.topic.name": queue})
        client = await connected(stage, leader, "m")
        for _ in range(3):
            await client.ask(produced("t", 100, acks=-1), 9)
        member = Member(await connected(stage, await coordinator(stage, client), "m"), "m")
        await member.join()
        working = Member(client, "m")
        working.assigned = member.assigned
        away = stage.leader_of(queue)
        stage.kill(away)
        await stage.until(lambda: not stage.has_leader(queue))
        await reject_all(working)
        stage.restart(away)
        stage.kill(leader)
        await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not leader)
        await stage.until(lambda: stage.has_leader(queue))
        successor = Member(await connected(stage, stage.leader_of("t"), "n"), "n")
        successor.assigned = member.assigned
        await stage.run(1)
        await successor.take()
        await stage.run(5)
        found.append(len(await stage.read(queue)))

    outcome = run_scenario(
        scenario,
        settings={"share.coordinator.state.topic.min.isr": "1"},
        changes={"rules_off": rules_off},
    )
    assert outcome.violation is None, outcome.violation
    assert found == [0 if rules_off else 3]


async def queue_elsewhere(stage: Stage, leader: Machine) -> str:
    """A queue with one replica, on another node."""
    for name in ("dlq.a", "dlq.b", "dlq.c", "dlq.d"):
        await stage.topic(
            name, replicas=1, min_insync_replicas="1", errors_deadletterqueue_group_enable="true"
        )
        await stage.until(partial(stage.has_leader, name))
        if stage.leader_of(name) is not leader:
            return name
    raise AssertionError("all queues are on one node")


async def coordinator(stage: Stage, client: RawClient) -> Machine:
    keys = FindCoordinatorRequest(key_type=0, coordinator_keys=["g"])
    for _ in range(100):
        (answer,) = (await client.ask(keys, 6)).coordinators
        if not answer.error_code:
            return stage.node(answer.node_id)
        await trio.sleep(0.1)
    raise AssertionError("no coordinator")
