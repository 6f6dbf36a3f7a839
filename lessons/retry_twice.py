"""An answer is lost, the producer asks again: one record or two, without and with idempotence?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_CUT = event("cut")
_HEALED = event("link-healed", after=_CUT, last=True)
_PLAIN = event("append", partition="plain-0", after=_CUT)
_TWICE = event("append", partition="plain-0", after=_HEALED)
_ONCE = event("ack", node="producer1", after=_TWICE)


async def story(stage: Stage) -> None:
    await stage.topic("plain")
    await stage.topic("safe")
    stage.produce("plain", idempotent=False, pause_s=0.4)
    stage.produce("safe", pause_s=0.4)
    await stage.run(seconds=1)
    for topic, client in (("plain", "producer0"), ("safe", "producer1")):
        stage.cut(stage.leader_of(topic), client)
    await stage.run(seconds=3)
    stage.heal_links()
    await stage.run(seconds=3)


def _extra(trace: Trace, partition: str, client: str) -> int:
    """How many more records the leader has written than the producer had."""
    leader = next(
        f"n{each['leader']}"
        for each in trace.events
        if each["kind"] == "leader-elected" and each["partition"] == partition
    )
    wanted = event("append", partition=partition, node=leader)
    written = sum(int(each["records"]) for each in trace.all(wanted))
    return max(0, written - trace.count(event("produce", node=client)))


def _copies(trace: Trace) -> str:
    plain, safe = _extra(trace, "plain-0", "producer0"), _extra(trace, "safe-0", "producer1")
    return "both" if plain and safe else "plain" if plain else "neither"


STEPS = (
    ask("copies", ("neither", "plain", "both"), right="plain", before=_CUT, seen=_copies),
    reveal("written", point_at=_PLAIN),
    reveal("twice", point_at=_TWICE, extra=lambda trace: _extra(trace, "plain-0", "producer0")),
    reveal("once", point_at=_ONCE),
)
