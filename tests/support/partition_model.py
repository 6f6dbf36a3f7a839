"""One partition on three brokers, a controller and a lossy network, driven by dice.

The rules under test are the real ones (Replica, FetchReader, Following, PartitionState); the log is
a list, the controller the few lines of KIP-497 and KIP-966 that an election needs, and the network
a list of messages that are delivered in any order or never. After each step the guarantees of
replication are checked: acknowledged records stay, and records that a consumer may have read never
change.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

from raftka.broker.replication.fetch_reader import Fetched, FetchLimits, FetchReader
from raftka.broker.replication.fetch_session import Feed
from raftka.broker.replication.following import Following
from raftka.broker.replication.partition import IsrProposal, PartitionState
from raftka.broker.replication.replica import Replica
from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.rules import Rule, RulesOff
from raftka.net.protocol.messages.fetch import EpochEndOffset, PartitionData
from raftka.storage.config import LogConfig
from raftka.storage.open_transactions import OpenTransactions

TOPIC = TopicPartition("orders", 0)
TOPIC_ID = bytes(15) + b"\x07"
BROKERS = (1, 2, 3)
LAG_S = 8.0


class Violation(AssertionError):
    """A guarantee was violated."""


class Entry(NamedTuple):
    epoch: int
    value: int


class _Slice(NamedTuple):
    pieces: list[Any]
    size: int
    available: int


class ListLog:
    """A log as a list of records, one per batch."""

    log_start_offset = 0
    counts_for_flush = False
    config = LogConfig()
    transactions = OpenTransactions()

    def __init__(self) -> None:
        self.records: list[Entry] = []
        self.epochs: list[tuple[int, int]] = []
        """(epoch, start offset), as storage/leader_epochs.py keeps them."""
        self.checked = 0
        """Records that are known to be committed."""

    @property
    def log_end_offset(self) -> int:
        return len(self.records)

    @property
    def latest_epoch(self) -> int:
        return self.epochs[-1][0] if self.epochs else -1

    def assign_epoch(self, epoch: int, start: int) -> None:
        if epoch != self.latest_epoch:
            self.epochs = [each for each in self.epochs if each[0] < epoch and each[1] < start]
            self.epochs.append((epoch, start))

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        if epoch < 0 or epoch > self.latest_epoch:
            return -1, -1
        ends = [start for _, start in self.epochs[1:]] + [self.log_end_offset]
        known = [(e, end) for (e, _), end in zip(self.epochs, ends, strict=True) if e <= epoch]
        return known[-1] if known else (epoch, self.epochs[0][1])

    def read(self, offset: int, max_bytes: int, upper: int, *, min_one: bool) -> _Slice:
        found = tuple(self.records[offset : min(upper, offset + 3)])
        return _Slice([found], len(found), min(upper, len(self.records)) - offset)

    def append_as_follower(self, records: tuple[Entry, ...], now_ms: int) -> None:
        for entry in records:
            self.assign_epoch(entry.epoch, self.log_end_offset)
            self.records.append(entry)

    def truncate_to(self, offset: int) -> None:
        del self.records[offset:]
        self.checked = min(self.checked, offset)
        self.epochs = [each for each in self.epochs if each[1] < offset]

    def truncate_fully_and_start_at(self, offset: int, now_ms: int) -> None:
        raise AssertionError("no log is left behind in this model")


class _Replicas:
    """A FetchReader's interface to the replica manager."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def find(self, key: object) -> Replica:
        return self._broker.replica

    def check_serving(self, replica: Replica, now_s: float) -> None: ...

    def leader_hint(self, key: object, code: int) -> None:
        return None

    def propose(self, replica: Replica, proposal: IsrProposal) -> None:
        self._broker.ask(proposal)


@dataclass
class Controller:
    view: PartitionImage
    epochs: dict[int, int] = field(default_factory=dict)
    fenced: set[int] = field(default_factory=set)


