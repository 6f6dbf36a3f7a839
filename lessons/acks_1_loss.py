"""Records were confirmed with acks=1, then the leader is killed: how many are gone?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_CUT = event("cut")
_CONFIRMED = event("ack", after=_CUT)
_KILL = event("kill", after=_CUT)
_ELECTED = event("leader-elected", after=_KILL)
_TRUNCATED = event("truncate", after=_ELECTED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", acks=1)
    await stage.run(seconds=1)
    leader = stage.leader_of("t")
    stage.isolate(leader)
    await stage.run(seconds=1)
    stage.kill(leader)
    stage.heal_links()
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not leader)
    await stage.run(seconds=0.5)
    stage.restart(leader)
    await stage.until(lambda: len(stage.isr("t")) == 3)
    await stage.run(seconds=0.3)


def _gone(trace: Trace) -> int:
    """Confirmed offsets that the new leader's log did not have when it was elected."""
    elected = trace.find(_ELECTED)
    heir = f"n{elected['leader']}"
    before = [each for each in trace.events if each["id"] < elected["id"]]
    end = max(
        each["last_offset"] + 1
        for each in before
        if each["kind"] == "append" and each["node"] == heir
    )
    return sum(1 for each in before if each["kind"] == "ack" and each["offset"] >= end)


def _how_many(trace: Trace) -> str:
    gone = _gone(trace)
    return "none" if gone == 0 else "one" if gone == 1 else "many"


STEPS = (
    ask("gone", ("none", "one", "many"), right="many", before=_KILL, seen=_how_many),
    reveal("killed", point_at=_KILL),
    reveal("elected", point_at=_ELECTED, records=_gone),
    reveal("truncated", point_at=_TRUNCATED),
)
