"""A faulty client opens a transaction that no coordinator knows of, where leaders do not ask for
its consent. It holds readers of committed records up until an administrator aborts it (KIP-664)."""

from raftka.client.admin.transactions import AbortSpec
from raftka.model.ids import TopicPartition
from raftka.model.records import Record, encode_batch
from raftka.simulations.load.liar import send_raw
from raftka.simulations.scenarios.stage import Stage

SETTINGS = {"transaction.partition.verification.enable": "false"}
_PRODUCER = 4711


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    target = TopicPartition("t", 0)
    batch = encode_batch(
        [Record(0, 1, b"k", b"i:liar:0:0:")],
        producer_id=_PRODUCER,
        producer_epoch=0,
        base_sequence=0,
        is_transactional=True,
    )
    await send_raw(stage.world, "liar", stage.leader_of("t"), target, batch, "nobody")
    async with stage.transactional("writer", "id") as writer:
        await writer.init_transactions()
        async with writer.transaction():
            await (await writer.send("t", b"i:writer:0:0:", b"k"))
    assert await stage.read("t", committed_only=True) == [], "it is behind an open transaction"
    async with stage.admin() as admin:
        (holder,) = [
            each
            for each in (await admin.describe_producers([target]))[target]
            if each.transaction_start is not None
        ]
        await admin.abort_transaction(
            AbortSpec(target, holder.producer_id, holder.producer_epoch, holder.coordinator_epoch)
        )
    assert await stage.read("t", committed_only=True) == [b"i:writer:0:0:"]
    await stage.settle()