class Broker:
    """One broker process and its disk."""

    def __init__(self, model: Model, broker_id: int) -> None:
        self.model = model
        self.id = broker_id
        self.log = ListLog()
        self.alive = True
        self.broker_epoch = 0
        self.checkpoint = 0
        self.metadata: deque[tuple[PartitionImage, dict[int, int], frozenset[int]]] = deque()
        self.start()

    def start(self) -> None:
        model = self.model
        self.alive = True
        self.epochs: dict[int, int] = {}
        self.fenced: frozenset[int] = frozenset()
        self.metadata.clear()
        state = PartitionState(
            TOPIC,
            self.id,
            high_watermark=self.checkpoint,
            log_end_offset=self.log.log_end_offset,
            min_isr=2,
            lag_max_s=LAG_S,
            eligible=self._eligible,
            local_broker_epoch=lambda: self.broker_epoch,
            rules_off=model.rules_off,
        )
        self.replica = Replica(TOPIC_ID, state, cast(Any, self.log))
        replicas = cast(Any, _Replicas(self))
        self.reader = FetchReader(replicas, replicas, None)
        self.following: Following | None = None
        self.unacked: list[tuple[int, int]] = []

        self.asking: IsrProposal | None = None

    @property
    def state(self) -> PartitionState:
        return self.replica.state

    def ask(self, proposal: IsrProposal) -> None:
        """Send AlterPartition; one at a time, again only if it was lost."""
        if self.asking is not proposal:
            self.asking = proposal
            if not self.model.send("alter_partition", self, self.broker_epoch, proposal):
                self.asking = None

    def _eligible(self, broker_id: int, broker_epoch: int) -> bool:
        return broker_id not in self.fenced and broker_epoch == self.epochs.get(broker_id)

    def learn(self) -> None:
        """Apply the next piece of metadata."""
        view, self.epochs, self.fenced = self.metadata.popleft()
        state = self.state
        if view.leader == self.id:
            if not state.is_leader or state.view.leader_epoch != view.leader_epoch:
                self.following = None
                self.unacked.clear()
                self.log.assign_epoch(view.leader_epoch, self.log.log_end_offset)
            state.become_leader(view, self.log.log_end_offset, self.model.now_s)
        else:
            old = state.view.leader
            if state.become_follower(view) or old != view.leader:
                self.unacked.clear()
                self.following = (
                    Following(self.replica, self.model.rules_off, 1.0) if view.leader > 0 else None
                )


