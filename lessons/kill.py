"""The process of a partition's leader is killed: how long is there no leader?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_KILL = event("kill")
_NOTICED = event("connection-lost", after=_KILL, reason="n1:9092: Connection refused")
_FENCED = event("broker-fenced", after=_KILL)
_ELECTED = event("leader-elected", after=_KILL)
_ACKED = event("ack", after=_ELECTED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    stage.consume("t")
    await stage.run(seconds=1)
    old = stage.leader_of("t")
    stage.kill(old)
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not old)
    await stage.run(seconds=1)
    stage.restart(old)
    await stage.until(lambda: len(stage.isr("t")) == 3)
    await stage.run(seconds=0.5)


def _how_long(trace: Trace) -> str:
    ms = trace.ms(_KILL, _ELECTED)
    return "at-once" if ms < 200 else "a-second" if ms < 2000 else "three-seconds"


STEPS = (
    ask(
        "how-long",
        ["at-once", "a-second", "three-seconds"],
        "at-once",
        before=_KILL,
        seen=_how_long,
    ),
    reveal("killed", point_at=_KILL),
    reveal("fenced", point_at=_FENCED, ms=lambda trace: trace.ms(_KILL, _FENCED)),
    reveal("elected", point_at=_ELECTED, ms=lambda trace: trace.ms(_KILL, _ELECTED)),
    reveal("acked", point_at=_ACKED, ms=lambda trace: trace.ms(_KILL, _ACKED)),
)
