"""Logs with transactions: batches, markers, and a log's state of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from raftka.model.control_records import EndMarker, encode_end_marker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.storage.log import AppendInfo, Log
from raftka.storage.transaction_index import AbortedTransaction
from tests.support.logs import (
    NOW_MS,
    PARTITION,
    batch,
    verified,
)


def send(
    log: Log, pid: int, sequence: int = 0, *, count: int = 1, epoch: int = 0, asks: bool = True
) -> AppendInfo:
    """A transactional batch, verified first if it `asks`."""
    data = batch(
        *["x"] * count, producer_id=pid, producer_epoch=epoch, base_sequence=sequence,
        is_transactional=True,
    )  # fmt: skip
    guard = verified(log, data) if asks else None
    return log.append_as_leader(data, 0, NOW_MS, guard=guard)


def end(
    log: Log, pid: int, *, commit: bool, epoch: int = 0, coordinator: int = 1, version: int = 0
) -> AppendInfo:
    marker = EndMarker(pid, epoch, commit, coordinator)
    log.producer_state.check_marker(marker, version, PARTITION)
    data = bytearray(encode_end_marker(marker, NOW_MS))
    return log.append_as_leader(data, 0, NOW_MS, from_client=False)


def refused(act: Callable[[], object]) -> ErrorCode:
    with pytest.raises(KafkaError) as caught:
        act()
    return caught.value.code


def aborted(log: Log) -> list[AbortedTransaction]:
    return [each for segment in log.segments for each in segment.transaction_index.entries]
