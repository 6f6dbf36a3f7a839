"""Each check of answers, groups and files says so when what it looks at is wrong."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest

from kraft.image import BrokerImage, MetadataImage, PartitionImage, TopicImage
from model.record_batch import parse_header
from model.records import Record, encode_batch
from net.protocol import codec
from net.protocol.message import Request, Response
from net.protocol.messages.alter_partition import (
    AlterPartitionRequest,
    BrokerState,
    RequestPartitionData,
    RequestTopicData,
)
from net.protocol.messages.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)
from net.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
    ReplicaState,
)
from net.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from net.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from simulations.checkers.agreement import AgreementChecker
from simulations.checkers.answers import AnswerChecker
from simulations.checkers.files import FileChecker
from simulations.checkers.groups import GroupChecker
from simulations.checkers.replicas import ReplicaChecker
from simulations.medium import Inode
from simulations.observers.kafka_wire import Conversation, Watched
from simulations.observers.metadata import ObservedMetadata
from simulations.observers.partition_log import PartitionLogs
from simulations.trace import Trace
from simulations.violation import NOTHING, About
from tests.support.wire import joined

TOPIC_ID = b"t" * 16
LED = PartitionImage((1, 2), (1, 2), 1, leader_epoch=3)
DIRECTORY = "/data/t-0"


def batch(base_offset: int, *, epoch: int = 3, timestamp: int = 1000) -> bytes:
    records = [Record(0, timestamp, b"k", b"v", ())]
    return bytes(encode_batch(records, base_offset=base_offset, leader_epoch=epoch))


class Told:
    """What was reported."""

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
            later=lambda check: check(),
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


def converse(watched: Watched, request: Request[Any], answer: Response, version: int) -> None:
    """Over a wire, in pieces that do not end where frames do."""
    talk = Conversation("c", "n1", watched)
    for tap, pieces in (
        (talk.asks, codec.encode_request(request, version, 7, "client")),
        (talk.answers, codec.encode_response(answer, version, 7)),
    ):
        data = joined(pieces)
        tap(data[:9])
        tap(data[9:])


def test_what_is_right_is_not_reported() -> None:
    scene = Scene()
    for host in ("n1", "n2"):
        scene.append(host, batch(0), batch(1))
    scene.fetch(high_watermark=2, last_stable_offset=2, records=batch(0) + batch(1))
    assert scene.checker.checks == 2
    assert scene.told.names == []


@pytest.mark.parametrize(
    "fields",
    [
        {"high_watermark": 3, "last_stable_offset": 3},
        {"high_watermark": 1, "last_stable_offset": 2},
        {"high_watermark": 1, "last_stable_offset": 1, "log_start_offset": 2},
    ],
)
def test_offsets_out_of_order(fields: dict[str, int]) -> None:
    scene = Scene()
    for host in ("n1", "n2"):
        scene.append(host, batch(0), batch(1))
    scene.fetch(**fields)
    assert scene.told.names[0] == "offsets-out-of-order"


def test_a_high_watermark_that_goes_back() -> None:
    scene = Scene()
    for host in ("n1", "n2"):
        scene.append(host, batch(0), batch(1))
    scene.fetch(high_watermark=2, last_stable_offset=2)
    scene.life = 2
    scene.fetch()
    assert scene.told.names == [], "another process may begin with less"
    scene.fetch(high_watermark=2, last_stable_offset=2)
    scene.fetch()
    assert scene.told.names == ["high-watermark-went-back"]


def test_a_member_below_the_high_watermark() -> None:
    scene = Scene()
    scene.append("n1", batch(0))
    scene.fetch()
    assert scene.told.names == ["isr-member-below-high-watermark"]


def test_a_record_beyond_the_high_watermark() -> None:
    scene = Scene()
    for host in ("n1", "n2"):
        scene.append(host, batch(0), batch(1))
    scene.fetch(records=batch(0) + batch(1))
    assert scene.told.names == ["record-beyond-high-watermark"]


def test_a_high_watermark_that_a_consumer_is_told_is_a_claim_also_a_followers() -> None:
    scene = Scene()
    for host in ("n1", "n2"):
        scene.append(host, batch(0), batch(1))
    scene.set_partition(replace(LED, leader=2))
    scene.fetch()
    assert scene.claims == [("n1", ("t", 0), 1)]


class Agreement:
    """A client was told of what n1 has at offset 1; n2 has something else there."""

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
    ],
)
def test_a_high_watermark_covers_what_clients_know(
    monkeypatch: pytest.MonkeyPatch, host: str, mark: int, names: list[str]
) -> None:
    found = Agreement(monkeypatch)
    found.checker.claimed(host, ("t", 0), mark, "tells c offset")
    assert found.checker.checks == 1
    assert found.scene.told.names == names


def test_a_checkpoint_of_high_watermarks_is_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Agreement(monkeypatch)
    file = found.checker.watch("n2", "/data/replication-offset-checkpoint.tmp")
    assert file is not None
    file.wrote(0, b"0\n1\nt 0 2\n")
    assert found.scene.told.names == ["uncommitted-below-high-watermark"]


def follower_fetches(scene: Scene, life: int) -> None:
    """Broker 2 begins to fetch from broker 1."""
    scene.life = life
    topic = FetchTopic(topic_id=TOPIC_ID, partitions=[FetchPartition(partition=0)])
    state = ReplicaState(replica_id=2, replica_epoch=10 * life)
    request = FetchRequest(
        replica_state=state, session_epoch=0, topics=[topic], forgotten_topics_data=[]
    )
    Conversation("n2", "n1", scene.watched).asks(joined(codec.encode_request(request, 17, 1, "n2")))


@pytest.mark.parametrize(
    ("fetched", "names"),
    [
        ([7], []),
        ([5, 7], []),
        ([5], ["isr-member-of-a-former-life"]),
        ([], ["isr-member-of-a-former-life"]),
    ],
)
def test_who_joins_the_isr_has_fetched_in_its_present_life(
    fetched: list[int], names: list[str]
) -> None:
    scene = Scene()
    broker = BrokerImage(2, b"", epoch=7, endpoints=(), fenced=False)
    scene.metadata.image = replace(scene.metadata.image, brokers={2: broker})
    for life in fetched:
        follower_fetches(scene, life)
    scene.life = 7
    ask_for(scene, [1, 2])
    for told in scene.metadata.on_change:
        told(("t", 0), replace(LED, isr=(1,)), LED)
    assert scene.told.names == names


@pytest.mark.parametrize(("asked", "names"), [([1, 2], []), ([1, 3], ["isr-grew-unasked"])])
def test_who_joins_the_isr_was_asked_for(asked: list[int], names: list[str]) -> None:
    scene = Scene()
    follower_fetches(scene, 1)
    ask_for(scene, asked)
    before = replace(LED, isr=(1,))
    for told in scene.metadata.on_change:
        told(("t", 0), before, LED)
    assert scene.told.names == names


def ask_for(scene: Scene, asked: list[int]) -> None:
    """The leader asks for an ISR."""
    data = RequestPartitionData(
        partition_index=0,
        leader_epoch=3,
        new_isr=[],
        new_isr_with_epochs=[BrokerState(broker_id=each, broker_epoch=1) for each in asked],
        leader_recovery_state=0,
        partition_epoch=1,
    )
    request = AlterPartitionRequest(
        broker_id=1,
        broker_epoch=1,
        topics=[RequestTopicData(topic_id=TOPIC_ID, partitions=[data])],
    )
    pieces = codec.encode_request(request, 3, 1, "n1")
    Conversation("n1", "n2", scene.watched).asks(joined(pieces))


class Group:
    """Members' requests and what they are answered."""

    def __init__(self) -> None:
        self.told = Told()
        self.watched = Watched()
        self.checker = GroupChecker(self.watched, self.told, is_excused=lambda group: False)

    def sync(self, member: str, generation: int, *partitions: int) -> None:
        assigned = [TopicPartition(topic="t", partitions=list(partitions))]
        message = ConsumerProtocolAssignment(assigned_partitions=assigned, user_data=None)
        request = SyncGroupRequest(
            group_id="g", generation_id=generation, member_id=member, assignments=[]
        )
        answer = SyncGroupResponse(error_code=0, assignment=codec.encode_versioned(message, 3))
        converse(self.watched, request, answer, version=3)

    def join(self, generation: int) -> None:
        request = JoinGroupRequest(
            group_id="g", session_timeout=1, member_id="", protocol_type="consumer", protocols=[]
        )
        answer = JoinGroupResponse(
            error_code=0,
            generation_id=generation,
            protocol_name="range",
            leader="m",
            member_id="m",
            members=[],
        )
        converse(self.watched, request, answer, version=5)

    def commit(self, generation: int, error_code: int) -> None:
        request = OffsetCommitRequest(
            group_id="g", generation_id_or_member_epoch=generation, member_id="m", topics=[]
        )
        partition = OffsetCommitResponsePartition(partition_index=0, error_code=error_code)
        topic = OffsetCommitResponseTopic(name="t", partitions=[partition])
        converse(self.watched, request, OffsetCommitResponse(topics=[topic]), version=8)


