"""One of two disks of a leader fails: its partitions move, the others stay, and it comes back."""

from __future__ import annotations

from raftka.simulations.scenarios.stage import Stage

SETTINGS = {"log.dirs": "/data,/data2"}
PARTITIONS = 6


async def scenario(stage: Stage) -> None:
    await stage.topic("t", PARTITIONS)
    stage.produce("t")
    await stage.run(seconds=3)
    broken = stage.leader_of("t", 0)
    dead = stage.directory_of(broken, "t", 0)
    hit = [i for i in range(PARTITIONS) if stage.directory_of(broken, "t", i) == dead]
    spared = [i for i in range(PARTITIONS) if i not in hit]
    assert hit and spared, "its replicas are in both directories"
    stage.fail_directory(broken, dead)

    def moved() -> bool:
        """other leaders for the partitions on the failed disk"""
        return all(
            stage.has_leader("t", i)
            and stage.leader_of("t", i) is not broken
            and broken.node_id not in stage.isr("t", i)
            for i in hit
        )

    await stage.until(moved, within_s=5)
    assert all(broken.node_id in stage.isr("t", i) for i in spared), "the other disk works"
    await stage.run(seconds=5)
    assert moved(), "it does not come back by itself"
    broken.medium.faults.dead = ""
    stage.kill(broken)
    await stage.run(seconds=1)
    stage.restart(broken)
    await stage.until(lambda: all(broken.node_id in stage.isr("t", i) for i in range(PARTITIONS)))
    await stage.settle()
