"""The coordinator of a transaction is killed as it is asked to commit. Its successor finishes what
it has begun, and of each transaction there is all or nothing."""

from functools import partial

import trio

from raftka.simulations.scenarios.stage import Stage

_ROUNDS = 5


async def scenario(stage: Stage) -> None:
    await stage.topic("t", partitions=2)
    committed: list[bytes] = []
    async with stage.transactional("writer", "id") as writer:
        await writer.init_transactions()
        for number in range(_ROUNDS):
            values = [b"i:writer:%d:0:" % (2 * number + each) for each in range(2)]
            asked: list[str] = []
            writer.begin_transaction()
            for partition, value in enumerate(values):
                await (await writer.send("t", value, b"k", partition=partition))
            async with trio.open_nursery() as nursery:
                with stage.hearing("EndTxn", asked.append):
                    nursery.start_soon(writer.commit_transaction)
                    await stage.until(partial(bool, asked))
                coordinator = next(node for node in stage.nodes if node.host == asked[0])
                stage.kill(coordinator)
            committed += values
            stage.restart(coordinator)
            await stage.until(lambda: stage.isr("t", 0) == stage.isr("t", 1) == [1, 2, 3])
    found = [
        value
        for partition in range(2)
        for value in await stage.read("t", partition, committed_only=True)
    ]
    assert sorted(found) == sorted(committed)
    await stage.settle()