class Model:
    """The cluster and its history."""

    def __init__(self, seed: int, rules_off: RulesOff = frozenset()) -> None:
        self.dice = random.Random(seed)
        self.rules_off = rules_off
        self.now_s = 0.0
        self.messages: list[tuple[Any, ...]] = []
        self.next_value = 0
        self.acked: dict[int, int] = {}
        """Offset by value."""
        self.acked_end = 0
        self.committed: dict[int, Entry] = {}
        """The values that consumers may have read, by offset."""
        self.elections = 0
        view = PartitionImage(BROKERS, BROKERS, 1, 0, 0)
        self.controller = Controller(view, dict.fromkeys(BROKERS, 0))
        self.brokers = {broker_id: Broker(self, broker_id) for broker_id in BROKERS}
        self._publish()
        # The probabilities of faults, drawn per run.
        self.loss = self.dice.choice((0.0, 0.05, 0.3))
        self.slow = {broker_id for broker_id in BROKERS if self.dice.random() < 0.2}
        self.weights = {
            self.produce: 6.0,
            self.fetch: 12.0,
            self.deliver: self.dice.choice((16.0, 30.0)),
            self.learn: self.dice.choice((2.0, 6.0)),
            self.kill: self.dice.choice((0.02, 0.1, 0.4)),
            self.restart: self.dice.choice((0.3, 1.0)),
            self.bounce: self.dice.choice((0.0, 0.2)),
            self.fence: self.dice.choice((0.5, 2.0)),
            self.unfence: 2.0,
            self.shrink: 1.0,
            self.prefer: self.dice.choice((0.02, 0.3)),
            self.checkpoint: 0.5,
        }

    def run(self, steps: int) -> None:
        actions, weights = list(self.weights), list(self.weights.values())
        for _ in range(steps):
            self.now_s += self.dice.random()
            self.dice.choices(actions, weights)[0]()
            self.check()
        self.heal()

    # ---- steps

    def send(self, *message: Any) -> bool:
        if self.dice.random() < self.loss:
            return False
        self.messages.append(message)
        return True

    def _alive(self) -> list[Broker]:
        return [broker for broker in self.brokers.values() if broker.alive]

    def produce(self) -> None:
        leaders = [broker for broker in self._alive() if broker.state.is_leader]
        if not leaders:
            return
        leader = self.dice.choice(leaders)
        state = leader.state
        try:
            state.check_enough_replicas()
        except KafkaError:
            return
        self.next_value += 1
        leader.log.records.append(Entry(state.view.leader_epoch, self.next_value))
        leader.unacked.append((leader.log.log_end_offset, self.next_value))
        state.leader_appended(leader.log.log_end_offset, self.now_s)

    def fetch(self) -> None:
        followers = [broker for broker in self._alive() if broker.following is not None]
        if followers:
            follower = self.dice.choice(followers)
            assert follower.following is not None
            if follower.id in self.slow and self.dice.random() < 0.95:
                return
            wanted = follower.following.request(100)
            leader = self.brokers[follower.state.view.leader]
            self.send("fetch", leader, follower, follower.following, follower.broker_epoch, wanted)

    def deliver(self) -> None:
        if not self.messages:
            return
        # Mostly in order, sometimes not.
        place = 0 if self.dice.random() < 0.7 else self.dice.randrange(len(self.messages))
        kind, *rest = self.messages.pop(place)
        getattr(self, f"_on_{kind}")(*rest)

    def _on_fetch(
        self,
        leader: Broker,
        follower: Broker,
        following: Following,
        broker_epoch: int,
        wanted: Any,
    ) -> None:
        if not leader.alive:
            return
        feed = Feed(follower.id)
        entry = feed.entry(TOPIC_ID, 0)
        entry.fetch_offset = wanted.fetch_offset
        entry.max_bytes = 100
        entry.current_leader_epoch = wanted.current_leader_epoch
        entry.last_fetched_epoch = wanted.last_fetched_epoch
        entry.log_start_offset = 0
        limits = FetchLimits(replica_id=follower.id, broker_epoch=broker_epoch)
        (fetched,), _, _ = leader.reader.collect(
            feed, limits, full=True, arrival=True, now_s=self.now_s
        )
        self.send("fetched", follower, following, wanted.fetch_offset, fetched)

    def _on_fetched(
        self, follower: Broker, following: Following, asked: int, fetched: Fetched
    ) -> None:
        if not follower.alive or follower.following is not following:
            return
        data = PartitionData(
            error_code=int(fetched.error_code),
            high_watermark=fetched.high_watermark,
            log_start_offset=0,
            records=cast(Any, fetched.pieces[0] if fetched.pieces else ()),
        )
        if fetched.diverging_epoch is not None:
            epoch, end_offset = fetched.diverging_epoch
            data.diverging_epoch = EpochEndOffset(epoch=epoch, end_offset=end_offset)
        following.answered(asked, data, self.now_s, 0)
        if fetched.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
            leader = self.brokers[follower.state.view.leader]
            if leader.alive and leader.state.is_leader:
                following.found(0, leader.log.log_end_offset, 0)

    def _on_alter_partition(self, broker: Broker, broker_epoch: int, proposal: IsrProposal) -> None:
        controller, view = self.controller, self.controller.view
        code = ErrorCode.NONE
        if controller.epochs[broker.id] != broker_epoch or broker.asking is not proposal:
            return
        if view.leader != broker.id or proposal.leader_epoch != view.leader_epoch:
            code = ErrorCode.FENCED_LEADER_EPOCH
        elif proposal.partition_epoch != view.partition_epoch:
            code = ErrorCode.INVALID_UPDATE_VERSION
        elif not self._eligible(proposal):
            code = ErrorCode.INELIGIBLE_REPLICA
        else:
            self._change(isr=proposal.members)
        if not self.send("altered", broker, proposal, code, self.controller.view):
            broker.asking = None

    def _eligible(self, proposal: IsrProposal) -> bool:
        if Rule.PROPOSE_NO_FENCED_REPLICA not in self.rules_off and any(
            member in self.controller.fenced for member in proposal.members
        ):
            return False
        return all(epoch in (-1, self.controller.epochs[member]) for member, epoch in proposal.isr)

    def _on_altered(
        self, broker: Broker, proposal: IsrProposal, code: ErrorCode, view: PartitionImage
    ) -> None:
        if not broker.alive or broker.asking is not proposal:
            return
        broker.asking = None
        if code is ErrorCode.NONE:
            broker.state.proposal_accepted(proposal, view, self.now_s)
        elif broker.state.proposal_refused(proposal, code):
            raise AssertionError(f"{code} should not be repeated")

    def learn(self) -> None:
        behind = [broker for broker in self._alive() if broker.metadata]
        if behind:
            self.dice.choice(behind).learn()

    def kill(self) -> None:
        if len(self._alive()) == len(BROKERS):
            self.dice.choice(self._alive()).alive = False

    def restart(self) -> None:
        """A dead process comes back, sometimes with an empty disk; its registration is new."""
        for broker in self.brokers.values():
            if not broker.alive:
                self._restart(broker)

    def _restart(self, broker: Broker) -> None:
        isr = self.controller.view.isr
        if any(each != broker.id for each in isr) and len(isr) >= 2 and self.dice.random() < 0.5:
            # Fewer disks than min.insync.replicas are lost at a time.
            broker.log = ListLog()
            broker.checkpoint = 0
        self._fence(broker.id)
        self.controller.epochs[broker.id] += 1
        broker.broker_epoch = self.controller.epochs[broker.id]
        broker.start()
        self._publish()

    def bounce(self) -> None:
        """A broker restarts so fast that the others hardly notice."""
        if len(self._alive()) == len(BROKERS):
            broker = self.dice.choice(self._alive())
            broker.alive = False
            self._restart(broker)
            while broker.metadata:
                broker.learn()
            self.unfence()

    def fence(self) -> None:
        """The controller misses heartbeats, of a dead broker or of one that is only slow."""
        dead = [broker.id for broker in self.brokers.values() if not broker.alive]
        if dead or self.dice.random() < 0.1:
            self._fence(self.dice.choice(dead or list(BROKERS)))
            self._publish()

    def unfence(self) -> None:
        """A broker that has applied all metadata is unfenced."""
        for broker in self._alive():
            if broker.id in self.controller.fenced and not broker.metadata:
                self.controller.fenced.discard(broker.id)
                view = self.controller.view
                if view.leader < 0 and broker.id in view.isr:
                    self._elect(broker.id)
                self._publish()

    def shrink(self) -> None:
        for broker in self._alive():
            proposal = broker.state.shrinking(self.now_s) or broker.state.pending
            if proposal is not None:
                broker.ask(proposal)

    def prefer(self) -> None:
        """Leadership moves back to the preferred replica."""
        view = self.controller.view
        choice = [i for i in view.isr if i != view.leader and i not in self.controller.fenced]
        if choice and view.leader > 0:
            self._elect(self.dice.choice(choice))

    def checkpoint(self) -> None:
        for broker in self._alive():
            broker.checkpoint = broker.state.high_watermark

    # ---- the controller

    def _change(self, **changes: Any) -> None:
        view = self.controller.view
        self.controller.view = replace(view, partition_epoch=view.partition_epoch + 1, **changes)
        self._publish()

    def _publish(self) -> None:
        controller = self.controller
        news = (controller.view, dict(controller.epochs), frozenset(controller.fenced))
        for broker in self.brokers.values():
            if broker.alive:
                broker.metadata.append(news)

    def _fence(self, broker_id: int) -> None:
        controller = self.controller
        controller.fenced.add(broker_id)
        view = controller.view
        if broker_id not in view.isr:
            return
        isr = tuple(i for i in view.isr if i != broker_id) or view.isr
        electable = [i for i in isr if i not in controller.fenced]
        if view.leader == broker_id:
            self._change(isr=isr)
            self._elect(self.dice.choice(electable) if electable else -1)
        elif isr != view.isr:
            self._change(isr=isr)

    def _elect(self, leader: int) -> None:
        view = self.controller.view
        self.elections += 1
        self._change(leader=leader, leader_epoch=view.leader_epoch + 1)
        if leader < 0:
            return
        log = self.brokers[leader].log.records
        for value, offset in self.acked.items():
            if offset >= len(log) or log[offset].value != value:
                raise Violation(
                    f"broker {leader} is elected without record {value}, acknowledged at {offset}"
                )

    # ---- invariants

    def check(self) -> None:
        for broker in self._alive():
            state, records = broker.state, broker.log.records
            if not 0 <= state.high_watermark <= len(records):
                raise Violation(f"broker {broker.id}: high watermark beyond the log's end")
            if state.is_leader:
                self._check_leader(broker)
        alive_in_isr = [i for i in self.controller.view.isr if i not in self.controller.fenced]
        if alive_in_isr and len(alive_in_isr) < len(self.controller.view.isr):
            raise Violation(f"the ISR {self.controller.view.isr} has fenced brokers")
        for member in alive_in_isr:
            end = self.brokers[member].log.log_end_offset
            if self.brokers[member].alive and end < self.acked_end:
                raise Violation(
                    f"broker {member} is in the ISR with a log that ends at {end}, "
                    f"when records before {self.acked_end} are acknowledged"
                )
        for broker in self._alive():
            state, records = broker.state, broker.log.records
            start, broker.log.checked = broker.log.checked, state.high_watermark
            for offset in range(start, state.high_watermark):
                entry = self.committed.setdefault(offset, records[offset])
                if entry != records[offset]:
                    raise Violation(
                        f"offset {offset} was {entry} once committed, "
                        f"broker {broker.id} has {records[offset]} below its high watermark"
                    )

    def _check_leader(self, broker: Broker) -> None:
        state, view = broker.state, self.controller.view
        if state.view.leader_epoch == view.leader_epoch:
            missing = [i for i in view.isr if i not in state.maximal_isr]
            if missing:
                raise Violation(f"the leader does not count {missing}, who could be elected")
        waiting = []
        for required, value in broker.unacked:
            code = state.acknowledgement(required)
            if code is None:
                waiting.append((required, value))
            elif code is ErrorCode.NONE:
                self.acked[value] = required - 1
                self.acked_end = max(self.acked_end, required)
        broker.unacked = waiting

    def heal(self) -> None:
        """All come back; the partition must become whole again, and equal everywhere."""
        self.loss = 0.0
        self.slow.clear()
        for _ in range(2000):
            if self._is_whole():
                return
            self.now_s += 0.05
            self.restart()
            for broker in self._alive():
                while broker.metadata:
                    broker.learn()
            self.unfence()
            self.fetch()
            self.shrink()
            while self.messages:
                self.deliver()
            self.check()
        raise Violation(
            f"after all have come back, the ISR is {self.controller.view.isr} and the logs end at "
            f"{[broker.log.log_end_offset for broker in self.brokers.values()]}"
        )

    def _is_whole(self) -> bool:
        first, *others = (broker.log.records for broker in self.brokers.values())
        leader = self.controller.view.leader
        return (
            leader > 0
            and all(broker.alive and not broker.metadata for broker in self.brokers.values())
            and sorted(self.controller.view.isr) == list(BROKERS)
            and all(records == first for records in others)
            and self.brokers[leader].state.high_watermark == len(first)
        )
