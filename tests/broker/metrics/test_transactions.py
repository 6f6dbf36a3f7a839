"""Metrics of the cleaner and of transactions agree with their states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from raftka.broker.metrics.cleaner import cleaner
from raftka.broker.metrics.families import Family, Sample
from raftka.broker.metrics.transactions import (
    TransactionFigures,
    coordinator_loads,
    markers,
    verification,
)
from raftka.model.ids import TopicPartition
from raftka.storage.cleaning.cleaner import Cleaner, CleanerState, LastRun
from raftka.storage.log_manager import LogManager


def values(families: list[Family]) -> dict[str, float]:
    return {
        name + where: value
        for family in families
        for name in family.names
        for where, value in cast(Sequence[Sample], family.samples)
    }


class Home:
    """A log directory, by its path."""

    def __init__(self, path: str) -> None:
        self.path = path


class Logs:
    """Two directories; partition 0 of each topic is in the first one."""

    online = ("/a", "/b")

    def home_of(self, target: TopicPartition) -> Home | None:
        return Home(self.online[target.partition]) if target.topic == "t" else None


class OnPaper:
    """A cleaner that has states and no logs."""

    def __init__(self, **states: CleanerState) -> None:
        self.states = {
            TopicPartition(name[0], int(name[1:])): each for name, each in states.items()
        }
        self.surveyed_ms: int | None = 4_000
        self.last_run = LastRun(12.7, 400, 100, 0.25)
        self.workers, self.workers_alive = 2, 2

    def values(self, now_ms: int = 5_000) -> dict[str, float]:
        return values(list(cleaner(cast(Cleaner, self), cast(LogManager, Logs()), now_ms)))


def test_the_cleaners_gauges() -> None:
    found = OnPaper(
        t0=CleanerState(dirty_ratio=0.5, overdue_ms=7_900),
        t1=CleanerState(dirty_ratio=0.25, dirty_bytes=30, blocked_bytes=12, uncleanable="torn"),
    )
    assert found.values() == {
        "kafka_log_logcleaner_max_clean_time_secs": 12,
        "kafka_log_logcleaner_cleaner_recopy_percent": 25,
        "kafka_log_logcleaner_max_buffer_utilization_percent": 25,
        "kafka_log_logcleaner_max_compaction_delay_secs": 7,
        "kafka_log_logcleaner_deadthreadcount": 0,
        "kafka_log_logcleanermanager_max_dirty_percent": 50,
        "kafka_log_logcleanermanager_time_since_last_run_ms": 1_000,
        'kafka_log_logcleanermanager_uncleanable_partitions_count{logDirectory="/a"}': 0,
        'kafka_log_logcleanermanager_uncleanable_partitions_count{logDirectory="/b"}': 1,
        'kafka_log_logcleanermanager_uncleanable_bytes{logDirectory="/a"}': 0,
        'kafka_log_logcleanermanager_uncleanable_bytes{logDirectory="/b"}': 42,
    }


def test_a_cleaner_that_has_ended_is_seen_and_one_that_is_switched_off_says_nothing() -> None:
    found = OnPaper()
    found.workers_alive, found.surveyed_ms = 1, None
    assert found.values()["kafka_log_logcleaner_deadthreadcount"] == 1
    assert found.values()["kafka_log_logcleanermanager_time_since_last_run_ms"] == 0
    assert found.values()["kafka_log_logcleanermanager_max_dirty_percent"] == 0
    found.workers = 0
    assert found.values() == {}


def test_loads_count_for_half_a_minute() -> None:
    loads = [(10.0, 0.5), (50.0, 0.1), (60.0, 0.3)]
    of = "kafka_server_transaction_coordinator_metrics_partition_load_time_"
    assert values(list(coordinator_loads("transaction", loads, 70.0))) == {
        of + "max": 300.0,
        of + "avg": 200.0,
    }
    assert set(values(list(coordinator_loads("group", loads, 1e6))).values()) == {0.0}


def test_what_keeps_transactions_from_ending() -> None:
    figures = TransactionFigures(2, 3, refused=4, asked=5, asked_s=0.25)
    of = "kafka_coordinator_transaction_transactionmarkerchannelmanager_"
    assert values(list(markers(figures))) == {
        of + "unknowndestinationqueuesize": 2,
        of + "logappendretryqueuesize": 3,
    }
    found = values(list(verification(figures)))
    of = "kafka_server_addpartitionstotxnmanager_"
    assert found[of + "verificationfailurerate_count"] == 4
    assert found[of + "verificationfailurerate_total"] == 4
    assert found[of + "verificationtimems_count"] == 5
    assert found[of + "verificationtimems_sum"] == 250
