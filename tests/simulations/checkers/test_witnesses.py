"""Each check of answers, groups and files reports what is wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from raftka.kraft.image import BrokerImage
from raftka.model.record_batch import parse_header
from raftka.net.protocol import codec
from raftka.net.protocol.messages.alter_partition import (
    AlterPartitionRequest,
    BrokerState,
    RequestPartitionData,
    RequestTopicData,
)
from raftka.net.protocol.messages.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)
from raftka.net.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ReplicaState,
)
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from raftka.net.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from raftka.simulations.checkers.files import FileChecker
from raftka.simulations.checkers.groups import GroupChecker
from raftka.simulations.observers.kafka_wire import Conversation, Watched
from tests.support.scene import DIRECTORY, LED, TOPIC_ID, Scene, Told, batch, converse
from tests.support.wire import joined


def test_what_is_right_is_not_reported() -> None:
    scene = Scene()
    for host in ("n1", "n2"):
        scene.append(host, batch(0), batch(1))
    scene.fetch(high_watermark=2, last_stable_offset=2, records=batch(0) + batch(1))
    assert scene.checker.looks.checks == 2
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


@pytest.mark.parametrize(("end", "names"), [(1, ["isr-member-below-high-watermark"]), (2, [])])
def test_who_joins_the_isr_has_what_its_leader_said_to_be_committed(
    end: int, names: list[str]
) -> None:
    scene = Scene()
    follower_fetches(scene, 1)
    scene.append("n1", batch(0), batch(1))
    scene.append("n2", *(batch(each) for each in range(end)))
    alone = replace(LED, isr=(1,))
    scene.set_partition(alone)
    scene.fetch(high_watermark=2, last_stable_offset=2)
    assert scene.told.names == []
    ask_for(scene, [1, 2])
    scene.set_partition(LED)
    for told in scene.metadata.on_change:
        told(("t", 0), alone, LED)
    assert scene.told.names == names


def test_a_former_leader_that_asks_takes_nothing_back() -> None:
    scene = Scene()
    follower_fetches(scene, 1)
    ask_for(scene, [1, 2])
    ask_for(scene, [3], leader_epoch=2)
    for told in scene.metadata.on_change:
        told(("t", 0), replace(LED, isr=(1,)), LED)
    assert scene.told.names == []


def ask_for(scene: Scene, asked: list[int], *, leader_epoch: int = 3) -> None:
    """A leader asks for an ISR."""
    data = RequestPartitionData(
        partition_index=0,
        leader_epoch=leader_epoch,
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
    """Members' requests and the answers."""

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

    def join(self, generation: int, meanwhile: Callable[[], None] = lambda: None) -> None:
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
        converse(self.watched, request, answer, 5, meanwhile)

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
    # A coordinator that was paused meanwhile.
    group.join(5, meanwhile=lambda: group.sync("b", 7, 0))
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
    assert checker.looks.checks
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
