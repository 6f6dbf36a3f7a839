"""A leader's process is stopped, its connections stay open: clients with Kafka's request
timeout of 30 s ask the other brokers, and go on with the new leader as soon as there is one."""

from raftka.simulations.scenarios.stage import Stage

SETTINGS = {"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000"}
_FENCED_S = 9.9
"""The time until the controller has fenced the broker and clients have noticed."""
_ELECTED_S = 2.0
"""Longer when the controller is stopped as well: the next one grants every broker a session."""


async def scenario(stage: Stage) -> None:
    await stage.topic("t")
    stage.produce("t", request_timeout_s=30)
    stage.consume("t", group="readers", request_timeout_s=30)
    await stage.run(seconds=5)
    for _ in range(3):
        await _silence(stage)
    await stage.settle()


async def _silence(stage: Stage) -> None:
    history, leader = stage.world.history, stage.leader_of("t")
    paused_s, acked = stage.now, stage.acked
    history.longest_gap_s = 0.0
    limit_s = _FENCED_S + (_ELECTED_S if leader is stage.controller else 0)

    def produced() -> bool:
        """more acknowledged records"""
        return stage.acked > acked + 20

    stage.pause(leader)
    await stage.until(produced)
    gap_s = history.longest_gap_s
    assert gap_s < limit_s, f"no acknowledgement for {gap_s:.1f} s"
    read = history.read

    def consumed() -> bool:
        """more records that consumers read"""
        return history.read > read

    await stage.until(consumed)
    assert stage.now - paused_s < limit_s + 2, f"read after {stage.now - paused_s:.1f} s"
    stage.resume(leader)

    def whole() -> bool:
        """a full ISR"""
        return len(stage.isr("t")) == 3

    await stage.until(whole)
