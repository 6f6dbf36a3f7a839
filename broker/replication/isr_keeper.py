"""The ISRs of the partitions that this broker leads: which replicas should leave or join."""

from __future__ import annotations

from typing import Protocol

from raftka.broker.replication.partition import IsrProposal
from raftka.broker.replication.replica import Replica
from raftka.broker.replication.replica_index import ReplicaIndex
from raftka.broker.replication.silence import Silence
from raftka.model import timers
from raftka.model.ids import NO_EPOCH
from raftka.model.logs import get_logger

log = get_logger(__name__)


class Proposals(Protocol):
    """Sends ISR changes to the controller (broker/replication/alter_partition.py)."""

    def submit(self, replica: Replica, proposal: IsrProposal) -> None: ...


class IsrKeeper:
    """Proposes changes of ISRs as followers lag, catch up, come and go."""

    def __init__(self, replicas: ReplicaIndex, lag_max_s: float, silence_s: float = 0.0) -> None:
        """`silence_s` is raftka.replica.silence.max.ms; 0 disables that check."""
        self.lag_max_s = lag_max_s
        """replica.lag.time.max.ms"""
        self.silence = Silence(min(silence_s, lag_max_s), lag_max_s)
        self.proposals: Proposals | None = None
        self._replicas = replicas

    def propose(self, replica: Replica, proposal: IsrProposal) -> None:
        """Propose another ISR to the controller."""
        if self.proposals is not None:
            self.proposals.submit(replica, proposal)

    def shrink_isrs(self, now_s: float) -> None:
        """Propose to drop lagging followers; called every half of replica.lag.time.max.ms.

        Also retry expansions that the controller has refused, as it does while it knows another
        incarnation of the follower than this leader: in an idle partition nothing else would retry.
        """
        for replica in self._replicas:
            self.let_in(replica, now_s)
            proposal = replica.state.shrinking(now_s)
            if proposal is not None:
                timers.fired("replica-lag", str(replica.topic_partition))
                state = replica.state
                lagging = [i for i in state.view.isr if i not in proposal.members]
                log.info(
                    f"{replica.topic_partition}: brokers {lagging} have been behind for more than"
                    f" {self.lag_max_s:g} s; shrinking the ISR to {list(proposal.members)}",
                    log_end_offset=state.log_end_offset,
                    high_watermark=state.high_watermark,
                    leader_epoch=state.view.leader_epoch,
                )
                self.propose(replica, proposal)

    def drop_silent(self, now_s: float) -> None:
        """Propose to drop followers whose brokers have stopped fetching."""
        for broker_id, silent_s in self.silence.look(now_s):
            for replica in self.silence.links[broker_id].replicas():
                proposal = replica.state.without(broker_id)
                if proposal is None:
                    continue
                timers.fired("replica-silence", str(replica.topic_partition))
                log.warning(
                    f"{replica.topic_partition}: broker {broker_id} has not fetched for"
                    f" {silent_s:.1f} s although records wait for it and its connection is open;"
                    f" shrinking the ISR to {list(proposal.members)}"
                    " (raftka.replica.silence.max.ms)",
                    log_end_offset=replica.state.log_end_offset,
                    high_watermark=replica.state.high_watermark,
                    leader_epoch=replica.state.view.leader_epoch,
                )
                self.propose(replica, proposal)
                self.silence.dropped(broker_id)

    def may_join_isr(self, broker_id: int, broker_epoch: int) -> bool:
        """Whether the controller would accept that incarnation of that broker into an ISR."""
        broker = self._replicas.image.brokers.get(broker_id)
        if broker is None or not broker.is_active:
            return False
        return broker_epoch in (NO_EPOCH, broker.epoch)

    def let_in(self, replica: Replica, now_s: float) -> None:
        """Propose a follower that could not join the ISR at its last fetch, but may now.

        Its broker was fenced then, or another proposal was pending. Its next fetch may not show it:
        a session does not name unchanged partitions. A lagging follower is left out: it would leave
        and join by turns, and stall the high watermark.
        """
        state = replica.state
        if state.is_leader and len(state.view.isr) < len(state.view.replicas):
            for follower in state.followers:
                if not follower.is_caught_up(state.log_end_offset, now_s, self.lag_max_s):
                    continue
                proposal = state.expansion(follower)
                if proposal is not None:
                    self.propose(replica, proposal)
                    return
