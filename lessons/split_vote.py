"""Three candidates at once: may there be two leaders in one term?"""

from collections import Counter

from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.scenarios.stage import Stage

_CUT = event("cut")
_HEALED = event("heal", after=_CUT)
_CANDIDATE = event(
    "quorum-vote", after=_HEALED, where=lambda each: each["candidate"] == each["node"]
)
_ELECTED = event("controller-elected", after=_HEALED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    await stage.run(seconds=0.5)
    for node in stage.nodes:
        for other in stage.nodes:
            if node is not other:
                stage.cut(node, other)
    await stage.run(seconds=4)
    stage.heal()
    terms = len(stage.world.raft.leaders)
    await stage.until(lambda: len(stage.world.raft.leaders) > terms, within_s=5)
    await stage.run(seconds=1)


def _two(trace: Trace) -> str:
    terms = Counter(each["epoch"] for each in trace.all(event("controller-elected")))
    return "never" if max(terms.values()) == 1 else "yes"


STEPS = (
    ask("two", ("yes", "for-a-moment", "never"), right="never", before=_CUT, seen=_two),
    reveal("alone", point_at=_CUT),
    reveal(
        "candidate", point_at=_CANDIDATE, term=lambda trace: int(trace.find(_CANDIDATE)["term"])
    ),
    reveal(
        "elected",
        point_at=_ELECTED,
        ms=lambda trace: trace.ms(_HEALED, _ELECTED),
        votes=lambda trace: len(trace.find(_ELECTED)["votes"]),
    ),
)
BEGIN = event("leader-elected")
