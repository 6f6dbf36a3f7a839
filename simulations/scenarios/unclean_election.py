"""A topic allows unclean elections. Only a replica that is behind is left: it leads, records are
lost, and the cluster goes on as one."""

from raftka.simulations.scenarios.stage import Stage

NODES = 5


async def scenario(stage: Stage) -> None:
    await stage.topic("t", unclean_leader_election_enable="true", min_insync_replicas="1")
    stage.produce("t")
    await stage.run(seconds=2)
    leader = stage.leader_of("t")
    behind, other = stage.followers_of("t")
    stage.kill(other)
    stage.cut(leader, behind)
    await stage.until(lambda: stage.isr("t") == [leader.node_id])
    stage.heal_links()
    stage.cut(leader, behind)
    await stage.run(seconds=2)
    stage.kill(leader)
    stage.heal_links()
    stage.restart(other)
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not leader)
    await stage.run(seconds=2)
    await stage.settle()
    assert stage.world.replicas.losses, "nothing was lost: the story did not happen"
