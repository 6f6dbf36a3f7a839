"""What a scrape reads from logs."""

from __future__ import annotations

import pytest

from raftka.broker.metrics import scrape
from raftka.broker.node import Node
from raftka.model.ids import TopicPartition
from raftka.model.ports import Buffer, Piece, bytes_of
from raftka.model.record_batch import HEADER_BYTES
from raftka.net.answers import Turn
from raftka.net.request_stats import RequestStats
from raftka.simulation import Stage, run_scenario
from tests.support.raw_client import connected, produced


def test_a_batchs_time_takes_no_more_than_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(piece: Piece) -> Buffer:
        found = bytes_of(piece)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(scrape, "bytes_of", counted)

    async def scenario(stage: Stage) -> None:
        await stage.topic("t", replicas=1, min_insync_replicas="1")
        client = await connected(stage, stage.nodes[0], "m")
        await client.ask(produced("t", 100_000), 9)
        process = stage.nodes[0].process
        assert process is not None and isinstance(process.node, Node)
        found = scrape.Scrape(process.node, RequestStats(lambda: 0.0, Turn()), [])
        assert found._first_ms(TopicPartition("t", 0), 0) == 1
        assert found._first_ms(TopicPartition("t", 0), 5) is None, "nobody has written it"
        assert found._first_ms(TopicPartition("u", 0), 0) is None

    outcome = run_scenario(scenario, nodes=1)
    assert outcome.violation is None, outcome.violation
    assert sizes == [HEADER_BYTES]
