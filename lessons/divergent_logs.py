"""The old leader has records that nobody else has: are they kept? (KIP-101)"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_CUT = event("cut")
_ELECTED = event("leader-elected", after=_CUT)
_HEALED = event("heal", after=_ELECTED)
_TRUNCATED = event("truncate", after=_HEALED)
_IN_SYNC = event("isr-changed", after=_TRUNCATED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", acks=1, pause_s=0.1)
    await stage.run(seconds=1)
    old = stage.leader_of("t")
    stage.isolate(old)
    await stage.until(lambda: stage.leader_of("t") is not old)
    await stage.run(seconds=0.5)
    stage.heal()
    await stage.until(lambda: len(stage.isr("t")) == 3)
    await stage.run(seconds=0.5)


def _gone(trace: Trace) -> int:
    """How many records the old leader cuts off."""
    cut = trace.find(_TRUNCATED)
    last = 0
    for each in trace.events:
        if each["id"] >= cut["id"]:
            break
        if each["kind"] == "append" and each["node"] == cut["node"]:
            last = each["last_offset"]
    return int(last + 1 - cut["offset"])


def _kept(trace: Trace) -> str:
    return "cut-off" if _gone(trace) > 0 else "kept"


STEPS = (
    ask(
        "kept",
        ("kept", "merged", "cut-off"),
        right="cut-off",
        before=_HEALED,
        seen=_kept,
        records=_gone,
    ),
    reveal("healed", point_at=_HEALED),
    reveal("truncated", point_at=_TRUNCATED, records=_gone),
    reveal("in-sync", point_at=_IN_SYNC),
)
