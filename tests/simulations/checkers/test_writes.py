"""Damage on a disk is noticed: appends after a failed write, batches whose bytes have changed."""

from __future__ import annotations

import pytest

from raftka.simulations.checkers.files import FileChecker
from raftka.simulations.checkers.writes import FailedWrites
from tests.support.scene import DIRECTORY, Scene, batch

LOG = f"{DIRECTORY}/{0:020}.log"
CHECKPOINT = "/data/replication-offset-checkpoint.tmp"


@pytest.mark.parametrize(
    ("host", "path", "restarts", "names"),
    [
        ("n1", LOG, False, ["append-after-failed-write"]),
        ("n1", LOG, True, []),
        ("n2", LOG, False, []),
        ("n1", CHECKPOINT, False, []),
        ("n1", "/metadata/__cluster_metadata-0/0.journal", False, []),
    ],
)
def test_a_log_takes_nothing_after_a_failed_write(
    host: str, path: str, restarts: bool, names: list[str]
) -> None:
    scene = Scene()
    checker = FailedWrites(scene.logs, scene.told)
    scene.append("n1", batch(0))
    checker.failed(host, path)
    if restarts:
        checker.started(host)
    scene.append("n1", batch(1))
    assert scene.told.names == names


@pytest.mark.parametrize(("position", "names"), [(64, ["corrupt-batch-kept"]), (3, [])])
def test_a_batch_that_has_changed_on_the_disk_is_found(position: int, names: list[str]) -> None:
    """Base offset and leader epoch are set by the leader: no checksum covers them."""
    scene = Scene()
    scene.append("n1", batch(0), batch(1))
    checker = FileChecker(scene.logs, scene.told)
    mirror = scene.logs.replica("n1", ("t", 0))
    assert mirror is not None
    checker.check_batches(mirror, scene.files["n1"])
    assert scene.told.names == []
    scene.files["n1"][LOG].data[position] ^= 1
    checker.check_batches(mirror, scene.files["n1"])
    assert scene.told.names == names
