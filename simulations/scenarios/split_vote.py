"""All controllers start an election at once, again and again: pre-vote and random timeouts must
elect a leader quickly, and never two in a term.
"""

from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    for _ in range(5):
        old = stage.controller
        for node in stage.nodes:
            for other in stage.nodes:
                if node is not other:
                    stage.cut(node, other)
        await stage.run(seconds=4)
        stage.heal()
        terms = len(stage.world.raft.leaders)
        await stage.until(lambda terms=terms: len(stage.world.raft.leaders) > terms, within_s=5)  # type: ignore[misc]
        assert stage.controller.is_running, f"{old.host} had no successor"
    await stage.settle()
