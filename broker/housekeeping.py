"""The periodic work on a broker's logs: retention, flushing, checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from raftka.model.ids import TopicPartition
from raftka.model.logs import get_logger

if TYPE_CHECKING:
    from raftka.broker.node import Node

log = get_logger(__name__)


_SHORTEST_FLUSH_CHECK_S = 1.0
_FIRST_TIDY_S = 30.0


async def housekeeping(node: Node) -> None:
    """Run the periodic work on logs until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tidy, node)
        nursery.start_soon(_flush, node)
        nursery.start_soon(_checkpoint, node)


async def _tidy(node: Node) -> None:
    """Apply retention, and remove files that were marked as deleted."""
    interval_s = node.config.int("log.retention.check.interval.ms") / 1000
    await node.clock.sleep(min(_FIRST_TIDY_S, interval_s))
    while True:
        marks = {replica.topic_partition: replica.state.high_watermark for replica in node.replicas}
        starts = {each.topic_partition: each.log.log_start_offset for each in node.replicas}
        node.logs.producer_expiration_ms = node.config.int("producer.id.expiration.ms")
        for line in await node.logs.housekeeping(node.clock.wall_ms(), marks):
            log.info(line)
        _tell_moved_starts(node, starts)
        await node.clock.sleep(interval_s)


def _tell_moved_starts(node: Node, before: dict[TopicPartition, int]) -> None:
    """Report new log starts: leaders choose replicas for consumers by what followers have."""
    if node.replicas.fetching is None:
        return
    for replica in node.replicas:
        start = replica.log.log_start_offset
        if start != before.get(replica.topic_partition, start):
            node.replicas.fetching.log_start_moved(replica.topic_partition)


async def _flush(node: Node) -> None:
    """Flush the logs whose flush.ms has passed (every log.flush.scheduler.interval.ms), and check
    the free disk space."""
    interval_ms = node.config.int("log.flush.scheduler.interval.ms")
    while True:
        node.disk_room.look(node.logs.online)
        await node.clock.sleep(min(interval_ms / 1000, _SHORTEST_FLUSH_CHECK_S))
        await node.logs.flush_due(node.clock.wall_ms())


async def _checkpoint(node: Node) -> None:
    """Checkpoint recovery points and log starts (log.flush.offset.checkpoint.interval.ms)."""
    while True:
        await node.clock.sleep(node.config.int("log.flush.offset.checkpoint.interval.ms") / 1000)
        await node.logs.checkpoint()


async def end_without_directories(node: Node) -> None:
    """Shut down a broker all of whose log directories have failed (KIP-112).

    It can neither store nor serve records, but while it sends heartbeats no other broker is elected
    to lead its partitions. Raises OSError then.
    """
    failed = trio.Event()
    node.replicas.on_failed_dir(lambda: failed.set())
    while node.logs.online:
        await failed.wait()
        failed = trio.Event()
    reasons = "; ".join(f"{path}: {why}" for path, why in node.logs.offline.items())
    raise OSError(f"every log directory is offline ({reasons}); the broker ends")
