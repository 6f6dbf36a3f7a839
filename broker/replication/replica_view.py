"""What every replica knows: its view of the partition, and where its log and the truth end.

The rules here hold for followers and leaders alike, or for followers only; what a leader adds is
in broker/replication/partition.py.
"""

from __future__ import annotations

from typing import Final

from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER, NO_EPOCH, TopicPartition
from raftka.model.rules import ALL_HOLD, Rule, RulesOff

NO_VIEW: Final = PartitionImage(
    replicas=(), isr=(), leader=NO_BROKER, leader_epoch=NO_EPOCH, partition_epoch=NO_EPOCH
)


class ReplicaView:
    """One replica's view of its partition. Offsets are those of records."""

    __slots__ = (
        "_rules_off",
        "high_watermark",
        "is_leader",
        "local_id",
        "log_end_offset",
        "topic_partition",
        "view",
    )

    def __init__(
        self,
        topic_partition: TopicPartition,
        local_id: int,
        *,
        high_watermark: int,
        log_end_offset: int,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        self.topic_partition = topic_partition
        self.local_id = local_id
        self.high_watermark = min(high_watermark, log_end_offset)
        self.log_end_offset = log_end_offset
        self.view = NO_VIEW
        """What the controller has decided about the partition."""
        self.is_leader = False
        self._rules_off = rules_off

    def _is_stale(self, view: PartitionImage) -> bool:
        """Whether something newer is known already."""
        return (view.leader_epoch, view.partition_epoch) < (
            self.view.leader_epoch,
            self.view.partition_epoch,
        )

    def _is_same(self, view: PartitionImage) -> bool:
        return (view.leader_epoch, view.partition_epoch) == (
            self.view.leader_epoch,
            self.view.partition_epoch,
        )

    # ---- fencing

    def check_leader_epoch(self, asked_epoch: int) -> None:
        """Fence requests of other leader epochs than ours (KIP-320); NO_EPOCH asks for no check.

        Raises KafkaError: FENCED_LEADER_EPOCH when the asker is behind, UNKNOWN_LEADER_EPOCH when
        it is ahead and this broker does not know that epoch yet.
        """
        own = self.view.leader_epoch
        if asked_epoch in (own, NO_EPOCH):
            return
        if asked_epoch < own:
            raise KafkaError(
                ErrorCode.FENCED_LEADER_EPOCH,
                f"{self.topic_partition} is in leader epoch {own}, no longer {asked_epoch}",
            )
        raise KafkaError(
            ErrorCode.UNKNOWN_LEADER_EPOCH,
            f"{self.topic_partition} is in leader epoch {own} here, {asked_epoch} is not known yet",
        )

    def check_leader(self, asked_epoch: int = NO_EPOCH) -> None:
        """As check_leader_epoch, and NOT_LEADER_OR_FOLLOWER unless this replica leads."""
        self.check_leader_epoch(asked_epoch)
        if not self.is_leader:
            raise KafkaError(
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
                f"broker {self.view.leader} leads {self.topic_partition}, not {self.local_id}"
                if self.view.leader != NO_BROKER
                else f"{self.topic_partition} has no leader at present",
            )

    # ---- the follower's log

    def follower_appended(self, log_end_offset: int, leader_high_watermark: int) -> bool:
        """A follower stored what the leader sent, along with the leader's high watermark."""
        self.log_end_offset = log_end_offset
        return self._learn_high_watermark(leader_high_watermark)

    def diverged(self, leader_high_watermark: int) -> bool:
        """The leader answered that our log diverges from its own; whether to truncate now.

        What it says of its high watermark must not be believed before that, since offsets below it
        may still name records that the leader does not have.
        """
        if Rule.TRUNCATE_BEFORE_HIGH_WATERMARK not in self._rules_off:
            return True
        return not self._learn_high_watermark(leader_high_watermark)

    def _learn_high_watermark(self, leader_high_watermark: int) -> bool:
        reached = min(leader_high_watermark, self.log_end_offset)
        if reached <= self.high_watermark:
            return False
        self.high_watermark = reached
        return True

    def truncated(self, log_end_offset: int) -> None:
        """The follower's log was cut (or, after it was left far behind, restarted) there."""
        self.log_end_offset = log_end_offset
        self.high_watermark = min(self.high_watermark, log_end_offset)

    def restarted_at(self, offset: int) -> None:
        """The follower's log was emptied and begins again at the leader's log start offset."""
        self.log_end_offset = offset
        self.high_watermark = offset
