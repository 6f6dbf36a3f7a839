"""The whole room loses power. With flush.messages=1 acknowledged records are on three disks, and
all of them must be there afterwards."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t", flush_messages="1")
    stage.produce("t")
    await stage.run(seconds=3)
    stage.lose_power(*stage.nodes)
    await stage.run(seconds=1)
    stage.restart(*stage.nodes)
    await stage.until(lambda: stage.has_leader("t") and len(stage.isr("t")) == 3)
    await stage.settle()
    assert stage.acked > 0
