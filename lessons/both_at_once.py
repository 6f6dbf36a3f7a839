"""The controller and a partition's leader die together: who is elected first, and by whom?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

NODES = 5

_DEATH = event("kill")
_BOTH = event("kill", after=_DEATH)
_CONTROLLER = event("controller-elected", after=_DEATH)
_LEADER = event("leader-elected", after=_DEATH)
_ACKED = event("ack", after=_LEADER)


async def story(stage: Stage) -> None:
    await stage.topic("t", partitions=3, replicas=5)
    stage.produce("t")
    await stage.run(seconds=1)
    controller = stage.controller
    leader = next(
        stage.leader_of("t", index)
        for index in range(3)
        if stage.leader_of("t", index) is not controller
    )
    stage.kill(controller)
    stage.kill(leader)
    await stage.until(
        lambda: all(
            stage.has_leader("t", index) and stage.leader_of("t", index) not in (controller, leader)
            for index in range(3)
        )
    )
    await stage.run(seconds=3)


def _first(trace: Trace) -> str:
    controller, leader = trace.find(_CONTROLLER), trace.find(_LEADER)
    return "controller" if controller["id"] < leader["id"] else "leader"


STEPS = (
    ask("first", ("controller", "leader", "together"), "controller", before=_DEATH, seen=_first),
    reveal("dead", point_at=_BOTH),
    reveal("controller", point_at=_CONTROLLER, ms=lambda trace: trace.ms(_DEATH, _CONTROLLER)),
    reveal("leader", point_at=_LEADER, ms=lambda trace: trace.ms(_DEATH, _LEADER)),
    reveal("acked", point_at=_ACKED, ms=lambda trace: trace.ms(_DEATH, _ACKED)),
)
