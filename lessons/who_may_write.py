"""A producer asks a follower to write: what is it told?"""

from raftka.learn.telling import Event, Trace, ask, event, reveal
from raftka.model.ids import TopicPartition
from raftka.model.records import Record, encode_batch
from raftka.simulations.load.liar import send_raw
from raftka.simulations.scenarios.stage import Stage

_NAME = "producer1"


def _refused(answer: Event) -> bool:
    return any(part.get("error") for part in answer.get("partitions", ()))


_SENT = event("message-sent", node=_NAME, api="Produce")
_ANSWERED = event("message-sent", api="Produce", side="response", to=_NAME, after=_SENT)
_ACK = event("ack", node="producer0", after=_ANSWERED)


async def story(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", pause_s=0.2)
    await stage.run(seconds=0.6)
    follower = stage.followers_of("t")[0]
    batch = encode_batch([Record(0, 1, b"k", b"i:liar:0:0:")])
    await send_raw(stage.world, _NAME, follower, TopicPartition("t", 0), batch)
    await stage.run(seconds=1)


def _told(trace: Trace) -> str:
    return "not-leader" if _refused(trace.find(_ANSWERED)) else "stored"


STEPS = (
    ask("told", ("stored", "forwarded", "not-leader"), "not-leader", before=_SENT, seen=_told),
    reveal("sent", point_at=_SENT, follower=lambda trace: str(trace.find(_SENT)["to"])),
    reveal("refused", point_at=_ANSWERED),
    reveal("leader", point_at=_ACK),
)
