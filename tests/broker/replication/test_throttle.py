"""Replication throttles (KIP-73): replicas out of sync copy slowly, those in sync never wait."""

from __future__ import annotations

from typing import Literal

import pytest

from raftka.broker.quotas.rates import Windows
from raftka.broker.replication.throttle import (
    UNLIMITED,
    ReplicationThrottle,
    throttled_partitions,
)
from raftka.client.admin import Alteration, NewTopic, Resource, ResourceType
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.simulation import Outcome, Stage, run_scenario
from tests.support.raw_client import connected, produced

T0, T1, U0 = TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("u", 0)


def throttle(rate: int = 1000) -> ReplicationThrottle:
    made = ReplicationThrottle(Windows(11, 1000))
    made.follow(rate, {"t": frozenset((0,)), "u": None})
    return made


def test_only_what_is_named_is_covered() -> None:
    made = throttle()
    assert [made.covers(each) for each in (T0, T1, U0)] == [True, False, True]
    made.follow(UNLIMITED, {"u": None})
    assert not made.is_active
    assert not made.covers(U0)
    made.follow(1000, {})
    assert not made.is_active


def test_the_rate_is_taken_over_what_has_passed() -> None:
    made = throttle()
    assert made.wait_ms(0) == 0
    made.record(1000, 0)
    assert made.wait_ms(0) == 0, "a window's worth may be copied at once"
    made.record(4000, 0)
    assert made.wait_ms(0) == 4000
    assert made.wait_ms(3000) == 2000
    assert made.wait_ms(5000) == 0
    made.record(1000, 5000)
    assert made.wait_ms(5000) == 1000


def test_a_limit_of_nothing_holds_all_back() -> None:
    made = throttle(0)
    assert made.wait_ms(0) == 0
    made.record(1, 0)
    assert made.wait_ms(0) > 0


def test_replicas_are_named_by_partition_and_broker() -> None:
    texts = {"a": "0:1,1:2, 2:1", "b": "*", "c": "0:2", "d": ""}
    assert throttled_partitions(texts, 1) == {"a": frozenset((0, 2)), "b": None}


RATE = 20_000
SETTINGS = {"replica.fetch.max.bytes": "5000"}


Side = Literal["leader", "follower"]


def moved(side: Side | None) -> tuple[float, int]:
    """Add a replica to a topic of 200 KB, with a throttle on one side for that and another topic.

    (Seconds until it is in sync, records that a producer with acks=all wrote to the other topic in
    the first 5.)
    """
    outcome, found, acked = run_move(side)
    assert outcome.violation is None, outcome.violation
    return found[0], acked[0]


def run_move(
    side: Side | None, mutation: str | None = None, rate: int = RATE
) -> tuple[Outcome, list[float], list[int]]:
    """As `moved`, with a mutation by its name."""
    found: list[float] = []
    acked: list[int] = []

    async def scenario(stage: Stage) -> None:
        await stage.topic("t", replicas=3, min_insync_replicas="3")
        async with stage.admin() as admin:
            await stage.until(lambda: stage.has_leader("t"))
            first = stage.leader_of("t").node_id
            old = [first, *(each for each in stage.isr("t") if each != first)][:2]
            await admin.create_topics([NewTopic("big", assignments={0: old})])
            await stage.until(lambda: stage.has_leader("big"))
            writer = await connected(stage, stage.leader_of("big"), "writer")
            written = 0
            while written < 40:
                answer = await writer.ask(produced("big", 5_000, acks=-1), 9)
                code = answer.responses[0].partition_responses[0].error_code
                if written or code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                    assert code == ErrorCode.NONE
                    written += 1
                else:
                    await stage.run(seconds=0.1)  # its leader does not know the topic yet
            (spare,) = (node.node_id for node in stage.nodes if node.node_id not in old)
            if side is not None:
                await admin.incremental_alter_configs(
                    {
                        **{
                            Resource(ResourceType.TOPIC, topic): [
                                Alteration(f"{side}.replication.throttled.replicas", "*")
                            ]
                            for topic in ("t", "big")
                        },
                        **{
                            Resource(ResourceType.BROKER, str(node.node_id)): [
                                Alteration(f"{side}.replication.throttled.rate", str(rate))
                            ]
                            for node in stage.nodes
                        },
                    }
                )
            await admin.alter_partition_reassignments({TopicPartition("big", 0): [*old, spare]})
        start = stage.now
        stage.produce("t", pause_s=0.1)
        await stage.run(seconds=5)
        acked.append(stage.acked)
        await stage.until(lambda: spare in stage.isr("big"), within_s=60)
        found.append(stage.now - start)
        await stage.settle()

    outcome = run_scenario(scenario, settings=SETTINGS, changes={"mutation": mutation})
    return outcome, found, acked


@pytest.mark.parametrize("side", ["leader", "follower"])
def test_a_move_takes_its_time_and_what_is_in_sync_does_not_wait(side: Side) -> None:
    seconds, acked = moved(side)
    assert 200_000 / RATE - 2 < seconds < 200_000 / RATE + 5
    assert acked > 50


def test_without_a_throttle_a_move_takes_a_moment() -> None:
    seconds, acked = moved(None)
    assert seconds < 6
    assert acked > 50


def test_it_would_be_noticed_if_what_is_in_sync_had_to_wait() -> None:
    outcome, _, _ = run_move("leader", mutation="in-sync-throttled", rate=2_000)
    assert outcome.violation is not None
    assert outcome.violation.name in ("fetch-waits", "partition-passed-over")
