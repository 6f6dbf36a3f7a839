"""Two replicas of one partition as observers see them: files by hand, answers over a wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from raftka.kraft.image import MetadataImage, PartitionImage, TopicImage
from raftka.model.records import Record, encode_batch
from raftka.net.protocol import codec
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from raftka.simulations.checkers.answers import AnswerChecker
from raftka.simulations.machines.medium import Inode
from raftka.simulations.observers.kafka_wire import Conversation, Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import PartitionLogs
from raftka.simulations.trace import Trace
from raftka.simulations.violation import NOTHING, About
from tests.support.wire import joined

TOPIC_ID = b"t" * 16
LED = PartitionImage((1, 2), (1, 2), 1, leader_epoch=3)
DIRECTORY = "/data/t-0"


def batch(base_offset: int, *, epoch: int = 3, timestamp: int = 1000) -> bytes:
    records = [Record(0, timestamp, b"k", b"v", ())]
    return bytes(encode_batch(records, base_offset=base_offset, leader_epoch=epoch))


class Told:
    """The reported violations."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, story: str, *, about: About = NOTHING) -> None:
        assert story
        assert about is not NOTHING
        self.names.append(name)


class Scene:
    """Two replicas of t-0 on disks, their leader's answers, and an AnswerChecker."""

    def __init__(self) -> None:
        self.told = Told()
        self.logs = PartitionLogs()
        self.metadata = ObservedMetadata(Trace())
        self.set_partition(LED)
        self.watched = Watched()
        self.claims: list[tuple[str, tuple[str, int], int]] = []
        self.life = 1
        self.min_isr = 1
        self.begins_at = 0
        self.files: dict[str, dict[str, Inode]] = {"n1": {}, "n2": {}}
        for host in ("n1", "n2"):
            self.add(host, f"{DIRECTORY}/{0:020}.log")
        self.checker = AnswerChecker(
            self.watched,
            self.metadata,
            self.logs,
            self.told,
            life_of=lambda host: self.life,
            is_excused=lambda key, broker_id: False,
            claimed=lambda host, key, mark, how: self.claims.append((host, key, mark)),
            note=lambda situation: None,
            later=lambda check: check(),
            min_isr=lambda topic: self.min_isr,
            may_begin_at=lambda key: self.begins_at,
        )

    def set_partition(self, partition: PartitionImage) -> None:
        topic = TopicImage("t", TOPIC_ID, (partition,))
        self.metadata.image = replace(
            MetadataImage(), topics={"t": topic}, topic_names={TOPIC_ID: "t"}
        )

    def add(self, host: str, path: str) -> Inode:
        made = self.files[host][path] = Inode(watcher=self.logs.watch(host, path))
        return made

    def append(self, host: str, *data: bytes) -> None:
        inode = self.files[host][f"{DIRECTORY}/{0:020}.log"]
        for each in data:
            inode.write(len(inode.data), each)

    def fetch(self, **fields: Any) -> None:
        values = {"high_watermark": 1, "last_stable_offset": 1, "log_start_offset": 0, **fields}
        data = PartitionData(partition_index=0, error_code=0, **values)
        topic = FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[data])
        answer = FetchResponse(error_code=0, responses=[topic])
        request = FetchRequest(max_wait=1, min_bytes=1, topics=[], forgotten_topics_data=[])
        converse(self.watched, request, answer, version=17)


def converse(
    watched: Watched,
    request: Request[Any],
    answer: Response,
    version: int,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Over a wire, in pieces that do not end where frames do. `meanwhile` happens while the answer
    is awaited."""
    talk = Conversation("c", "n1", watched)
    for tap, pieces, then in (
        (talk.asks, codec.encode_request(request, version, 7, "client"), meanwhile),
        (talk.answers, codec.encode_response(answer, version, 7), lambda: None),
    ):
        data = joined(pieces)
        tap(data[:9])
        tap(data[9:])
        then()
