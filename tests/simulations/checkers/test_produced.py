"""The checker notices an acknowledged offset without the producer's batch, from any leader."""

from __future__ import annotations

import pytest

from raftka.model.records import Record, encode_batch
from raftka.net.protocol import codec
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from raftka.simulations.checkers.produced import ProducedOffsets
from raftka.simulations.observers.kafka_wire import Conversation
from tests.support.scene import TOPIC_ID, Scene
from tests.support.wire import joined


def sent(sequence: int) -> bytes:
    return bytes(
        encode_batch(
            [Record(0, 1000, b"k", b"%d" % sequence)],
            producer_id=7,
            producer_epoch=0,
            base_sequence=sequence,
        )
    )


def stored(sequence: int, offset: int) -> bytes:
    """The same batch, as its leader has placed it."""
    data = bytearray(sent(sequence))
    data[:8] = offset.to_bytes(8, "big")
    return bytes(data)


class Producing(Scene):
    """Answers of n1 to a producer."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.excused = False
        self.produced = ProducedOffsets(
            self.watched,
            self.metadata,
            self.logs,
            self.told,
            is_excused=lambda key: self.excused,
            note=self.notes.append,
        )

    def produce(self, sequence: int, told: int, *, server: str = "n1", error: int = 0) -> None:
        request = ProduceRequest(
            acks=-1,
            topic_data=[
                TopicProduceData(
                    topic_id=TOPIC_ID,
                    partition_data=[PartitionProduceData(index=0, records=sent(sequence))],
                )
            ],
        )
        part = PartitionProduceResponse(index=0, error_code=error, base_offset=told)
        topic = TopicProduceResponse(topic_id=TOPIC_ID, partition_responses=[part])
        talk = Conversation("p", server, self.watched)
        talk.asks(joined(codec.encode_request(request, 13, 1, "p")))
        talk.answers(joined(codec.encode_response(ProduceResponse(responses=[topic]), 13, 1)))


def test_the_place_of_the_batch_is_right_also_the_second_time_and_from_another_leader() -> None:
    scene = Producing()
    for host in ("n1", "n2"):
        scene.append(host, stored(0, 0), stored(1, 1))
    for server in ("n1", "n1", "n2"):
        scene.produce(1, 1, server=server)
    assert scene.told.names == []
    assert scene.notes == ["batch answered again", "batch answered again by another leader"]
    assert scene.produced.looks.checks == 3


@pytest.mark.parametrize(
    "told", [pytest.param(0, id="another batch"), pytest.param(5, id="nothing")]
)
def test_another_place_is_wrong(told: int) -> None:
    scene = Producing()
    scene.append("n1", stored(0, 0), stored(1, 1))
    scene.produce(1, told)
    assert scene.told.names == ["told-another-offset"]


def test_what_nothing_was_promised_of_is_not_missed() -> None:
    scene = Producing()
    scene.append("n1", stored(0, 0))
    scene.produce(1, 5, error=7)
    scene.excused = True
    scene.produce(1, 5)
    assert scene.told.names == []
