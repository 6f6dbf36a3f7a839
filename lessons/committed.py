"""Logs end at different offsets: what may a consumer read, and when does a follower learn it?"""

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_CUT = event("cut")
_APPENDED = event("append", after=_CUT)
_SHRUNK = event("isr-changed", after=_CUT)
_MOVED = event("high-watermark", after=_SHRUNK)
_READ = event("read", after=_MOVED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", pause_s=0.2)
    stage.consume("t")
    await stage.run(seconds=1)
    leader = stage.leader_of("t")
    slow = next(each for each in stage.followers_of("t") if each is not stage.controller)
    stage.cut(leader, slow)
    stage.cut(slow, leader)
    await stage.until(lambda: slow.node_id not in stage.isr("t"))
    await stage.run(seconds=0.7)


def _ends(trace: Trace) -> tuple[int, int]:
    """Where the leader's log ends when the follower is given up, and what was readable then."""
    shrunk = trace.find(_SHRUNK)
    leader = f"n{shrunk['leader']}"
    end = water = 0
    for each in trace.events:
        if each["id"] >= shrunk["id"]:
            break
        if each.get("node") == leader and each["kind"] == "append":
            end = each["last_offset"] + 1
        if each.get("node") == leader and each["kind"] == "high-watermark":
            water = each["offset"]
    return end, water


def _may_read(trace: Trace) -> str:
    end, water = _ends(trace)
    return "all-have" if water < end else "leader-has"


STEPS = (
    ask("read", ("leader-has", "most-have", "all-have"), "all-have", before=_CUT, seen=_may_read),
    reveal("cut", point_at=_CUT),
    reveal(
        "waits",
        point_at=_SHRUNK,
        end=lambda trace: _ends(trace)[0],
        water=lambda trace: _ends(trace)[1],
    ),
    reveal("moved", point_at=_MOVED),
    reveal("read", point_at=_READ),
)
