"""The last in-sync replica comes back with an empty disk: may it lead? (KIP-966)"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

NODES = 5

_WIPED = event("wipe")
_BACK = event("serving", after=_WIPED)
_OTHER = event("start", after=_BACK)
_ELECTED = event("leader-elected", after=_WIPED, where=lambda each: each["leader"] >= 0)
_ACKED = event("ack", after=_ELECTED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t")
    await stage.run(seconds=1)
    last = stage.leader_of("t")
    first, second = stage.followers_of("t")
    stage.kill(first)
    await stage.until(lambda: len(stage.isr("t")) == 2)
    await stage.run(seconds=0.3)
    stage.kill(second)
    await stage.until(lambda: stage.isr("t") == [last.node_id])
    await stage.run(seconds=0.3)
    stage.kill(last)
    await stage.run(seconds=0.5)
    stage.wipe(last)
    stage.restart(last)
    await stage.run(seconds=2)
    stage.restart(second)
    await stage.until(lambda: stage.has_leader("t"))
    await stage.run(seconds=1.5)


def _may(trace: Trace) -> str:
    wiped = int(trace.find(_WIPED)["node"][1:])
    return "yes" if trace.find(_ELECTED)["leader"] == wiped else "no"


STEPS = (
    ask("may", ("yes", "after-a-while", "no"), right="no", before=_WIPED, seen=_may),
    reveal("wiped", point_at=_WIPED),
    reveal("waits", point_at=_BACK),
    reveal("elected", point_at=_ELECTED, seconds=lambda trace: trace.seconds(_BACK, _ELECTED)),
    reveal("acked", point_at=_ACKED),
)