def test_one_owner_for_a_partition_and_generation() -> None:
    group = Group()
    group.sync("a", 1, 0, 1)
    group.sync("b", 1, 2)
    group.sync("b", 2, 0)
    assert group.told.names == []
    group.sync("a", 2, 0)
    assert group.told.names == ["two-owners"]


def test_a_generation_that_goes_back() -> None:
    group = Group()
    group.sync("a", 5, 0)
    group.join(5)
    group.join(6)
    assert group.told.names == []
    group.join(4)
    assert group.told.names == ["generation-went-back"]


def test_a_commit_of_an_old_generation() -> None:
    group = Group()
    group.sync("a", 5, 0)
    group.commit(5, 0)
    group.commit(4, 22)
    assert group.told.names == []
    group.commit(4, 0)
    assert group.told.names == ["commit-of-an-old-generation"]


def look(scene: Scene, *, stopped: bool = False) -> list[str]:
    checker = FileChecker(scene.logs, scene.told)
    (checker.check_stopped if stopped else checker.check_running)("n1", scene.files["n1"])
    assert checker.checks
    return scene.told.names


def test_a_gap_in_a_log() -> None:
    scene = Scene()
    scene.append("n1", batch(0), batch(2))
    assert look(scene) == ["log-not-contiguous"]


