"""All share-partitions that this broker leads: reads their state, runs their timers, writes
changes.

A share-partition is read from its coordinator when a member first requests it, and dropped when
this broker no longer leads it; waiting fetches are notified at the end of the turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import trio

from raftka.broker.coordinators.timers import Moment, Timers
from raftka.broker.share.key import SharePartitionKey
from raftka.broker.share.partition import SharePartition
from raftka.broker.share.settings import ShareGroupSettings
from raftka.broker.share.terms import DeadLetter, Write
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET, TopicPartition
from raftka.model.logs import get_logger
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.model.settings.group import EARLIEST, duration_ms

if TYPE_CHECKING:
    from raftka.broker.replication.replica import Replica
    from raftka.broker.replication.replica_index import ReplicaIndex
    from raftka.broker.share.dead_letters import DeadLetters
    from raftka.broker.share.persister import Known, Persister
    from raftka.model.ports import Clock

log = get_logger(__name__)

_AS_CLIENT_ERROR: Final = {
    ErrorCode.NOT_COORDINATOR: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.FENCED_LEADER_EPOCH: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.FENCED_STATE_EPOCH: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.INVALID_REQUEST: ErrorCode.COORDINATOR_NOT_AVAILABLE,
}
"""The coordinator's errors, mapped to a member's as Apache Kafka does."""

_LOOK_EVERY_S: Final = 0.02

_MUST_READ_AGAIN: Final = frozenset(
    {
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.FENCED_STATE_EPOCH,
        ErrorCode.INVALID_REQUEST,  # The state was deleted.
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
)


class Watcher(Protocol):
    """A fetch that waits for a share-partition."""

    def changed(self) -> None:
        """There may be records for it, or an error."""
        ...


class Led:
    """A share-partition in a leader epoch of this broker."""

    __slots__ = ("error", "key", "leader_epoch", "machine", "replica", "watchers")

    def __init__(self, key: SharePartitionKey, replica: Replica) -> None:
        self.key = key
        self.replica = replica
        self.leader_epoch = replica.state.view.leader_epoch
        self.machine: SharePartition | None = None
        """None until its state was read."""
        self.error: KafkaError | None = None
        """Why it could not be read; the next request reads it again."""
        self.watchers: dict[Watcher, None] = {}

    @property
    def is_current(self) -> bool:
        """Whether this broker still leads it in that epoch."""
        state = self.replica.state
        return (
            self.replica.hosted and state.is_leader and state.view.leader_epoch == self.leader_epoch
        )

    def wake(self) -> None:
        """Notify all waiting fetches."""
        for watcher in list(self.watchers):
            watcher.changed()


class SharePartitions:
    """The share-partitions of one broker. `run` must be running."""

    def __init__(
        self,
        replicas: ReplicaIndex,
        persister: Persister,
        clock: Clock,
        settings: Callable[[str], ShareGroupSettings],
        dead_letters: DeadLetters,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        """`settings` returns the current settings of a group, by its id."""
        self._dead_letters = dead_letters
        self._replicas = replicas
        self._persister = persister
        self._clock = clock
        self.settings = settings
        self._rules_off = rules_off
        self._led: dict[SharePartitionKey, Led] = {}
        self._timers = Timers()
        self._alarm = clock.alarm()
        self._nursery: trio.Nursery | None = None
        self._unread: list[Led] = []
        """Requested before `run` has started."""

    async def run(self) -> None:
        """Read states and expire acquisitions until cancelled."""
        async with trio.open_nursery() as self._nursery:
            for led in self._unread:
                self._nursery.start_soon(self._read, led)
            while True:
                next_s = self._timers.next_deadline_s()
                await self._alarm.wait(float("inf") if next_s is None else next_s)
                now = Moment(self._clock.monotonic(), self._clock.wall_ms())
                while (action := self._timers.pop_due(now.monotonic_s)) is not None:
                    action(now)

    def led(self) -> dict[SharePartitionKey, Led]:
        """All share-partitions that members have requested, for people and checkers."""
        return dict(self._led)

    # ---- for requests

    def find(self, key: SharePartitionKey) -> Led:
        """The share-partition; its state may still be loading.

        Raises KafkaError if this broker does not lead it: NOT_LEADER_OR_FOLLOWER,
        UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR.
        """
        led = self._led.get(key)
        if led is None or not led.is_current or led.error is not None:
            replica = self._find_replica(key)
            if led is not None:
                self._forget(led, KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER))
            led = self._led[key] = Led(key, replica)
            self._start(led)
        self.refresh(led)
        return led

    def refresh(self, led: Led) -> None:
        """Before an operation: apply the current settings and log start.

        Raises KafkaError: why its state could not be read, or that this broker may not lead it.
        """
        if led.error is not None:
            raise led.error
        self._replicas.check_serving(led.replica, self._clock.monotonic())
        if led.machine is not None:
            led.machine.limits = self.settings(led.key.group_id).limits
            led.machine.log_starts_at(led.replica.log.log_start_offset)

    def _start(self, led: Led) -> None:
        if self._nursery is None:
            self._unread.append(led)
        else:
            self._nursery.start_soon(self._read, led)

    def _find_replica(self, key: SharePartitionKey) -> Replica:
        try:
            replica = self._replicas.find((key.topic_id, key.partition))
        except KafkaError as error:
            if error.code is ErrorCode.UNKNOWN_TOPIC_ID:
                words = f"there is no topic with the id in {key}"
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, words) from error
            raise
        self._replicas.check_serving(replica, self._clock.monotonic())
        replica.state.check_leader()
        return replica

    def touched(self, led: Led, *, wakes: bool = True) -> None:
        """After an operation: write its changes, schedule its timer, wake the waiting requests.

        `wakes`: whether more records may be available to others than before.
        """
        machine = led.machine
        if machine is None:
            return
        if letters := machine.take_dead_letters():
            self._bury(led, machine, letters)
        write = machine.take_write()
        if write is not None:
            self._write(led, machine, write)
        due_s = machine.next_deadline_s()
        if due_s is None:
            self._timers.cancel(led.key)
        else:
            next_s = self._timers.next_deadline_s()
            self._timers.schedule(led.key, due_s, lambda now: self._expire(led, now))
            if next_s is None or due_s < next_s:
                self._alarm.ring()
        if wakes and led.watchers and machine.next_fetch_offset() is not None:
            led.wake()

    def release(self, group_id: str, member_id: str) -> None:
        """A member has left: release the records that it has acquired."""
        for key, led in list(self._led.items()):
            if key.group_id == group_id and led.machine is not None and led.is_current:
                led.machine.release_all(member_id)
                self.touched(led)

    def read_again(self, group_id: str) -> None:
        """The group has members again: its offsets may have been altered meanwhile."""
        for key, led in list(self._led.items()):
            if key.group_id == group_id:
                words = f"the members of {group_id!r} had gone"
                self._forget(led, KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, words))

    # ---- roles

    def became_leader(self, replica: Replica) -> None:
        """ReplicaManager's role listener: the known state belongs to an earlier epoch."""
        self._forget_all(replica.topic_partition)

    def resigned(self, topic_partition: TopicPartition, leader_epoch: int) -> None:
        """ReplicaManager's role listener: another broker leads the partition now, or none does."""
        self._forget_all(topic_partition)

    def _forget_all(self, topic_partition: TopicPartition) -> None:
        for led in list(self._led.values()):
            if led.replica.topic_partition == topic_partition:
                error = KafkaError(
                    ErrorCode.NOT_LEADER_OR_FOLLOWER,
                    f"{topic_partition} has another leader, or a new epoch",
                )
                self._forget(led, error)

    def _forget(self, led: Led, error: KafkaError) -> None:
        if self._led.get(led.key) is led:
            del self._led[led.key]
        self._timers.cancel(led.key)
        led.error = led.error or error
        machine, led.machine = led.machine, None
        if machine is not None:
            machine.abandon(error)
        led.wake()

    # ---- inside

    async def _read(self, led: Led) -> None:
        try:
            known = await self._persister.read(led.key, led.leader_epoch)
            while not _knows_end(led) and self._led.get(led.key) is led:
                await self._clock.sleep(_LOOK_EVERY_S)
            if self._led.get(led.key) is not led:
                return
            led.machine = self._made(led, known)
        except KafkaError as error:
            code = _AS_CLIENT_ERROR.get(error.code, error.code)
            led.error = KafkaError(code, f"the state of {led.key} cannot be read: {error.message}")
            log.info(led.error.message)
        else:
            led.machine.limits = self.settings(led.key.group_id).limits
            self.touched(led)
        led.wake()

    def _made(self, led: Led, known: Known) -> SharePartition:
        """The share-partition as its coordinator knows it; a new one starts according to the
        group's share.auto.offset.reset."""
        if Rule.SHARE_STATE_IS_READ in self._rules_off:
            return SharePartition(led.replica.log.log_start_offset, rules_off=self._rules_off)
        start, is_new = known.start_offset, known.start_offset == NO_OFFSET
        if is_new:
            start = self._first_offset(led)
        machine = SharePartition(
            start,
            known.batches,
            state_epoch=known.state_epoch,
            is_new=is_new,
            rules_off=self._rules_off,
        )
        machine.log_starts_at(led.replica.log.log_start_offset)
        return machine

    def _first_offset(self, led: Led) -> int:
        replica = led.replica
        strategy = self.settings(led.key.group_id).offset_reset
        if strategy.lower() == EARLIEST:
            return replica.log.log_start_offset
        back_ms = duration_ms(strategy)
        if back_ms is not None:
            found = replica.log.offset_for_timestamp(self._clock.wall_ms() - back_ms)
            if found is not None and found[1] < replica.state.high_watermark:
                return found[1]
        return replica.state.high_watermark

    def _write(self, led: Led, machine: SharePartition, write: Write) -> None:
        def done(error: KafkaError | None) -> None:
            if led.machine is not machine:
                return  # Its waiters were answered.
            if error is None:
                machine.written(write, None)
            elif error.code in _MUST_READ_AGAIN:
                log.info(f"{led.key} is read again: its coordinator refuses a write: {error}")
                self._forget(led, _for_client(led.key, error))
                return
            else:
                machine.written(write, _for_client(led.key, error))
            self.touched(led)

        self._persister.write(led.key, led.leader_epoch, machine.state_epoch, write, done)

    def _bury(self, led: Led, machine: SharePartition, letters: list[DeadLetter]) -> None:
        def buried(first: int, last: int) -> None:
            if led.machine is machine:
                machine.buried(first, last)
                self.touched(led)

        self._dead_letters.bury(led.key, led.replica, letters, buried)

    def _expire(self, led: Led, now: Moment) -> None:
        machine = led.machine
        if machine is not None and self._led.get(led.key) is led:
            machine.limits = self.settings(led.key.group_id).limits
            machine.tick(now.monotonic_s)
            self.touched(led)


def _knows_end(led: Led) -> bool:
    """Whether a new leader knows where the committed records end."""
    state = led.replica.state
    return not state.is_leader or state.high_watermark >= state.leader_epoch_start_offset


def _for_client(key: SharePartitionKey, error: KafkaError) -> KafkaError:
    code = _AS_CLIENT_ERROR.get(error.code, error.code)
    return KafkaError(code, f"the state of {key} was not written: {error.message}")
