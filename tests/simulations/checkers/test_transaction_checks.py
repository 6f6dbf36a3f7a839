"""Transactions in the logs: the last stable offset, and fenced producers."""

from __future__ import annotations

import pytest

from raftka.model.control_records import EndMarker, encode_end_marker
from raftka.model.records import Record, encode_batch
from raftka.simulations.checkers.transactions import TransactionChecker
from tests.support.scene import Scene, batch

KEY = ("t", 0)


def data(base_offset: int, *, epoch: int = 0, producer: int = 9) -> bytes:
    return bytes(
        encode_batch(
            [Record(0, 1000, b"k", b"v", ())],
            base_offset=base_offset,
            leader_epoch=3,
            producer_id=producer,
            producer_epoch=epoch,
            base_sequence=0,
            is_transactional=True,
        )
    )


def marker(base_offset: int, *, epoch: int = 0, commit: bool = True, coordinator: int = 1) -> bytes:
    made = bytearray(encode_end_marker(EndMarker(9, epoch, commit, coordinator), 1000))
    made[0:8] = base_offset.to_bytes(8, "big")
    made[12:16] = (3).to_bytes(4, "big")  # what the leader sets when it appends
    return bytes(made)


class Transactional(Scene):
    """t-0, with a checker of its transactions."""

    def __init__(self, *batches: bytes) -> None:
        super().__init__()
        self.lost = False
        self.transactions = TransactionChecker(
            self.watched,
            self.metadata,
            self.logs,
            self.told,
            is_excused=lambda key: False,
            coordinators_lost=lambda: self.lost,
        )
        for host in ("n1", "n2"):
            self.append(host, *batches)


@pytest.mark.parametrize(
    ("stable", "high_watermark", "names"),
    [
        (1, 3, []),
        (2, 3, ["unstable-below-last-stable-offset"]),
        (1, 4, []),
        (4, 4, []),
        (4, 5, []),
    ],
)
def test_nothing_is_stable_from_an_open_transaction_on(
    stable: int, high_watermark: int, names: list[str]
) -> None:
    """A marker at 3 ends it once the high watermark has passed that."""
    scene = Transactional(batch(0), data(1), batch(2), marker(3), batch(4))
    scene.fetch(high_watermark=high_watermark, last_stable_offset=stable)
    assert scene.told.names == names


def test_a_transaction_without_a_marker_is_open() -> None:
    scene = Transactional(batch(0), data(1), batch(2))
    scene.fetch(high_watermark=3, last_stable_offset=1)
    assert scene.told.names == []
    scene.fetch(high_watermark=3, last_stable_offset=3)
    assert scene.told.names == ["unstable-below-last-stable-offset"]


def test_a_log_may_begin_behind_the_start_of_an_open_transaction() -> None:
    """Seed 59: an administrator had deleted its first records."""
    scene = Transactional(batch(0), data(1), batch(2))
    scene.begins_at = 2
    scene.fetch(high_watermark=3, last_stable_offset=2, log_start_offset=2)
    assert scene.told.names == []


def test_a_transaction_that_is_cut_off_is_forgotten() -> None:
    scene = Transactional(batch(0), data(1))
    inode = next(iter(scene.files["n1"].values()))
    inode.truncate(len(batch(0)))
    scene.append("n1", batch(1))
    scene.fetch(high_watermark=2, last_stable_offset=2)
    assert scene.told.names == []


@pytest.mark.parametrize(
    ("late", "names"),
    [
        (data(3, epoch=1), []),
        (data(3, epoch=0), ["zombie-write"]),
        (marker(3, epoch=0, coordinator=2), ["zombie-write"]),
        (marker(3, epoch=1, coordinator=2), []),
        (marker(3, epoch=1, coordinator=0), ["stale-marker"]),
        (data(3, epoch=0, producer=8), []),
    ],
)
def test_epochs_never_go_back(late: bytes, names: list[str]) -> None:
    scene = Transactional(batch(0), data(1), marker(2, epoch=1, commit=False))
    scene.append("n1", late)
    assert scene.told.names == names


def test_epochs_may_go_back_where_coordinators_have_lost_their_log() -> None:
    scene = Transactional(batch(0), data(1), marker(2, epoch=1, commit=False))
    scene.lost = True
    scene.append("n1", data(3, epoch=0))
    assert scene.told.names == []


def test_consumers_are_given_no_markers() -> None:
    scene = Transactional(batch(0), data(1), marker(2))
    assert [scene.transactions.is_marker(KEY, at) for at in range(4)] == [False, False, True, False]
