"""The whole room loses power: what is left, with and without flush.messages=1?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_DEATH = event("power-loss")
_FAST_LOST = event("batches-lost", after=_DEATH, partition="fast-0")
_BACK = event("start", after=_DEATH)
_LED = event(
    "leader-elected", after=_BACK, partition="safe-0", where=lambda each: each["leader"] >= 0
)


async def story(stage: Stage) -> None:
    await stage.topic("fast")
    await stage.topic("safe", flush_messages="1")
    stage.produce("fast", pause_s=0.1)
    stage.produce("safe", pause_s=0.1)
    await stage.run(seconds=2)
    stage.lose_power(*stage.nodes)
    await stage.run(seconds=0.5)
    stage.restart(*stage.nodes)
    await stage.until(lambda: stage.has_leader("safe") and len(stage.isr("safe")) == 3)
    await stage.run(seconds=0.7)


def _lost(trace: Trace, partition: str) -> bool:
    return trace.happened(event("batches-lost", after=_DEATH, partition=partition))


def _which(trace: Trace) -> str:
    fast, safe = (_lost(trace, each) for each in ("fast-0", "safe-0"))
    return "both" if fast and safe else "fast" if fast else "neither"


STEPS = (
    ask("lost", ("neither", "fast", "both"), right="fast", before=_DEATH, seen=_which),
    reveal("dark", point_at=_DEATH),
    reveal("lost", point_at=_FAST_LOST),
    reveal("back", point_at=_LED, ms=lambda trace: trace.ms(_BACK, _LED)),
)
