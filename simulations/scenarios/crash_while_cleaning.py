"""A machine loses power while its cleaner writes, while it swaps segments, and right after that,
each time with other files durable: every start finds the last value of every key.
"""

from raftka.simulations.faults.cleaning import power_lost_at
from raftka.simulations.observers.partition_log import CleaningStep
from raftka.simulations.scenarios.stage import Stage

SETTINGS = {"log.cleaner.backoff.ms": "200"}


async def scenario(stage: Stage) -> None:
    await stage.topic(
        "t", cleanup_policy="compact", segment_ms="300", min_cleanable_dirty_ratio="0.01"
    )
    stage.produce("t")
    stage.consume("t")
    for after_s in (0.0, 0.0003, 0.001):
        for step in CleaningStep:
            machine = await power_lost_at(stage.world, step, 10.0, after_s)
            assert machine is not None, f"no cleaner came to the step: {step.value}"
            await stage.run(seconds=0.2)
            stage.restart(machine)
            await stage.until(lambda: len(stage.isr("t")) == 3)
    await stage.settle()
    assert stage.acked > 0
