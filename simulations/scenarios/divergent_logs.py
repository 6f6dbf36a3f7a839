"""Two fast failovers: a leader appends what no follower gets, its successor appends something else
at the same offsets and goes too. The logs must become one again by leader epochs (KIP-101)."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", acks=1)
    stage.produce("t")
    await stage.run(seconds=2)
    for _ in range(2):
        leader = stage.leader_of("t")
        stage.isolate(leader)
        await stage.run(seconds=1)
        stage.kill(leader)
        stage.heal()
        await stage.run(seconds=4)
    await stage.settle()
    assert stage.world.reached.get("follower truncated"), "nothing diverged"
