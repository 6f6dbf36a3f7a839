"""Replicas move from one disk to another while they are written to, and through restarts."""

from __future__ import annotations

from raftka.model.ids import TopicPartition
from raftka.simulations.scenarios.stage import Stage

SETTINGS = {"log.dirs": "/data,/data2", "replica.alter.log.dirs.io.max.bytes.per.second": "20000"}
PARTITIONS = 3


async def scenario(stage: Stage) -> None:
    await stage.topic("t", PARTITIONS)
    stage.produce("t", pause_s=0.05)
    stage.consume("t")
    await stage.run(seconds=5)
    targets = {}
    for machine in stage.nodes:
        for index in range(PARTITIONS):
            home = stage.directory_of(machine, "t", index)
            targets[machine.node_id, TopicPartition("t", index)] = (
                "/data" if home == "/data2" else "/data2"
            )
    async with stage.admin() as admin:
        outcomes = await admin.alter_replica_log_dirs(targets)
        assert set(outcomes) == set(targets)
        assert not any(outcomes.values()), outcomes
        described = await admin.describe_log_dirs([1, 2, 3])
        assert any(
            replica.is_future
            for directories in described.values()
            for directory in directories
            for replica in directory.replicas.values()
        )
    await stage.run(seconds=1)
    leader = stage.leader_of("t", 0)
    stage.kill(leader)
    await stage.run(seconds=2)
    stage.restart(leader)
    other = next(each for each in stage.nodes if each is not leader)
    await stage.run(seconds=2)
    stage.lose_power(other)
    await stage.run(seconds=2)
    stage.restart(other)

    def all_moved() -> bool:
        """every replica in its new directory"""
        return all(
            stage.has_moved(stage.node(node), target, path)
            for (node, target), path in targets.items()
        )

    await stage.until(all_moved, within_s=120)
    assert stage.acked > 0
    await stage.settle()