def test_an_epoch_that_goes_back() -> None:
    scene = Scene()
    scene.append("n1", batch(0), batch(1, epoch=2))
    assert look(scene) == ["log-not-contiguous"]


def test_a_crc_that_is_wrong() -> None:
    scene = Scene()
    corrupt: list[str] = []
    scene.logs.on_corrupt = lambda mirror, batches: corrupt.append(mirror.name)
    scene.append("n1", batch(0))
    assert corrupt == []
    scene.append("n1", batch(1)[:-1] + b"\xff")
    assert corrupt == ["t-0"]


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ("2 0\n3 1\n", []),
        ("2 0\n", []),
        ("3 0\n", ["epoch-cache-differs"]),
        ("1 0\n3 1\n", ["epoch-cache-differs"]),
    ],
)
def test_the_leader_epoch_checkpoint(entries: str, names: list[str]) -> None:
    scene = Scene()
    scene.append("n1", batch(0, epoch=2), batch(1))
    file = scene.add("n1", f"{DIRECTORY}/leader-epoch-checkpoint")
    file.write(0, f"0\n{entries.count(chr(10))}\n{entries}".encode())
    assert look(scene) == names


def _index(size: int) -> list[tuple[bytes, list[str]]]:
    entry = struct.Struct(">ii").pack
    return [
        (entry(1, size), []),
        (entry(1, size + 1), ["index-differs"]),
        (entry(2, size), ["index-differs"]),
        (entry(0, size), ["index-differs"]),
    ]


@pytest.mark.parametrize("case", range(4))
def test_an_offset_index(case: int) -> None:
    scene = Scene()
    size = parse_header(batch(0)).size
    scene.append("n1", batch(0), batch(1))
    data, names = _index(size)[case]
    scene.add("n1", f"{DIRECTORY}/{0:020}.index").write(0, data)
    assert look(scene, stopped=True) == names


@pytest.mark.parametrize(
    ("timestamp", "offset", "names"),
    [
        (2000, 1, []),
        (1000, 1, ["time-index-differs"]),
        (2000, 2, ["time-index-differs"]),
    ],
)
def test_a_time_index(timestamp: int, offset: int, names: list[str]) -> None:
    scene = Scene()
    scene.append("n1", batch(0, timestamp=2000), batch(1, timestamp=1500))
    entry = struct.pack(">qi", timestamp, offset)
    scene.add("n1", f"{DIRECTORY}/{0:020}.timeindex").write(0, entry)
    assert look(scene, stopped=True) == names


def test_a_segment_whose_renaming_a_power_loss_takes_back_is_seen_again() -> None:
    scene = Scene()
    scene.append("n1", batch(0), batch(1))
    path = f"{DIRECTORY}/{0:020}.log"
    watcher = scene.files["n1"][path].watcher
    assert watcher is not None
    watcher.renamed(path + ".1")
    assert scene.logs.replica("n1", ("t", 0)) is None
    watcher.renamed(path)
    mirror = scene.logs.replica("n1", ("t", 0))
    assert mirror is not None
    assert mirror.end_offset == 2
