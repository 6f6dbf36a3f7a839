"""The leader of a partition is killed: another in-sync replica leads, and no record is lost."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    stage.consume("t")
    await stage.run(seconds=2)
    old = stage.leader_of("t")
    stage.kill(old)
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not old)
    acked = stage.acked
    await stage.run(seconds=3)
    assert stage.acked > acked, "the new leader takes records"
    stage.restart(old)
    await stage.settle()
    assert stage.isr("t") == [1, 2, 3]
