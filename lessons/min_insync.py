"""Two of three copies are gone, min.insync.replicas is 2: who may still write, with acks=all, 1?"""

from raftka.learn.telling import Event, Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

NODES = 5


def _too_few(answer: Event) -> bool:
    errors = [str(part.get("error", "")) for part in answer.get("partitions", ())]
    return any(error.startswith("NOT_ENOUGH_REPLICAS") for error in errors)


_FIRST = event("kill")
_SHRUNK = event("isr-changed", after=_FIRST)
_ACK = event("ack", node="producer0", after=_SHRUNK)
_SECOND = event("kill", after=_ACK)
_REFUSED = event("message-sent", api="Produce", side="response", after=_SECOND, where=_too_few)
_ACK_1 = event("ack", node="producer1", after=_REFUSED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", pause_s=0.15)
    stage.produce("t", acks=1, pause_s=0.15)
    await stage.run(seconds=1)
    first, second = sorted(stage.followers_of("t"), key=lambda each: each is stage.controller)
    stage.kill(first)
    await stage.until(lambda: len(stage.isr("t")) == 2)
    await stage.run(seconds=0.6)
    stage.kill(second)
    await stage.until(lambda: len(stage.isr("t")) == 1)
    await stage.run(seconds=1)


def _who(trace: Trace) -> str:
    by_all = trace.happened(event("ack", node="producer0", after=_REFUSED))
    by_one = trace.happened(_ACK_1)
    return "both" if by_all else "only-1" if by_one else "nobody"


STEPS = (
    ask("who", ("both", "only-1", "nobody"), right="only-1", before=_FIRST, seen=_who),
    reveal("first", point_at=_ACK),
    reveal("second", point_at=_SECOND),
    reveal("refused", point_at=_REFUSED),
    reveal("one", point_at=_ACK_1),
)
