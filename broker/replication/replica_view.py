"""The state that every replica has: its view of the partition, log end offset and high watermark.

The rules here hold for followers and leaders, or only for followers;
broker/replication/partition.py adds the leader's.
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
        """The controller's decisions about the partition."""
        self.is_leader = False
        self._rules_off = rules_off

    def _is_stale(self, view: PartitionImage) -> bool:
        """Whether a newer view is known already."""
        return (view.leader_epoch, view.partition_epoch) < (
            self.view.leader_epoch,
            self.view.partition_epoch,
        )

    def _is_same(self, view: PartitionImage) -> bool:
        return (view.leader_epoch, view.partition_epoch) == (
            self.view.leader_epoch,
            self.view.partition_epoch,
        )

    @property
    def outcome_of_waiting(self) -> ErrorCode:
        """What producers are answered that wait for records when their leader is replaced: whether
        its successor has them is not known here."""
        if Rule.WAITERS_END_WITH_THEIR_LEADER in self._rules_off:
            return ErrorCode.NONE
        return ErrorCode.NOT_LEADER_OR_FOLLOWER

    # ---- fencing

    def check_leader_epoch(self, asked_epoch: int) -> None:
        """Refuse requests with another leader epoch than the replica's (KIP-320); NO_EPOCH skips
        the check.

        Raises KafkaError: FENCED_LEADER_EPOCH if the client's epoch is older, UNKNOWN_LEADER_EPOCH
        if it is newer.
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
        """Check the leader epoch; also raise NOT_LEADER_OR_FOLLOWER unless this replica leads."""
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
        """A follower stored records from the leader, along with the leader's high watermark."""
        self.log_end_offset = log_end_offset
        return self._learn_high_watermark(leader_high_watermark)

    def diverged(self, leader_high_watermark: int) -> bool:
        """The leader answered that the logs diverge; return whether to truncate now.

        Its high watermark must be ignored until then, since records of this log below it may differ
        from the leader's.
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
        """The follower's log was truncated to that offset, or restarted there."""
        self.log_end_offset = log_end_offset
        self.high_watermark = min(self.high_watermark, log_end_offset)

    def restarted_at(self, offset: int) -> None:
        """The follower's log was emptied and restarted at the leader's log start offset."""
        self.log_end_offset = offset
        self.high_watermark = offset
