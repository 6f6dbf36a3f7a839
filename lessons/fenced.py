"""A client holds on to the old leader after another was elected: what says no?"""

from raftka.learn.telling import Event, Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage


def _refused(answer: Event) -> bool:
    errors = [str(part.get("error", "")) for part in answer.get("partitions", ())]
    return any(error in ("NOT_LEADER_OR_FOLLOWER", "FENCED_LEADER_EPOCH") for error in errors)


_PAUSED = event("pause")
_ELECTED = event("leader-elected", after=_PAUSED)
_WAKES = event("resume", after=_ELECTED)
_NO = event("message-sent", api="Produce", side="response", after=_WAKES, where=_refused)
_ACKED = event("ack", node="producer0", after=_NO)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", pause_s=0.2)
    await stage.run(seconds=1)
    old = stage.leader_of("t")
    others = [each.host for each in stage.nodes if each is not old]
    # The client reaches the old leader only, which is paused meanwhile.
    stage.pause(old)
    for host in others:
        stage.cut("producer0", host)
        stage.cut(host, "producer0")
    await stage.until(lambda: stage.leader_of("t") is not old)
    await stage.run(seconds=1)
    stage.resume(old)
    await stage.run(seconds=2)
    stage.heal_links()
    await stage.run(seconds=3)


def _what(trace: Trace) -> str:
    return "leader-itself" if trace.happened(_NO) else "nothing"


STEPS = (
    ask(
        "what",
        ("nothing", "client-notices", "leader-itself"),
        "leader-itself",
        before=_PAUSED,
        seen=_what,
    ),
    reveal("elected", point_at=_ELECTED, epoch=lambda trace: int(trace.find(_ELECTED)["epoch"])),
    reveal("wakes", point_at=_WAKES),
    reveal("no", point_at=_NO),
    reveal("acked", point_at=_ACKED),
)
