"""A leader is cut off from its followers, not from its producers: it must acknowledge nothing."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    await stage.run(seconds=2)
    old = stage.leader_of("t")
    stage.isolate(old)
    await stage.until(lambda: stage.leader_of("t") is not old)
    await stage.run(seconds=5)
    assert old.node_id not in stage.isr("t")
    stage.heal()
    await stage.settle()
