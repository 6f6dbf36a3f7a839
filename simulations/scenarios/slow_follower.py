"""A follower is cut off from its leader alone: it leaves the ISR for its silence, records are
acknowledged without it, and it comes back when it has caught up."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    await stage.run(seconds=2)
    leader = stage.leader_of("t")
    slow = next(each for each in stage.followers_of("t") if each is not stage.controller)
    stage.cut(leader, slow)
    await stage.until(lambda: slow.node_id not in stage.isr("t"))
    acked = stage.acked
    await stage.run(seconds=3)
    assert stage.acked > acked, "the leader goes on with those that keep up"
    stage.heal()
    await stage.until(lambda: slow.node_id in stage.isr("t"))
    await stage.settle()
