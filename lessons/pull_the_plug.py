"""The leader's machine loses power: nothing refuses a connection, so silence has to speak."""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_DEATH = event("power-loss")
_FENCED = event("broker-fenced", after=_DEATH)
_ELECTED = event("leader-elected", after=_DEATH)
_ACKED = event("ack", after=_ELECTED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    stage.consume("t")
    await stage.run(seconds=1)
    old = stage.leader_of("t")
    stage.lose_power(old)
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not old)
    await stage.run(seconds=2.5)


def _how_long(trace: Trace) -> str:
    ms = trace.ms(_DEATH, _ELECTED)
    return "at-once" if ms < 200 else "a-second" if ms < 2000 else "three-seconds"


_ANSWERS = ("at-once", "a-second", "three-seconds")

STEPS = (
    ask("how-long", _ANSWERS, right="three-seconds", before=_DEATH, seen=_how_long),
    reveal("silence", point_at=_DEATH),
    reveal("fenced", point_at=_FENCED, seconds=lambda trace: trace.seconds(_DEATH, _FENCED)),
    reveal("elected", point_at=_ELECTED),
    reveal("acked", point_at=_ACKED, seconds=lambda trace: trace.seconds(_DEATH, _ACKED)),
)
