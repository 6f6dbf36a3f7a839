"""The controller dies, under ZooKeeper and here: who has to read what before anybody may decide?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

NODES = 5

_DEATH = event("kill")
_CONTROLLER = event("controller-elected", after=_DEATH)
_LEADER = event("leader-elected", after=_CONTROLLER)


async def story(stage: Stage) -> None:
    await stage.topic("t", partitions=4)
    stage.produce("t")
    await stage.run(seconds=1)
    stage.kill(stage.controller)
    await stage.run(seconds=2)


def _reads(trace: Trace) -> str:
    return "nothing" if trace.ms(_CONTROLLER, _LEADER) < 500 else "everything"


STEPS = (
    ask("reads", ("everything", "its-own", "nothing"), "nothing", before=_DEATH, seen=_reads),
    reveal("dead", point_at=_DEATH),
    reveal("controller", point_at=_CONTROLLER, ms=lambda trace: trace.ms(_DEATH, _CONTROLLER)),
    reveal("leader", point_at=_LEADER, ms=lambda trace: trace.ms(_CONTROLLER, _LEADER)),
)
