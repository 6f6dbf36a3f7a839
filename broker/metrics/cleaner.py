"""The log cleaner's metrics: kafka.log:type=LogCleaner and type=LogCleanerManager."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from raftka.broker.metrics.families import Family, gauge, labels

if TYPE_CHECKING:
    from raftka.storage.cleaning.cleaner import Cleaner
    from raftka.storage.log_manager import LogManager

_CLEANER = "kafka_log_logcleaner_"
_MANAGER = "kafka_log_logcleanermanager_"


def cleaner(found: Cleaner, logs: LogManager, now_ms: int) -> Iterator[Family]:
    """The metrics of one broker's cleaner; none if log.cleaner.enable=false."""
    if not found.workers:
        return
    last, states = found.last_run, found.states
    yield gauge(
        (_CLEANER + "max_clean_time_secs",), "Seconds of the last cleaning.", int(last.seconds)
    )
    yield gauge(
        (_CLEANER + "cleaner_recopy_percent",),
        "How much of what the last cleaning read it wrote again.",
        100 * last.written_bytes // max(1, last.read_bytes),
    )
    yield gauge(
        (_CLEANER + "max_buffer_utilization_percent",),
        "How full the offset map of the last cleaning was.",
        int(100 * last.buffer_share),
    )
    yield gauge(
        (_CLEANER + "max_compaction_delay_secs",),
        "For how long, at most, max.compaction.lag.ms has asked for a cleaning.",
        max((each.overdue_ms for each in states.values()), default=0) // 1000,
    )
    yield gauge(
        (_CLEANER + "deadthreadcount",),
        "Cleaners that have ended although they should work.",
        found.workers - found.workers_alive,
    )
    yield gauge(
        (_MANAGER + "max_dirty_percent",),
        "The largest share of a compacted log that waits for a cleaning.",
        int(100 * max((each.dirty_ratio for each in states.values()), default=0.0)),
    )
    yield gauge(
        (_MANAGER + "time_since_last_run_ms",),
        "Since logs to clean were last looked for.",
        now_ms - found.surveyed_ms if found.surveyed_ms is not None else 0,
    )
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for target, state in states.items():
        if state.uncleanable and (home := logs.home_of(target)) is not None:
            counts[home.path] += 1
            sizes[home.path] += state.waiting_bytes
    where = [(labels(logDirectory=directory), directory) for directory in logs.online]
    yield Family(
        (_MANAGER + "uncleanable_partitions_count",),
        "gauge",
        "Partitions that the cleaner has given up.",
        [(text, counts[directory]) for text, directory in where],
    )
    yield Family(
        (_MANAGER + "uncleanable_bytes",),
        "gauge",
        "Their bytes that no cleaning has seen.",
        [(text, sizes[directory]) for text, directory in where],
    )
