"""Fetches that wait without a reason and partitions that are passed over are noticed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import trio

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import (
    BROKER_RESOURCE,
    CLUSTER_DEFAULT,
    TOPIC_RESOURCE,
    ConfigResource,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from raftka.net.protocol import codec
from raftka.net.protocol.messages.fetch import (
    EpochEndOffset,
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
    ReplicaState,
)
from raftka.simulations.checkers.fetching import FetchChecker
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.medium import Inode
from raftka.simulations.observers.kafka_wire import Conversation, Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Key, PartitionLogs
from raftka.simulations.trace import Trace
from tests.support.scene import TOPIC_ID, Told, batch
from tests.support.wire import joined

LED = PartitionImage((1, 2), (1, 2), 1, leader_epoch=3)
FOLLOWER = ReplicaState(replica_id=2, replica_epoch=7)


@dataclass
class Wire:
    """A connection, as an observer sees it."""

    is_open: bool = True
    all_arrived: bool = True


class Talk:
    """One fetcher's connection to n1, which leads all partitions, two batches in each."""

    def __init__(self, partitions: int, *, state: ReplicaState | None = None) -> None:
        self.told = Told()
        self.logs = PartitionLogs()
        self.metadata = ObservedMetadata(Trace())
        self.views = [LED] * partitions
        self.publish()
        for index in range(partitions):
            inode = Inode(watcher=self.logs.watch("n1", f"/data/t-{index}/{0:020}.log"))
            for offset in range(2):
                inode.write(len(inode.data), batch(offset))
        self.watched = Watched()
        self.high_watermark = 2
        self.runs_since = 0.0
        self.checker = FetchChecker(
            self.watched,
            self.metadata,
            self.logs,
            self.told,
            high_watermark=self._high_watermark,
            runs_since=lambda host: self.runs_since,
        )
        self.state = state
        self.wire = Wire()
        client = "c" if state is None else f"n{state.replica_id}"
        self.conversation = Conversation(client, "n1", self.watched, self.wire)
        self.min_bytes = 1
        self.forgotten: list[int] = []
        """Partitions that the next request drops."""
        self._asked = self._answered = 0
        self._epoch = 0

    def publish(self) -> None:
        topic = TopicImage("t", TOPIC_ID, tuple(self.views))
        self.metadata.image = replace(
            MetadataImage(), topics={"t": topic}, topic_names={TOPIC_ID: "t"}
        )

    def throttle(self) -> None:
        """An administrator throttles all replicas of the topic."""
        image = self.metadata.image
        settings = {
            ConfigResource(TOPIC_RESOURCE, "t"): {"leader.replication.throttled.replicas": "*"},
            ConfigResource(BROKER_RESOURCE, CLUSTER_DEFAULT): {
                "leader.replication.throttled.rate": "50"
            },
        }
        self.metadata.image = replace(image, configs=settings)

    def _high_watermark(self, host: str, key: Key) -> int:
        assert host == "n1"
        return self.high_watermark

    def ask(self, **offsets: int) -> None:
        """Name partitions: `p0=1` wants partition 0 from offset 1 on."""
        wanted = [
            FetchPartition(partition=int(name[1:]), fetch_offset=offset, current_leader_epoch=3)
            for name, offset in offsets.items()
        ]
        request = FetchRequest(
            min_bytes=self.min_bytes,
            session_id=5 if self._epoch else 0,
            session_epoch=self._epoch,
            topics=[FetchTopic(topic_id=TOPIC_ID, partitions=wanted)] if wanted else [],
            forgotten_topics_data=[ForgottenTopic(topic_id=TOPIC_ID, partitions=self.forgotten)]
            if self.forgotten
            else [],
            replica_state=self.state or ReplicaState(),
        )
        self.forgotten = []
        self._epoch += 1
        self._asked += 1
        self.conversation.asks(joined(codec.encode_request(request, 17, self._asked, "c")))

    def answer(self, *served: int, error: int = 0, parts: tuple[PartitionData, ...] = ()) -> None:
        """The broker gives a batch of each partition in `served`."""
        given = [
            PartitionData(partition_index=index, high_watermark=2, records=batch(0))
            for index in served
        ]
        topic = FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[*given, *parts])
        response = FetchResponse(
            session_id=5, error_code=error, responses=[topic] if given or parts else []
        )
        self._answered += 1
        self.conversation.answers(joined(codec.encode_response(response, 17, self._answered)))

    def restart(self) -> None:
        """The next request is a full one."""
        self._epoch = 0

    def exchange(self, *served: int, **offsets: int) -> None:
        self.ask(**offsets)
        self.answer(*served)


def test_a_broker_that_answers_with_nothing_though_there_are_records() -> None:
    talk = Talk(2)
    talk.exchange(0, p0=0, p1=0)
    talk.exchange(p0=2)
    assert talk.told.names == [], "the records may have come just before"
    talk.exchange()
    assert talk.told.names == ["fetch-waits"]


def test_a_partition_that_is_passed_over_again_and_again() -> None:
    talk = Talk(2)
    talk.exchange(0, p0=0, p1=0)
    for _ in range(4):
        talk.exchange(0)
    assert talk.told.names == []
    talk.exchange(0)
    assert talk.told.names == ["partition-passed-over"]


def test_turns_are_right_however_many_partitions_there_are() -> None:
    talk = Talk(7)
    talk.exchange(0, **{f"p{index}": 0 for index in range(7)})
    for turn in range(40):
        talk.exchange(turn % 7)
    assert talk.told.names == []
    assert talk.checker.looks.checks == 41


