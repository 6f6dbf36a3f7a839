"""The rules of one replicated partition: leader epochs, in-sync replicas, the high watermark.

Pure: its caller reports events (a role from the controller's metadata, an append, a follower's
fetch, the controller's answer to a proposal) with the time, and then applies the resulting state to
the log, the waiting requests and the controller.

Two rules are the basis of all others.
- A record counts as committed when every replica that the controller could elect holds it. The
  leader counts over the *maximal* ISR: the committed ISR together with every replica that a
  proposal, still without an answer, may have let in.
- The high watermark never decreases while a replica leads; a follower's only decreases when its log
  is truncated.

Sources: KIP-16 (time decides the ISR), KIP-101/279 (leader epochs), KIP-320 (fencing of fetches),
KIP-497 (AlterPartition), KIP-841/903 (fenced and restarted replicas stay out of the ISR), KIP-966
(the high watermark waits for min.insync.replicas).
"""

from __future__ import annotations

from collections.abc import Callable

from raftka.broker.replication.follower_progress import NEVER, FollowerProgress
from raftka.broker.replication.replica_view import ReplicaView
from raftka.kraft.image import PartitionImage
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_OFFSET, TopicPartition
from raftka.model.rules import ALL_HOLD, Rule, RulesOff

IsrEligibility = Callable[[int, int], bool]
"""(broker id, its epoch or NO_EPOCH) -> registered under that epoch, unfenced, not leaving."""


@dataclass(frozen=True, slots=True)
class IsrProposal:
    """A change of the ISR that the leader proposes to the controller (AlterPartition)."""

    isr: tuple[tuple[int, int], ...]
    """(broker id, its broker epoch at its last fetch; NO_EPOCH if it has not fetched yet)."""
    leader_epoch: int
    partition_epoch: int

    @property
    def members(self) -> tuple[int, ...]:
        """The ids of the proposed ISR, without their epochs."""
        return tuple(broker_id for broker_id, _ in self.isr)


