"""A producer uses acks=1, and the leader is lost with the records that only it had."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", acks=1)
    await stage.run(seconds=2)
    leader = stage.leader_of("t")
    stage.isolate(leader)
    await stage.run(seconds=1)
    stage.kill(leader)
    stage.heal_links()
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not leader)
    await stage.settle()
    assert stage.world.history.lost_acks_1, "nothing was lost: the story did not happen"
