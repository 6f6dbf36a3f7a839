"""The controller stands still for seven seconds and wakes, believing that it leads."""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_PAUSED = event("pause")
_ELECTED = event("controller-elected", after=_PAUSED)
_WAKES = event("resume", after=_ELECTED)
_TERM = event("quorum-term", after=_WAKES)
_IN_SYNC = event("isr-changed", after=_WAKES)


async def story(stage: Stage) -> None:
    await stage.topic("t", partitions=3)
    stage.produce("t", pause_s=0.1)
    await stage.run(seconds=1)
    zombie = stage.controller
    stage.pause(zombie)
    await stage.until(lambda: stage.controller is not zombie)
    await stage.run(seconds=6)
    stage.resume(zombie)
    await stage.run(seconds=1.5)


def _counts(trace: Trace) -> str:
    zombie = trace.find(_PAUSED)["node"]
    again = trace.happened(event("controller-elected", node=zombie, after=_WAKES))
    return "yes" if again else "no"


STEPS = (
    ask("counts", ("yes", "until-noticed", "no"), right="no", before=_PAUSED, seen=_counts),
    reveal("paused", point_at=_PAUSED),
    reveal(
        "elected",
        point_at=_ELECTED,
        seconds=lambda trace: trace.seconds(_PAUSED, _ELECTED),
        term=lambda trace: int(trace.find(_ELECTED)["epoch"]),
    ),
    reveal("wakes", point_at=_WAKES),
    reveal("term", point_at=_TERM, term=lambda trace: int(trace.find(_TERM)["term"])),
    reveal("in-sync", point_at=_IN_SYNC),
)
