"""A broker comes back with an empty disk: it must not be trusted for what it has lost (KIP-966),
and gets everything from the others."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    await stage.run(seconds=2)
    lost = stage.leader_of("t")
    stage.kill(lost)
    stage.wipe(lost)
    stage.restart(lost)
    await stage.until(lambda: lost.node_id in stage.isr("t") and len(stage.isr("t")) == 3)
    await stage.settle()
