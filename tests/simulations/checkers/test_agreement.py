"""The high watermarks that brokers report agree with the records that clients know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from raftka.simulations.checkers.agreement import AgreementChecker, CheckpointFile
from raftka.simulations.checkers.replicas import ReplicaChecker
from raftka.simulations.trace import Trace
from tests.support.scene import LED, Scene, batch


class Agreement:
    """A client knows what n1 has at offset 1; n2 has something else there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trio.current_time", lambda: 1.0)
        self.scene = Scene()
        self.scene.append("n1", batch(0), batch(1))
        self.scene.append("n2", batch(0), batch(1, epoch=2, timestamp=2000))
        self.scene.set_partition(replace(LED, isr=(1,)))
        replicas = ReplicaChecker(
            self.scene.metadata,
            self.scene.logs,
            Trace(),
            self.scene.told,
            is_current=lambda broker: True,
            min_isr=lambda topic: 2,
            allows_loss=lambda topic: False,
        )
        self.replicas = replicas
        self.checker = AgreementChecker(
            self.scene.metadata, self.scene.logs, replicas, self.scene.told
        )
        for offset in (0, 1):
            replicas.told(("t", 0), offset, "p got acknowledged")


@pytest.mark.parametrize(
    ("host", "mark", "names"),
    [
        ("n1", 2, []),
        ("n2", 1, []),
        ("n2", 2, ["uncommitted-below-high-watermark"]),
        ("n1", 3, ["high-watermark-beyond-log-end"]),
    ],
)
def test_a_high_watermark_covers_what_clients_know(
    monkeypatch: pytest.MonkeyPatch, host: str, mark: int, names: list[str]
) -> None:
    found = Agreement(monkeypatch)
    found.checker.claimed(host, ("t", 0), mark, "tells c offset")
    assert found.checker.looks.checks == 1
    assert found.scene.told.names == names


@pytest.mark.parametrize(("start", "names"), [(0, ["divergent-append"]), (2, [])])
def test_what_was_given_up_is_not_compared(
    monkeypatch: pytest.MonkeyPatch, start: int, names: list[str]
) -> None:
    """Seed 20020: DeleteRecords took what differed, and the follower was cut at the new start."""
    found = Agreement(monkeypatch)
    found.replicas.may_begin_at(("t", 0), start)
    for host in ("n1", "n2"):
        found.scene.append(host, batch(2, epoch=3))
    assert found.scene.told.names == names


def test_a_checkpoint_of_high_watermarks_is_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Agreement(monkeypatch)
    file = found.checker.watch("n2", "/data/replication-offset-checkpoint.tmp")
    assert file is not None
    file.wrote(0, b"0\n1\nt 0 2\n")
    assert found.scene.told.names == ["uncommitted-below-high-watermark"]


def test_the_front_of_a_line_of_a_checkpoint_claims_nothing() -> None:
    """A write that failed half-way leaves one (raftka simulate --seed 45572468)."""
    claims: list[object] = []

    class Checker:
        def claimed(self, *claim: object) -> None:
            claims.append(claim)

    checker: Any = Checker()
    CheckpointFile(checker, "n1").wrote(0, b"0\n3\nt0 0 12\nt1 0 7")
    CheckpointFile(checker, "n1").wrote(0, b"0\n3\nt0 0 12\nt1")
    assert claims == [("n1", ("t0", 0), 12, "writes down")] * 2
