"""The ISR shrinks to one replica, which loses power and part of its log: it must not lead again
while another replica has every committed record (KIP-966)."""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    await stage.run(seconds=2)
    last = stage.leader_of("t")
    first, second = stage.followers_of("t")
    stage.kill(first)
    await stage.run(seconds=1)
    # Cut off from its only follower, the leader stays leader in name; nothing is acknowledged.
    stage.isolate(second)
    await stage.run(seconds=6)
    stage.lose_power(last)
    stage.heal()
    await stage.run(seconds=5)
    await stage.settle()
    assert stage.isr("t") == [1, 2, 3]
