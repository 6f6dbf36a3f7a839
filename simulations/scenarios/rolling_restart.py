"""Every node is stopped and started, one after the other: no record is lost, and leadership moves
before each stop."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t", partitions=3)
    stage.produce("t")
    stage.consume("t", group="g")
    await stage.run(seconds=2)
    for node in stage.nodes:
        assert await stage.stop(node), f"{node.host} had to be killed"
        await stage.run(seconds=1)
        stage.restart(node)
        await stage.until(lambda: len(stage.isr("t", 0)) == 3, within_s=15)
        await stage.run(seconds=2)
    await stage.settle()
    assert stage.world.history.failed == 0
