"""Three writers with acks 0, 1 and all: which is told first, and what is it worth?"""

from collections.abc import Mapping

from raftka.client.producer.producer import Producer
from raftka.learn.telling import Trace, ask, event, reveal
from raftka.simulations.load.workload import client_ports
from raftka.simulations.scenarios.stage import Stage

_ACKS: Mapping[str, str] = {"producer0": "0", "producer1": "1", "producer2": "all"}

# Each has written before, and is connected: what is looked at is the last record of each.
_NONE = event("message-sent", node="producer0", api="Produce", side="request", last=True)
_LEADER = event("message-received", node="producer1", api="Produce", last=True)
_ALL = event("message-received", node="producer2", api="Produce", last=True)
BEGIN = event("leader-elected", partition="t-0")


async def story(stage: Stage) -> None:
    await stage.topic("t")
    producers = [_producer(stage, name, acks) for name, acks in _ACKS.items()]
    async with producers[0], producers[1], producers[2]:
        for _ in range(2):
            for producer in producers:
                await producer.send("t", b"value", b"key")
            await stage.run(seconds=0.4)


def _producer(stage: Stage, name: str, acks: str) -> Producer:
    config = {
        "bootstrap.servers": ",".join(stage.world.cluster.bootstrap),
        "client.id": name,
        "acks": acks,
        "enable.idempotence": "true" if acks == "all" else "false",
        "linger.ms": 0,
    }
    return Producer(config, **client_ports(stage.world, name))


def _order(trace: Trace) -> str:
    none, leader, every = (trace.find(each)["t"] for each in (_NONE, _LEADER, _ALL))
    return "in-order" if none < leader < every else "other"


STEPS = (
    ask("first", ("in-order", "same", "reverse"), right="in-order", before=_NONE, seen=_order),
    reveal("none", point_at=_NONE),
    reveal("leader", point_at=_LEADER),
    reveal("all", point_at=_ALL),
)
