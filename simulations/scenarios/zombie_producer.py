"""A producer is cut off in the middle of a transaction, and another takes over its transactional
id. When the first comes back, brokers refuse its writes, and no read_committed consumer gets
any.
"""

from raftka.client.producer.transaction_errors import MustRetry, TransactionError
from raftka.simulations.scenarios.stage import Stage


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    async with stage.transactional("zombie", "id") as zombie:
        await zombie.init_transactions()
        zombie.begin_transaction()
        await (await zombie.send("t", b"i:zombie:0:0:", b"k"))
        stage.cut_off("zombie")
        async with stage.transactional("heir", "id") as heir:
            await heir.init_transactions()
            async with heir.transaction():
                await (await heir.send("t", b"i:heir:0:0:", b"k"))
        stage.heal_links()
        try:
            await zombie.send("t", b"i:zombie:1:0:", b"k")
            await zombie.commit_transaction()
        except TransactionError as error:
            assert not isinstance(error, MustRetry), f"the zombie is to try again: {error}"
        else:
            raise AssertionError("the zombie's transaction was committed")
    assert await stage.read("t", committed_only=True) == [b"i:heir:0:0:"]
    await stage.settle()
