"""Deletions and lookups of offsets: each check reports a wrong one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from raftka.kraft.image import TOPIC_RESOURCE, ConfigResource, PartitionImage
from raftka.net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
    ListOffsetsTopicResponse,
)
from raftka.simulations.checkers.lookups import LookUps
from raftka.simulations.checkers.replicas import ReplicaChecker
from raftka.simulations.checkers.retention import RetentionChecker
from raftka.simulations.machines.medium import Inode
from raftka.simulations.observers.topic_id import TopicIdFile
from raftka.simulations.trace import Trace
from tests.support.scene import DIRECTORY, LED, Scene, batch

KEY = ("t", 0)
DUE_MS = 5000
"""The batches of these tests are of 1000 ms; the topic keeps them for 3000."""


class Logs(Scene):
    """Two replicas of t-0 with a segment for every two batches."""

    def __init__(self, **config: str) -> None:
        super().__init__()
        self.wall_ms = DUE_MS
        self.begins: list[int] = []
        self.replicas = ReplicaChecker(
            self.metadata,
            self.logs,
            Trace(),
            self.told,
            is_current=lambda broker_id: True,
            min_isr=lambda topic: 2,
            allows_loss=lambda topic: False,
        )
        self.set_partition(LED)
        image = self.metadata.image
        configs = {ConfigResource(TOPIC_RESOURCE, "t"): {"retention.ms": "3000", **config}}
        self.metadata.image = replace(image, configs=configs)
        self.retention = RetentionChecker(
            self.metadata,
            self.logs,
            self.replicas,
            self.told,
            wall_ms=lambda host: self.wall_ms,
            min_isr=lambda topic: 2,
            may_begin_at=lambda key, offset: self.begins.append(offset),
        )
        self.lookups = LookUps(
            self.watched, self.metadata, self.logs, self.replicas, self.checker, self.told
        )
        for host in ("n1", "n2"):
            self.append(host, batch(0), batch(1))
            second = self.add(host, f"{DIRECTORY}/{2:020}.log")
            second.write(0, batch(2))
            second.write(len(second.data), batch(3))

    def segment(self, host: str, base: int) -> Inode:
        return self.files[host][f"{DIRECTORY}/{base:020}.log"]

    def delete(self, host: str, base: int) -> list[str]:
        watcher = self.segment(host, base).watcher
        assert watcher is not None
        watcher.renamed(f"{DIRECTORY}/{base:020}.log.deleted")
        return self.told.names

    def ask(self, timestamp: int, offset: int, at: int = -1, *, known: int = 4) -> list[str]:
        self.replicas.truth(KEY).end = known
        wanted = ListOffsetsPartition(partition_index=0, timestamp=timestamp)
        request = ListOffsetsRequest(
            replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=[wanted])]
        )
        part = ListOffsetsPartitionResponse(partition_index=0, timestamp=at, offset=offset)
        topic = ListOffsetsTopicResponse(name="t", partitions=[part])
        answer: Any = ListOffsetsResponse(topics=[topic])
        for sent in self.watched.requests[request.API_KEY]:
            sent("c", "n1", request)
        for told in self.watched.answers[request.API_KEY]:
            told("c", "n1", request, answer)
        return self.told.names


def test_what_is_old_enough_is_deleted() -> None:
    logs = Logs()
    assert logs.delete("n1", 0) == []
    assert logs.begins == [2]
    assert (logs.retention.looks.checks, logs.retention.deleted) == (1, 1)


def test_records_that_are_deleted_too_early() -> None:
    logs = Logs()
    logs.wall_ms = 4000
    assert logs.delete("n1", 0) == ["deleted-too-early"]


@pytest.mark.parametrize(("kept", "names"), [(1, []), (2, ["deleted-too-early"])])
def test_a_log_keeps_so_many_bytes(kept: int, names: list[str]) -> None:
    logs = Logs(**{"retention.ms": "-1", "retention.bytes": str(kept * 2 * len(batch(0)))})
    assert logs.delete("n1", 0) == names


def test_an_administrator_may_give_up_what_is_young() -> None:
    logs = Logs()
    logs.wall_ms = 1000
    logs.retention.asked_to_delete(KEY, 2)
    assert logs.begins == [2]
    assert logs.delete("n1", 0) == []
    logs.retention.forget("t")
    assert logs.delete("n2", 0) == ["deleted-too-early"]


def test_records_that_are_deleted_before_they_are_committed() -> None:
    logs = Logs()
    logs.segment("n2", 0).truncate(len(batch(0)))
    logs.segment("n2", 2).truncate(0)
    for path in list(logs.files["n2"]):
        if f"{2:020}" in path:
            watcher = logs.files["n2"][path].watcher
            assert watcher is not None
            watcher.removed()
    assert logs.delete("n1", 0) == ["deleted-before-committed"]


def test_an_end_that_is_cut_off_is_no_deletion() -> None:
    logs = Logs()
    logs.wall_ms = 1000
    assert logs.delete("n1", 2) == logs.delete("n1", 0) == []
    assert logs.retention.looks.checks == 0


def test_look_ups_that_are_right() -> None:
    logs = Logs()
    logs.segment("n1", 2).write(len(logs.segment("n1", 2).data), batch(4, timestamp=2000))
    assert logs.ask(-1, 4) == []
    assert logs.ask(-2, 0) == []
    assert logs.ask(1000, 0, 1000) == []
    assert logs.ask(1500, -1) == [], "the record of 2000 is not committed yet"
    assert logs.lookups.looks.checks == 4


def test_an_end_that_is_not_committed() -> None:
    logs = Logs()
    logs.segment("n1", 2).write(len(logs.segment("n1", 2).data), batch(4))
    assert logs.ask(-1, 5) == ["isr-member-below-high-watermark"]


def test_an_end_before_what_clients_know() -> None:
    assert Logs().ask(-1, 3) == ["end-before-what-is-known"]


def test_a_start_where_nothing_was_deleted() -> None:
    assert Logs().ask(-2, 1) == ["log-begins-too-late"]


@pytest.mark.parametrize(("offset", "at"), [(1, 1000), (-1, -1), (0, 999)])
def test_a_look_up_by_time_that_passes_records_over(offset: int, at: int) -> None:
    assert Logs().ask(1000, offset, at) == ["look-up-by-time"]


def test_a_partition_that_is_another_brokers_is_not_judged() -> None:
    logs = Logs()
    logs.set_partition(PartitionImage((1, 2), (1, 2), 2, leader_epoch=4))
    assert logs.ask(-1, 9) == []


def test_what_is_committed_is_on_enough_disks() -> None:
    scene = Scene()
    scene.min_isr = 2
    scene.set_partition(replace(LED, isr=(1,)))
    scene.append("n1", batch(0))
    scene.fetch(high_watermark=0, last_stable_offset=0)
    scene.append("n2", batch(0))
    scene.fetch()
    assert scene.told.names == []
    scene.append("n1", batch(1))
    scene.fetch(high_watermark=2, last_stable_offset=2)
    assert scene.told.names == ["committed-on-too-few"]


def test_a_log_that_begins_where_nothing_was_deleted() -> None:
    scene = Scene()
    for host in ("n1", "n2"):
        scene.append(host, batch(0))
    scene.begins_at = 1
    scene.fetch(log_start_offset=1)
    assert scene.told.names == []
    scene.begins_at = 0
    scene.fetch(log_start_offset=1)
    assert scene.told.names == ["log-begins-too-late"]


def test_a_topic_that_is_made_anew_begins_anew() -> None:
    scene = Scene()
    for host in ("n1", "n2"):
        scene.append(host, batch(0))
    scene.fetch()
    scene.checker.forget("t")
    scene.fetch(high_watermark=0, last_stable_offset=0)
    assert scene.told.names == []


@pytest.mark.parametrize(("left", "lost"), [(b"version: 0\ntopic_id: x", False), (b"vers", True)])
def test_a_log_whose_topic_is_not_known_any_more_is_lost(
    monkeypatch: pytest.MonkeyPatch, left: bytes, lost: bool
) -> None:
    monkeypatch.setattr("trio.current_time", lambda: 1.0)
    logs = Logs()
    path = f"{DIRECTORY}/partition.metadata"
    file = Inode(watcher=TopicIdFile(logs.replicas.lost_disk, "n1", path))
    file.write(0, b"version: 0\ntopic_id: x")
    assert file.watcher is not None
    file.watcher.replaced(left)
    assert (1 in logs.replicas.truth(KEY).losers) == lost
