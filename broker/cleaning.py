"""A broker's log cleaners: as many at a time as the current log.cleaner.threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from raftka.model.logs import get_logger
from raftka.storage.cleaning.cleaner import CleanerConfig, Said

if TYPE_CHECKING:
    from raftka.broker.node import Node

log = get_logger(__name__)

_SHORTEST_REST_S: Final = 0.1


async def cleaning(node: Node) -> None:
    """Compact the logs that need it, until cancelled."""
    if not node.config.flag("log.cleaner.enable"):
        log.warning(
            "log.cleaner.enable=false: nothing compacts topics with cleanup.policy=compact, and"
            " __consumer_offsets and __transaction_state grow with each commit; take the setting"
            " away unless that is meant"
        )
        return
    running = 0
    async with trio.open_nursery() as nursery:
        while True:
            for number in range(running, node.config.int("log.cleaner.threads")):
                nursery.start_soon(_clean, node, number)
                running = node.cleaner.workers = number + 1
            await _rest(node)


async def _rest(node: Node) -> None:
    backoff_s = node.config.int("log.cleaner.backoff.ms") / 1000
    await node.clock.sleep(max(_SHORTEST_REST_S, backoff_s))


async def _clean(node: Node, number: int) -> None:
    """One cleaner, which pauses while the settings ask for fewer."""
    node.cleaner.workers_alive += 1
    try:
        await _clean_on(node, number)
    finally:
        node.cleaner.workers_alive -= 1


async def _clean_on(node: Node, number: int) -> None:
    while True:
        said: list[Said] = []
        if number < node.config.int("log.cleaner.threads"):
            marks = {each.topic_partition: each.state.high_watermark for each in node.replicas}
            said = await node.cleaner.clean_next(marks, lambda: cleaner_config(node))
        for line in said:
            (log.warning if line.is_warning else log.info)(line.words)
        for words in node.cleaner.complaints(node.clock.wall_ms()) if not number else ():
            log.warning(words)
        if not said:
            await _rest(node)


def cleaner_config(node: Node) -> CleanerConfig:
    """The share of one cleaner in the limits of the settings."""
    config = node.config
    threads = max(1, config.int("log.cleaner.threads"))
    filled = config.int("log.cleaner.dedupe.buffer.size") * config.number(
        "log.cleaner.io.buffer.load.factor"
    )
    return CleanerConfig(
        map_bytes=filled / threads,
        max_bytes_per_s=max(1.0, config.number("log.cleaner.io.max.bytes.per.second") / threads),
    )
