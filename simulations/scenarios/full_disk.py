"""A leader has no space left: its partitions move, and it comes back once there is space."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    await stage.run(seconds=2)
    full = stage.leader_of("t")
    stage.fill_disk(full)
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not full)
    acked = stage.acked
    await stage.run(seconds=5)
    assert stage.acked > acked, "the others take over"
    stage.fill_disk(full, full=False)
    await stage.settle()
    assert stage.isr("t") == [1, 2, 3]
