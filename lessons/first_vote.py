"""How many votes make a controller of three: with one node down, with two?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_FIRST = event("controller-elected")
_ONE_DOWN = event("kill")
_SECOND = event("controller-elected", after=_ONE_DOWN)
_TWO_DOWN = event("kill", after=_SECOND)
_BACK = event("start", after=_TWO_DOWN)
_THIRD = event("controller-elected", after=_BACK)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", pause_s=0.2)
    await stage.run(seconds=0.8)
    first = stage.controller
    stage.kill(first)
    await stage.until(lambda: stage.world.controller not in (None, first))
    await stage.run(seconds=0.5)
    second = stage.controller
    stage.kill(second)
    await stage.run(seconds=4)
    stage.restart(first)
    await stage.until(lambda: stage.world.controller not in (None, second))
    await stage.run(seconds=0.5)


def _votes(trace: Trace) -> str:
    return {1: "one", 2: "two", 3: "three"}[len(trace.find(_SECOND)["votes"])]


def _alone(trace: Trace) -> str:
    elected = trace.count(event("controller-elected", after=_TWO_DOWN), until=_BACK)
    return "yes" if elected else "no"


STEPS = (
    ask("one-down", ("one", "two", "three"), right="two", before=_ONE_DOWN, seen=_votes),
    reveal("second", point_at=_SECOND, ms=lambda trace: trace.ms(_ONE_DOWN, _SECOND)),
    ask("two-down", ("yes", "no"), right="no", before=_TWO_DOWN, seen=_alone),
    reveal("alone", point_at=_TWO_DOWN),
    reveal("third", point_at=_THIRD, ms=lambda trace: trace.ms(_BACK, _THIRD)),
)
