"""The elections in the metadata log that a running node sends are those in its directory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from raftka.broker import metadata_history
from raftka.broker.node import Node
from raftka.client.admin import Admin
from raftka.client.admin.metadata_logs import MetadataLog, metadata_log
from raftka.client.admin.scram import ScramPassword
from raftka.elections.sources import of_answered_log, of_inspected_log
from raftka.kraft.raft.inspect import inspect
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint
from raftka.net.protocol.messages.describe_cluster import MetadataLogPart
from raftka.simulations.load.workload import client_ports
from raftka.simulations.scenarios.stage import Stage, run_scenario

SECRET = "a-user-who-is-nobodys-business"


SHORT = {"metadata.max.retention.bytes": "1"}
"""No log is kept before a snapshot."""


def perform(
    story: Callable[[Stage], Awaitable[None]], settings: dict[str, str] | None = None
) -> None:
    outcome = run_scenario(story, nodes=3, settings=SHORT if settings is None else settings)
    if outcome.violation is not None:
        pytest.fail(f"{outcome.violation.name}: {outcome.violation.story}")


async def with_history(stage: Stage) -> Node:
    """A cluster with elections before a snapshot, and after it."""
    await stage.topic("before", partitions=7)
    async with stage.admin() as admin:
        await add_user(admin)
    await stage.stop(stage.leader_of("before"))
    await stage.run(seconds=2)
    node: Node = stage.controller.process.node  # type: ignore[union-attr]
    node.quorum.want_snapshot()
    await stage.topic("behind", partitions=40, replicas=2)
    await stage.run(seconds=2)
    return node


async def add_user(admin: Admin) -> None:
    await admin.alter_user_scram_credentials([ScramPassword(SECRET, "SCRAM-SHA-256", "s3cret")])


def pieces(node: Node) -> list[MetadataLogPart]:
    found = [node.metadata_history.part(b"")]
    while found[-1].cursor:
        found.append(node.metadata_history.part(bytes(found[-1].cursor)))
    return found


def told(events: Any) -> list[Any]:
    return [(e["kind"], e.get("partition"), e.get("leader"), e["metadata_offset"]) for e in events]


@pytest.mark.parametrize("size", [64, 256 * 1024])
def test_pieces_have_what_the_directory_has_and_nobodys_credentials(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(metadata_history, "PART_BYTES", size)

    async def story(stage: Stage) -> None:
        node = await with_history(stage)
        found = pieces(node)
        assert (len(found) > 8) == (size == 64)
        log = MetadataLog(
            node.node_id,
            found[0].snapshot_offset,
            found[0].snapshot_epoch,
            [bytes(rows) for part in found for rows in part.of_snapshot],
            [(b.offset, b.epoch, bytes(b.records)) for part in found for b in part.batches],
        )
        assert log.snapshot_offset > 0, "what is before lies in a snapshot"
        directory = f"{node.config.text('metadata.log.dir')}/__cluster_metadata-0"
        inspected = inspect(node.disk, directory)
        last = node.quorum.last_committed
        everything = told(of_inspected_log(inspected, last))
        by_directory = [each for each in everything if each[-1] > log.snapshot_offset]
        assert told(of_answered_log(log)) == by_directory
        assert ("leader-elected", "behind-39") in [(kind, name) for kind, name, *_ in by_directory]
        given = b"".join((*log.of_snapshot, *(records for *_, records in log.batches)))
        assert SECRET.encode() not in given
        assert b"before" in given

    perform(story)


def test_a_log_that_is_kept_from_its_beginning_is_told_whole_whatever_snapshots_there_are() -> None:
    async def story(stage: Stage) -> None:
        node = await with_history(stage)
        directory = f"{node.config.text('metadata.log.dir')}/__cluster_metadata-0"
        inspected = inspect(node.disk, directory)
        assert inspected.snapshot is not None
        found = pieces(node)
        assert all(part.snapshot_offset == 0 for part in found)
        batches = [(b.offset, b.epoch, bytes(b.records)) for part in found for b in part.batches]
        events = told(of_answered_log(MetadataLog(batches=batches)))
        assert events == told(of_inspected_log(inspected, node.quorum.last_committed))
        assert [
            each for each in events if each[1] == "before-0" and each[3] < inspected.snapshot.index
        ]

    perform(story, {})


def test_a_cursor_is_the_nodes_own_and_of_the_snapshot_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metadata_history, "PART_BYTES", 64)

    async def story(stage: Stage) -> None:
        node = await with_history(stage)
        first = node.metadata_history.part(b"")
        cursor = bytes(first.cursor)
        elsewhere = cursor[:19] + bytes([cursor[19] ^ 1]) + cursor[20:]
        for forged in (elsewhere, cursor[:-1], b"x", cursor + b"x", b"\xff" * 36):
            with pytest.raises(KafkaError) as refused:
                node.metadata_history.part(forged)
            assert refused.value.code is ErrorCode.INVALID_REQUEST
        node.quorum.want_snapshot()
        await stage.topic("later", replicas=2)
        await stage.run(seconds=1)
        with pytest.raises(KafkaError) as gone:
            node.metadata_history.part(cursor)
        assert gone.value.code is ErrorCode.SNAPSHOT_NOT_FOUND
        answer = node.metadata_history.answer(cursor)
        assert answer.error_code == ErrorCode.SNAPSHOT_NOT_FOUND
        far = node.metadata_history.part(b"\xff" * 8)
        assert (far.batches, far.cursor) == ([], b""), "nothing is committed there"

    perform(story)


def test_a_snapshot_that_rotted_is_refused_in_words_and_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []

    async def story(stage: Stage) -> None:
        node = await with_history(stage)
        directory = f"{node.config.text('metadata.log.dir')}/__cluster_metadata-0"
        (name,) = (each for each in node.disk.list_dir(directory) if each.endswith(".checkpoint"))
        file = node.disk.open(f"{directory}/{name}")
        monkeypatch.setattr(type(file), "close", lambda each: closed.append(each.path))
        file.write([b"rotten"], 0)
        with pytest.raises(KafkaError, match=r"cannot be read: .* it does not begin as") as refused:
            node.metadata_history.part(b"")
        assert refused.value.code is ErrorCode.KAFKA_STORAGE_ERROR
        assert closed == [file.path]

    perform(story)


def test_a_client_collects_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_history, "PART_BYTES", 64)

    async def story(stage: Stage) -> None:
        node = await with_history(stage)
        nobody = Endpoint("n9", 9092)
        host, _, port = stage.world.cluster.bootstrap[node.node_id - 1].partition(":")
        there = Endpoint(host, int(port))
        ports = client_ports(stage.world, "tool")
        found = await metadata_log({"bootstrap.servers": f"{there}"}, [nobody, there], **ports)
        assert isinstance(found, MetadataLog), found
        parts = pieces(node)
        assert len(found.batches) == sum(len(part.batches) for part in parts)
        assert (found.node_id, found.snapshot_offset) == (node.node_id, parts[0].snapshot_offset)
        none = await metadata_log({"bootstrap.servers": f"{there}"}, [nobody], **ports)
        assert isinstance(none, str) and "n9:9092" in none

    perform(story)
