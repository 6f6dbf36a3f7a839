"""One shard of __share_group_state, in a world where time is a number."""

from __future__ import annotations

from raftka.broker.coordinators.outbox import Record
from raftka.broker.coordinators.share.config import ShareStateConfig
from raftka.broker.coordinators.share.shard import ShareStateShard
from raftka.broker.coordinators.share.state import Change
from raftka.broker.coordinators.timers import Moment
from raftka.broker.share.batches import Delivery, StateBatch
from raftka.broker.share.key import SharePartitionKey
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage, PartitionImage, TopicImage
from raftka.kraft.records import RemoveTopicRecord
from raftka.model.ids import NO_OFFSET
from raftka.model.rules import ALL_HOLD, RulesOff

TOPIC_ID = bytes(15) + b"\x07"
KEY = SharePartitionKey("workers", TOPIC_ID, 0)
_ALONE = PartitionImage(replicas=(1,), isr=(1,), leader=1)
IMAGE = MetadataImage(
    topics={"t": TopicImage("t", TOPIC_ID, [_ALONE] * 3)}, topic_names={TOPIC_ID: "t"}
)


def acknowledged(first: int, last: int) -> StateBatch:
    return StateBatch(first, last, Delivery.ACKNOWLEDGED, 1)


class StateWorld:
    """A shard, and its records."""

    def __init__(self, rules_off: RulesOff = ALL_HOLD, **settings: int) -> None:
        self.config = ShareStateConfig(**settings)
        self.now = Moment(1000.0, 1_700_000_000_000)
        self.log: list[Record] = []
        self.shard = ShareStateShard(self.config, rules_off)
        self.shard.metadata_changed(IMAGE, None, self.now)

    def write(
        self,
        *batches: StateBatch,
        start: int = NO_OFFSET,
        leader_epoch: int = 0,
        state_epoch: int = 0,
        complete: int = -1,
    ) -> None:
        change = Change(leader_epoch, start, complete, batches)
        self.shard.write(KEY, state_epoch, change, self.now)

    def written(self) -> list[Record]:
        """The records since the last call; they are in the log from now on."""
        found = [record for batch in self.shard.outbox.take() for record in batch.records]
        self.log += found
        return found

    def reloaded(self) -> ShareStateShard:
        """The state that another coordinator reads from the log."""
        self.written()
        shard = ShareStateShard(self.config)
        shard.metadata_changed(IMAGE, None, self.now)
        for key, value in self.log:
            shard.replay(key, value)
        shard.loaded(self.now)
        return shard

    def drop_topic(self) -> None:
        self.shard.metadata_changed(MetadataImage(), _deleted(IMAGE), self.now)


def _deleted(image: MetadataImage) -> MetadataDelta:
    delta = MetadataDelta(image)
    delta.replay_all([RemoveTopicRecord(TOPIC_ID)], 1)
    return delta
