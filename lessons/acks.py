"""Three writers with acks 0, 1 and all: which is told first, and what is it worth?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_NONE = event("message-sent", node="producer0", api="Produce")
_LEADER = event("ack", node="producer1")
_ALL = event("ack", node="producer2")


async def story(stage: Stage) -> None:
    await stage.topic("t")
    for acks in (0, 1, -1):
        stage.produce("t", acks=acks, pause_s=0.5)
    await stage.run(seconds=1)


def _order(trace: Trace) -> str:
    none, leader, every = (trace.find(each)["t"] for each in (_NONE, _LEADER, _ALL))
    return "in-order" if none <= leader < every else "other"


STEPS = (
    ask("first", ("in-order", "same", "reverse"), right="in-order", before=_NONE, seen=_order),
    reveal("none", point_at=_NONE),
    reveal("leader", point_at=_LEADER),
    reveal("all", point_at=_ALL),
)
BEGIN = event("produce")
