"""The hand-written response to Fetch equals the codec's."""

from __future__ import annotations

import random
from typing import cast

import pytest

from raftka.model.ports import File, FileRegion, Piece
from raftka.net.protocol import codec
from raftka.net.protocol.fetch_writer import FetchedPartition, NodeEndpoint, write_fetch_response
from raftka.net.protocol.messages import fetch
from raftka.net.protocol.messages.fetch import FetchResponse
from tests.support.messages import versions
from tests.support.wire import joined


class Zeros:
    path = "/zeros"

    def read(self, size: int, offset: int) -> bytes:
        return bytes(size)


def random_pieces(dice: random.Random) -> list[Piece]:
    def piece() -> Piece:
        size = dice.choice((1, 30, 511, 512, 5000))
        if dice.random() < 0.5:
            return FileRegion(cast(File, Zeros()), dice.randrange(100), size)
        return memoryview(dice.randbytes(size))

    return [piece() for _ in range(dice.choice((0, 1, 1, 1, 3)))]


def random_partition(dice: random.Random, index: int) -> FetchedPartition:
    pieces = random_pieces(dice)
    pair = (dice.getrandbits(20), dice.getrandbits(20))
    return FetchedPartition(
        index,
        dice.choice((0, 0, 6)),
        dice.getrandbits(40),
        dice.getrandbits(40),
        dice.getrandbits(30),
        pieces,
        sum(p.size if isinstance(p, FileRegion) else len(p) for p in pieces),
        preferred_read_replica=dice.choice((-1, -1, 3)),
        aborted=dice.choice((None, None, [], [pair, pair])),
        diverging=dice.choice((None, None, pair)),
        current_leader=dice.choice((None, None, pair)),
    )


def as_object(version: int, partition: FetchedPartition) -> fetch.PartitionData:
    data = fetch.PartitionData(
        partition_index=partition.partition,
        error_code=partition.error_code,
        high_watermark=partition.high_watermark,
        last_stable_offset=partition.last_stable_offset,
        log_start_offset=partition.log_start_offset,
        preferred_read_replica=partition.preferred_read_replica,
        records=list(partition.pieces),
        aborted_transactions=None,
    )
    if partition.aborted is not None:
        data.aborted_transactions = [
            fetch.AbortedTransaction(producer_id=producer, first_offset=offset)
            for producer, offset in partition.aborted
        ]
    if partition.diverging is not None:
        epoch, offset = partition.diverging
        data.diverging_epoch = fetch.EpochEndOffset(epoch=epoch, end_offset=offset)
    if partition.current_leader is not None:
        leader, epoch = partition.current_leader
        data.current_leader = fetch.LeaderIdAndEpoch(leader_id=leader, leader_epoch=epoch)
    return data


@pytest.mark.parametrize("version", versions(FetchResponse))
def test_the_same_bytes_as_the_codec(version: int) -> None:
    dice = random.Random(version)
    for _ in range(40):
        topics = [
            (
                dice.randbytes(16) if version >= 13 else "t" * dice.choice((1, 200)),
                [random_partition(dice, i) for i in range(dice.choice((0, 1, 5)))],
            )
            for _ in range(dice.choice((0, 1, 3)))
        ]
        endpoints = [NodeEndpoint(3, "b3", 9092, None), NodeEndpoint(4, "b4", 9093, "r")]
        endpoints = endpoints[: dice.choice((0, 0, 2))]
        written = write_fetch_response(
            version,
            77,
            topics,
            throttle_ms=5,
            error_code=70,
            session_id=9,
            endpoints=endpoints,
        )
        response = FetchResponse(
            throttle_time=5,
            error_code=70,
            session_id=9,
            responses=[
                fetch.FetchableTopicResponse(
                    topic="" if isinstance(topic, bytes) else topic,
                    topic_id=topic if isinstance(topic, bytes) else bytes(16),
                    partitions=[as_object(version, partition) for partition in partitions],
                )
                for topic, partitions in topics
            ],
            node_endpoints=[
                fetch.NodeEndpoint(node_id=e.node_id, host=e.host, port=e.port, rack=e.rack)
                for e in endpoints
            ],
        )
        assert joined(written) == joined(codec.encode_response(response, version, 77))


def test_records_are_never_copied() -> None:
    batch, part = bytes(5000), FileRegion(cast(File, Zeros()), 0, 10)
    partitions = [
        FetchedPartition(0, 0, 1, 1, 0, [batch], len(batch)),
        FetchedPartition(1, 0, 1, 1, 0, [part], 10),
        FetchedPartition(2, 0, 1, 1, 0, [b"short"], 5),
    ]
    pieces = write_fetch_response(12, 1, [("weblogs", partitions)])
    assert pieces[1] is batch
    assert pieces[3] is part
    assert len(pieces) == 5