class PartitionState(ReplicaView):
    """One replica's view of its partition, as leader or as follower.

    Offsets are those of records, times monotonic seconds. Methods that can move the high
    watermark return whether they did.
    """

    __slots__ = (
        "_eligible",
        "_followers",
        "_lag_max_s",
        "_local_broker_epoch",
        "leader_epoch_start_offset",
        "maximal_isr",
        "min_isr",
        "pending",
    )

    def __init__(
        self,
        topic_partition: TopicPartition,
        local_id: int,
        *,
        high_watermark: int,
        log_end_offset: int,
        min_isr: int,
        lag_max_s: float,
        eligible: IsrEligibility,
        local_broker_epoch: Callable[[], int],
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        super().__init__(
            topic_partition,
            local_id,
            high_watermark=high_watermark,
            log_end_offset=log_end_offset,
            rules_off=rules_off,
        )
        self.min_isr = min_isr
        """The topic's min.insync.replicas."""
        self.leader_epoch_start_offset: int = NO_OFFSET
        self.maximal_isr: tuple[int, ...] = ()
        self.pending: IsrProposal | None = None
        """The proposal that the controller has not answered."""
        self._followers: tuple[FollowerProgress, ...] = ()
        self._lag_max_s = lag_max_s
        self._eligible = eligible
        self._local_broker_epoch = local_broker_epoch

    # ---- roles

    def become_leader(self, view: PartitionImage, log_end_offset: int, now_s: float) -> bool:
        """Lead with `view`; called again for each change of the assignment or the ISR.

        A view that is not newer changes nothing: the answer to AlterPartition may have overtaken
        the metadata log, and the next proposal may be in flight already.
        """
        if self._is_stale(view) or (self.is_leader and self._is_same(view)):
            return False
        new_epoch = view.leader_epoch != self.view.leader_epoch or not self.is_leader
        self.view = view
        self.is_leader = True
        self.pending = None
        self.maximal_isr = view.isr
        self.log_end_offset = log_end_offset
        if new_epoch:
            self.leader_epoch_start_offset = log_end_offset
            self._forget_progress()
        known = {follower.replica_id: follower for follower in self._followers}
        self._followers = tuple(
            known.get(replica) or FollowerProgress(replica, now_s if replica in view.isr else NEVER)
            for replica in view.replicas
            if replica != self.local_id
        )
        return self._advance_high_watermark(now_s)

    def become_follower(self, view: PartitionImage) -> bool:
        """Follow the leader in `view`, if any; return whether the leader or epoch is new."""
        if self._is_stale(view):
            return False
        changed = self.is_leader or view.leader_epoch != self.view.leader_epoch
        self.view = view
        self.is_leader = False
        self.pending = None
        self.maximal_isr = ()
        self.leader_epoch_start_offset = NO_OFFSET
        self._forget_progress()
        return changed

    def _forget_progress(self) -> None:
        """Reset the followers' progress: they may truncate while another replica leads."""
        if Rule.PROGRESS_IS_OF_THIS_EPOCH not in self._rules_off:
            self._followers = ()

    def retire(self) -> None:
        """This broker no longer has the replica; later requests are refused."""
        self.is_leader = False
        self.pending = None
        self.maximal_isr = ()
        self._followers = ()

    # ---- the leader's log

    @property
    def effective_min_isr(self) -> int:
        """min.insync.replicas, or the number of replicas if that is smaller."""
        return min(self.min_isr, len(self.view.replicas))

    def check_enough_replicas(self) -> None:
        """Refuse an append with acks=all that cannot be acknowledged.

        Raises KafkaError NOT_ENOUGH_REPLICAS. Counts the committed ISR, not the maximal one: a
        replica that may not join does not make an append safe.
        """
        in_sync = len(self.view.isr)
        if in_sync < self.min_isr and in_sync < self.effective_min_isr:
            raise KafkaError(
                ErrorCode.NOT_ENOUGH_REPLICAS,
                f"{self.topic_partition} has in-sync replicas {list(self.view.isr)}, "
                f"fewer than min.insync.replicas={self.effective_min_isr}",
            )

    def leader_appended(self, log_end_offset: int, now_s: float) -> bool:
        """The leader's log has grown to `log_end_offset`."""
        previous = self.log_end_offset
        self.log_end_offset = log_end_offset
        for follower in self._followers:
            if follower.log_end_offset == previous:
                follower.fell_behind()
        return self._advance_high_watermark(now_s)

    def acknowledgement(self, required_offset: int) -> ErrorCode | None:
        """The answer to a producer with acks=all for records before `required_offset`.

        None while it must wait. NOT_ENOUGH_REPLICAS_AFTER_APPEND if they are committed, but the ISR
        has shrunk below min.insync.replicas meanwhile.
        """
        if self.high_watermark < required_offset:
            return None
        in_sync = len(self.maximal_isr)
        if in_sync < self.min_isr and in_sync < self.effective_min_isr:
            return ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
        return ErrorCode.NONE

    # ---- followers

    def follower(self, replica_id: int) -> FollowerProgress:
        """The progress of one follower; raises KafkaError if it is not among the replicas."""
        for follower in self._followers:
            if follower.replica_id == replica_id:
                return follower
        raise KafkaError(
            ErrorCode.NOT_LEADER_OR_FOLLOWER,
            f"broker {replica_id} is not among the replicas {list(self.view.replicas)} of "
            f"{self.topic_partition} in partition epoch {self.view.partition_epoch}",
        )

    @property
    def followers(self) -> tuple[FollowerProgress, ...]:
        """All other replicas while this one leads, in order of the assignment."""
        return self._followers

    def follower_fetched(
        self,
        follower: FollowerProgress,
        fetch_offset: int,
        start_offset: int,
        broker_epoch: int,
        now_s: float,
    ) -> bool:
        """A follower fetched from `fetch_offset`; its epochs have been checked.

        Raises KafkaError NOT_LEADER_OR_FOLLOWER for a fetch of an earlier incarnation of the
        follower (KIP-903): its log may have been lost since.
        """
        if broker_epoch < follower.broker_epoch and broker_epoch != NO_EPOCH:
            raise KafkaError(
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
                f"broker {follower.replica_id} has epoch {follower.broker_epoch} by now, "
                f"this fetch was sent in {broker_epoch}",
            )
        moved = fetch_offset != follower.log_end_offset
        follower.fetched(fetch_offset, start_offset, broker_epoch, self.log_end_offset, now_s)
        return moved and self._advance_high_watermark(now_s)

    # ---- the high watermark

    def _advance_high_watermark(self, now_s: float) -> bool:
        """Raise it to the smallest log end offset of all replicas that are, or will soon be, in
        sync.

        That includes caught-up replicas outside of the ISR: otherwise a busy partition's high
        watermark would outrun them until the controller lets them in.
        """
        view = self.view
        if len(view.isr) < min(self.min_isr, len(view.replicas)):
            return False
        end = reached = self.log_end_offset
        maximal = self.maximal_isr
        for follower in self._followers:
            offset = follower.log_end_offset
            if offset < reached and (
                follower.replica_id in maximal
                or (follower.is_caught_up(end, now_s, self._lag_max_s) and self._may_join(follower))
            ):
                reached = offset
        if reached <= self.high_watermark:
            return False
        self.high_watermark = reached
        return True

    def min_isr_changed(self, min_isr: int, now_s: float) -> bool:
        """The topic has another min.insync.replicas."""
        self.min_isr = min_isr
        return self.is_leader and self._advance_high_watermark(now_s)

    # ---- the ISR

    def expansion(self, follower: FollowerProgress) -> IsrProposal | None:
        """Propose to add a follower to the ISR, once it has all committed records.

        It must have reached the high watermark, and the start of this leader's epoch: a new
        leader's high watermark may lag behind what its predecessor has acknowledged.
        """
        if self.pending is not None or follower.replica_id in self.view.isr:
            return None
        offset = follower.log_end_offset
        if offset < self.high_watermark:
            return None
        awaits_start = Rule.EPOCH_START_BEFORE_ISR not in self._rules_off
        if awaits_start and offset < self.leader_epoch_start_offset:
            return None
        if not self._may_join(follower):
            return None
        return self._propose((*self.view.isr, follower.replica_id))

    def _may_join(self, follower: FollowerProgress) -> bool:
        if Rule.PROPOSE_NO_FENCED_REPLICA in self._rules_off:
            return True
        return self._eligible(follower.replica_id, follower.broker_epoch)

    def is_eligible(self, replica_id: int) -> bool:
        """Whether a replica's broker is alive, even if it has not fetched from this leader."""
        return self._eligible(replica_id, NO_EPOCH)

    def shrinking(self, now_s: float) -> IsrProposal | None:
        """Propose to drop the followers that have been behind for too long (KIP-16)."""
        if self.pending is not None or not self.is_leader:
            return None
        lagging = self.lagging(now_s)
        if not lagging:
            return None
        return self._propose(tuple(id_ for id_ in self.view.isr if id_ not in lagging))

    def without(self, silent_id: int) -> IsrProposal | None:
        """Propose to drop a follower that has gone silent while it lacks records.

        None if it lacks no records, since no record waits for it then, or if fewer members than
        min.insync.replicas would remain, since that would not help.
        """
        isr = self.view.isr
        if self.pending is not None or not self.is_leader or silent_id not in isr:
            return None
        follower = self.follower(silent_id)
        if follower.log_end_offset in (NO_OFFSET, self.log_end_offset):
            return None  # It has not fetched from this leader yet, or has everything.
        if len(isr) - 1 < self.effective_min_isr:
            return None
        follower.went_silent()
        return self._propose(tuple(id_ for id_ in isr if id_ != silent_id))

    def lagging(self, now_s: float) -> tuple[int, ...]:
        """Members of the ISR that no longer qualify."""
        isr = self.view.isr
        return tuple(
            follower.replica_id
            for follower in self._followers
            if follower.replica_id in isr
            and not follower.is_caught_up(self.log_end_offset, now_s, self._lag_max_s)
        )

    def _propose(self, members: tuple[int, ...]) -> IsrProposal:
        proposal = IsrProposal(
            isr=tuple((member, self._broker_epoch(member)) for member in members),
            leader_epoch=self.view.leader_epoch,
            partition_epoch=self.view.partition_epoch,
        )
        self.pending = proposal
        joining = (member for member in members if member not in self.view.isr)
        self.maximal_isr = (*self.view.isr, *joining)
        if Rule.COUNT_THE_MAXIMAL_ISR in self._rules_off:
            self.maximal_isr = members
        return proposal

    def _broker_epoch(self, member: int) -> int:
        if Rule.BROKER_EPOCHS_IN_ALTER_PARTITION in self._rules_off:
            return NO_EPOCH
        if member == self.local_id:
            return self._local_broker_epoch()
        return self.follower(member).broker_epoch

    def proposal_accepted(self, proposal: IsrProposal, view: PartitionImage, now_s: float) -> bool:
        """The controller has committed `view` in answer to the proposal."""
        if self.pending is not proposal or view.leader_epoch != self.view.leader_epoch:
            return False
        if view.partition_epoch <= self.view.partition_epoch:
            return False
        return self.become_leader(view, self.log_end_offset, now_s)

    def proposal_refused(self, proposal: IsrProposal, code: ErrorCode) -> bool:
        """The controller refused the proposal; return whether to resend it.

        Some refusals mean that this leader's metadata is stale: it keeps the proposal pending until
        newer metadata arrives, because the proposal may have been committed.
        """
        if self.pending is not proposal:
            return False
        if code in _REFUSED_FOR_GOOD:
            self.pending = None
            self.maximal_isr = self.view.isr
            return False
        return code not in _AWAIT_METADATA


_REFUSED_FOR_GOOD = frozenset({ErrorCode.OPERATION_NOT_ATTEMPTED, ErrorCode.INELIGIBLE_REPLICA})

_AWAIT_METADATA = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.INVALID_UPDATE_VERSION,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.NEW_LEADER_ELECTED,
    }
)
