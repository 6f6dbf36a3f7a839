"""A follower falls behind: does the producer wait?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_CUT = event("cut")
_SHRUNK = event("isr-changed", after=_CUT)
_ACK = event("ack", after=_SHRUNK)
_HEALED = event("heal", after=_SHRUNK)
_GROWN = event("isr-changed", after=_HEALED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", pause_s=0.1)
    await stage.run(seconds=1)
    leader = stage.leader_of("t")
    slow = next(each for each in stage.followers_of("t") if each is not stage.controller)
    stage.cut(leader, slow)
    await stage.until(lambda: slow.node_id not in stage.isr("t"))
    await stage.run(seconds=0.7)
    stage.heal()
    await stage.until(lambda: slow.node_id in stage.isr("t"))
    await stage.run(seconds=0.5)


def _waits(trace: Trace) -> str:
    gap = trace.seconds(_CUT, _ACK)
    return "not" if gap < 0.5 else "until-out" if gap < 4 else "for-ever"


STEPS = (
    ask("waits", ("not", "until-out", "for-ever"), "until-out", before=_CUT, seen=_waits),
    reveal("cut", point_at=_CUT),
    reveal("out", point_at=_SHRUNK, seconds=lambda trace: trace.seconds(_CUT, _SHRUNK)),
    reveal("acked", point_at=_ACK),
    reveal("back", point_at=_GROWN, ms=lambda trace: trace.ms(_HEALED, _GROWN)),
)
