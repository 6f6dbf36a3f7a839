"""Only a replica that is behind is left: availability or data?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

NODES = 5

_KILL = event("kill", last=True)
_ELECTED = event("leader-elected", after=_KILL, where=lambda each: each["leader"] >= 0)
_LOST = event("allowed-loss", after=_KILL)
_ACKED = event("ack", after=_ELECTED)


async def story(stage: Stage) -> None:
    await stage.topic("t", unclean_leader_election_enable="true", min_insync_replicas="1")
    stage.produce("t")
    await stage.run(seconds=1)
    leader = stage.leader_of("t")
    behind, other = stage.followers_of("t")
    stage.kill(other)
    stage.cut(leader, behind)
    await stage.until(lambda: stage.isr("t") == [leader.node_id])
    stage.heal_links()
    stage.cut(leader, behind)
    await stage.run(seconds=1)
    stage.kill(leader)
    stage.heal_links()
    stage.restart(other)
    await stage.until(lambda: stage.has_leader("t") and stage.leader_of("t") is not leader)
    await stage.run(seconds=1)


def _gone(trace: Trace) -> int:
    """Confirmed records that the new leader lacks."""
    elected = trace.find(_ELECTED)
    heir = f"n{elected['leader']}"
    before = [each for each in trace.events if each["id"] < elected["id"]]
    end = max(
        each["last_offset"] + 1
        for each in before
        if each["kind"] == "append" and each["node"] == heir
    )
    return sum(1 for each in before if each["kind"] == "ack" and each["offset"] >= end)


def _which(trace: Trace) -> str:
    return "leads-and-loses" if _gone(trace) else "leads"


STEPS = (
    ask(
        "which", ("waits", "leads", "leads-and-loses"), "leads-and-loses", before=_KILL, seen=_which
    ),
    reveal("killed", point_at=_KILL),
    reveal("elected", point_at=_ELECTED, records=_gone),
    reveal("acked", point_at=_ACKED),
)
