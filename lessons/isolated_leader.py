"""A leader reaches its clients but no other node: whom does it answer, acks=all or acks=1?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_CUT = event("cut")
_ACK_1 = event("ack", node="producer1", after=_CUT)
_ELECTED = event("leader-elected", after=_CUT)
_ACK_ALL = event("ack", node="producer0", after=_ELECTED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", pause_s=0.2)
    stage.produce("t", acks=1, pause_s=0.2)
    await stage.run(seconds=1)
    old = stage.leader_of("t")
    stage.isolate(old)
    await stage.until(lambda: stage.leader_of("t") is not old)
    await stage.run(seconds=2.5)
    stage.heal()
    await stage.run(seconds=1)


def _whom(trace: Trace) -> str:
    # What was on its way when the links were cut, does not count.
    since = trace.find(_CUT)["t"] + 0.1
    late = event("ack", node="producer0", after=_CUT, where=lambda each: each["t"] > since)
    by_all = trace.count(late, until=_ELECTED)
    by_one = trace.count(_ACK_1, until=_ELECTED)
    return "both" if by_all else "only-1" if by_one else "nobody"


STEPS = (
    ask("whom", ("both", "only-1", "nobody"), right="only-1", before=_CUT, seen=_whom),
    reveal("cut", point_at=_CUT),
    reveal("one", point_at=_ACK_1),
    reveal("elected", point_at=_ELECTED, seconds=lambda trace: trace.seconds(_CUT, _ELECTED)),
    reveal("all", point_at=_ACK_ALL),
)