def test_a_fetcher_without_a_session_takes_turns_itself() -> None:
    talk = Talk(3)
    for _ in range(5):
        talk.exchange(0, p0=0, p1=0, p2=0)
        talk.restart()
    assert talk.told.names == []
    talk.exchange(0, p0=0, p1=0, p2=0)
    talk.restart()
    talk.exchange(0, p0=0, p1=0, p2=0)
    assert set(talk.told.names) == {"partition-passed-over"}


def test_a_follower_may_read_to_the_end_of_the_log_and_a_consumer_to_the_high_watermark() -> None:
    for state, names in ((FOLLOWER, ["fetch-waits"]), (None, [])):
        talk = Talk(1, state=state)
        talk.high_watermark = 1
        talk.exchange(0, p0=0)
        for _ in range(3):
            talk.exchange(p0=1)
        assert talk.told.names == names


@pytest.mark.parametrize(
    "part",
    [
        PartitionData(partition_index=1, error_code=6),
        PartitionData(partition_index=1, preferred_read_replica=2),
        PartitionData(partition_index=1, diverging_epoch=EpochEndOffset(epoch=2, end_offset=0)),
    ],
    ids=["error", "another replica", "diverging"],
)
def test_who_is_told_to_go_on_otherwise_is_not_passed_over(part: PartitionData) -> None:
    talk = Talk(2)
    talk.exchange(0, p0=2, p1=0)
    for _ in range(4):
        talk.ask()
        talk.answer(parts=(part,))
    assert talk.told.names == []


@pytest.mark.parametrize(
    ("throttled", "in_sync", "names"),
    [
        (True, True, ["fetch-waits"]),
        (True, False, []),
        (False, True, ["fetch-waits"]),
        (False, False, ["fetch-waits"]),
    ],
)
def test_a_throttle_holds_back_what_is_not_in_sync_alone(
    throttled: bool, in_sync: bool, names: list[str]
) -> None:
    talk = Talk(1, state=FOLLOWER)
    talk.views = [replace(LED, isr=(1, 2) if in_sync else (1,))]
    talk.publish()
    if throttled:
        talk.throttle()
    talk.exchange(p0=0)
    for _ in range(2):
        talk.exchange()
    assert talk.told.names == names


def test_what_has_changed_just_now_may_be_unknown_to_the_leader() -> None:
    async def main() -> None:
        for change in ("joined", "lifted", "limited"):
            talk = Talk(1, state=None if change == "limited" else FOLLOWER)
            before = talk.metadata.image
            after = replace(before, client_quotas={(): {"consumer_byte_rate": 1.0}})
            if change == "joined":
                talk.throttle()
                for told in talk.metadata.on_change:
                    told(("t", 0), replace(LED, isr=(1,)), LED)
            elif change == "lifted":
                talk.views = [replace(LED, isr=(1,))]
                talk.publish()
                lifted = talk.metadata.image
                talk.throttle()
                for each in talk.metadata.on_image:
                    each(talk.metadata.image, lifted, MetadataDelta(lifted))
                talk.metadata.image = lifted
            else:
                for each in talk.metadata.on_image:
                    each(after, before, MetadataDelta(before))
            talk.exchange(p0=0)
            for _ in range(3):
                talk.exchange()
            assert talk.told.names == [], change
            await trio.sleep(20)
            for _ in range(3):
                talk.exchange()
            assert set(talk.told.names) == {"fetch-waits"}, change

    run(main, seed=1)


def test_what_is_not_wanted_any_more_or_led_elsewhere_is_not_missed() -> None:
    for change in ("forget", "lead elsewhere", "another epoch", "session over"):
        talk = Talk(2)
        talk.exchange(0, p0=2, p1=0)
        if change == "forget":
            talk.forgotten = [1]
            talk.exchange()
        elif change == "session over":
            talk.ask()
            talk.answer(error=70)
        else:
            epoch, leader = (3, 2) if change == "lead elsewhere" else (4, 1)
            talk.views[1] = replace(LED, leader=leader, leader_epoch=epoch)
            talk.publish()
        for _ in range(4):
            talk.exchange()
        assert talk.told.names == [], change


def test_a_fetch_that_asks_for_more_may_wait_for_it() -> None:
    talk = Talk(1)
    talk.min_bytes = 1000
    talk.exchange(p0=0)
    for _ in range(4):
        talk.exchange()
    assert talk.told.names == []


class TestLooks:
    """The checker checks waiting fetches every two seconds."""

    def looks(self, *moments: float, prepare: str = "") -> list[str]:
        """Check at these times; before the last one, something else may happen."""
        talk = Talk(1)
        talk.exchange(p0=2)

        async def main() -> None:
            import trio

            talk.ask(p0=0)
            for moment in moments:
                await trio.sleep_until(moment)
                if moment == moments[-1]:
                    self.happen(prepare, talk)
                talk.checker.look()

        run(main, 1)
        return talk.told.names

    def happen(self, what: str, talk: Talk) -> None:
        if what == "answer":
            talk.answer(0)
        elif what == "close":
            talk.wire.is_open = False
        elif what == "delay":
            talk.wire.all_arrived = False
        elif what == "pause":
            talk.runs_since = float("inf")
        elif what == "resume":
            talk.runs_since = 3.9

    def test_a_fetch_that_is_held_though_there_are_records(self) -> None:
        assert self.looks(2, 4) == ["fetch-waits"]

    def test_one_look_is_not_enough(self) -> None:
        assert self.looks(2) == []
        assert self.looks(2, 2.5) == []

    @pytest.mark.parametrize("what", ["answer", "close", "delay", "pause", "resume"])
    def test_what_excuses_a_broker(self, what: str) -> None:
        assert self.looks(2, 4, prepare=what) == []
