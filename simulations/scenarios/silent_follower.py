"""A follower's process is stopped, its connections stay open: the leader goes on without it after
two seconds of silence, long before the controller fences it, and lets it in when it is back."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    stage.consume("t")
    await stage.run(seconds=2)
    silent = next(each for each in stage.followers_of("t") if each is not stage.controller)
    stage.pause(silent)
    paused_s = stage.now
    await stage.until(lambda: silent.node_id not in stage.isr("t"))
    assert stage.now - paused_s < 2.8, f"{stage.now - paused_s:.1f} s"
    acked = stage.acked
    await stage.run(seconds=1)
    assert stage.acked > acked, "records are acknowledged by those that are left"
    stage.resume(silent)
    await stage.until(lambda: silent.node_id in stage.isr("t"))
    await stage.settle()
