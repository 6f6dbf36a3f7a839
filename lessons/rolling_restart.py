"""The leader is asked to stop: it says so first, and leadership moves before it goes."""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_ASKED = event("shutdown")
_MOVED = event("leader-elected", after=_ASKED)
_STOPPED = event("stopped", after=_ASKED)
_BACK = event("serving", after=_STOPPED)
_IN_SYNC = event("isr-changed", after=_BACK)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    stage.consume("t")
    await stage.run(seconds=1)
    old = stage.leader_of("t")
    await stage.stop(old)
    await stage.run(seconds=1)
    stage.restart(old)
    await stage.until(lambda: len(stage.isr("t")) == 3, within_s=15)
    await stage.run(seconds=1)


def _when(trace: Trace) -> str:
    return "before" if trace.find(_MOVED)["id"] < trace.find(_STOPPED)["id"] else "after"


STEPS = (
    ask("when", ("before", "after", "never"), right="before", before=_ASKED, seen=_when),
    reveal("asked", point_at=_ASKED),
    reveal("moved", point_at=_MOVED, ms=lambda trace: trace.ms(_ASKED, _MOVED)),
    reveal("stopped", point_at=_STOPPED),
    reveal("back", point_at=_IN_SYNC, ms=lambda trace: trace.ms(_BACK, _IN_SYNC)),
)
