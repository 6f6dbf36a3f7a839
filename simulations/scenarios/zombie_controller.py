"""The active controller is paused for longer than its lease, is replaced, and resumes in the belief
that it leads: none of its decisions may take effect.
"""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t", partitions=3)
    stage.produce("t")
    await stage.run(seconds=2)
    zombie = stage.controller
    stage.pause(zombie)
    await stage.until(lambda: stage.controller is not zombie)
    await stage.run(seconds=6)
    stage.resume(zombie)
    await stage.run(seconds=3)
    assert stage.controller is not zombie
    await stage.settle()
