"""MirrorMaker 2 between a real Kafka and raftka, both ways, with the offsets of a group."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import trio

from benchmarks.java_process import write_properties
from benchmarks.kafka_peer import kafka_peer
from benchmarks.runtime_cases.stage import Stage, Unlike, wait_for
from raftka.client.admin import Admin
from raftka.client.consumer import OffsetAndMetadata
from raftka.model.ids import TopicPartition

_MAIN: Final = "org.apache.kafka.connect.mirror.MirrorMaker"
_HALF: Final = 200
_GROUP: Final = "listeners"
_COMMITTED: Final = 40


def _mirror(stage: Stage) -> str:
    """Topics of each cluster appear in the other; a group's offsets are translated."""
    os.environ.setdefault("KAFKA_HEAP_OPTS", "-Xms256m -Xmx384m")
    with kafka_peer(stage.script, 1) as peer:
        stage.make("songs", bootstrap=peer.bootstrap, replicas=1)
        stage.make("plays")
        path = write_properties(
            stage.folder / "mirror.properties", _settings(peer.bootstrap, stage.bootstrap)
        )
        first = [f"song {number}" for number in range(_HALF)]
        second = [f"song {number}" for number in range(_HALF, 2 * _HALF)]
        stage.write("songs", first, bootstrap=peer.bootstrap)
        with stage.java("mirror", _MAIN, path) as java:

            def copied(wanted: list[str], topic: str, bootstrap: str) -> None:
                found = stage.read(
                    topic, lambda found: len(found) >= len(wanted), java, bootstrap=bootstrap
                )
                values = [(record.value or b"").decode() for record in found]
                if set(values) != set(wanted):
                    raise Unlike(f"{topic} has other records")
                if len(values) != len(wanted) and not stage.killing:
                    raise Unlike(f"{topic} has {len(values)} records for {len(wanted)}")

            copied(first, "theirs.songs", stage.bootstrap)
            trio.run(_commit, peer.bootstrap)
            with stage.broker_killed():
                stage.write("songs", second, bootstrap=peer.bootstrap)
                stage.write("plays", second)
            copied([*first, *second], "theirs.songs", stage.bootstrap)
            copied(second, "ours.plays", peer.bootstrap)
            trio.run(_commit, peer.bootstrap)

            def translated() -> bool:
                return bool(trio.run(_committed, stage.bootstrap))

            wait_for("the group's offsets on raftka", translated, java)
            offsets = trio.run(_committed, stage.bootstrap)
    if not all(0 < offset <= _COMMITTED for offset in offsets.values()):
        raise Unlike(f"the offsets of {_GROUP} are {offsets}")
    return f"{2 * _HALF} records over and {_HALF} back; offsets of a group: {offsets}"


def _settings(theirs: str, ours: str) -> dict[str, str]:
    settings = {
        "clusters": "theirs, ours",
        "theirs.bootstrap.servers": theirs,
        "ours.bootstrap.servers": ours,
        "theirs->ours.enabled": "true",
        "theirs->ours.topics": "songs",
        "ours->theirs.enabled": "true",
        "ours->theirs.topics": "plays",
        "sync.group.offsets.enabled": "true",
        "sync.group.offsets.interval.seconds": "1",
        "emit.checkpoints.interval.seconds": "1",
        "refresh.groups.interval.seconds": "2",
        "refresh.topics.interval.seconds": "2",
        "offset.lag.max": "0",
        "tasks.max": "1",
    }
    for way, replicas in (("theirs->ours", "3"), ("ours->theirs", "1")):
        target = way.rpartition(">")[2]
        settings[f"{way}.replication.factor"] = replicas
        for name in ("checkpoints.topic", "heartbeats.topic"):
            settings[f"{way}.{name}.replication.factor"] = replicas
        # Offset syncs are kept at the source.
        settings[f"{way}.offset-syncs.topic.replication.factor"] = "1" if replicas == "3" else "3"
        for name in ("offset", "config", "status"):
            settings[f"{target}.{name}.storage.replication.factor"] = replicas
    return settings


async def _commit(bootstrap: str) -> None:
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        place = OffsetAndMetadata(_COMMITTED)
        places = {TopicPartition("songs", index): place for index in range(2)}
        await admin.alter_group_offsets(_GROUP, places)


async def _committed(bootstrap: str) -> dict[str, int]:
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        groups = {group.group_id for group in await admin.list_groups()}
        if _GROUP not in groups:
            return {}
        found = await admin.list_group_offsets(_GROUP)
        return {f"{place.topic}-{place.partition}": each.offset for place, each in found.items()}


CASES: Final[dict[str, Callable[[Stage], str]]] = {"mirror-maker": _mirror}
