"""A second coordinator, which shows that the runtime serves more than groups: a bank of accounts.

Each partition of its topic holds accounts; a transfer moves money between two of them and must
land in one batch; a statement leaves when the balance that it shows is committed; a producer's
deposits count when its transaction commits; an account without movement for a minute is closed;
an account goes with the topic of its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from raftka.broker.coordinators.outbox import Batch, Outbox, Producer, Record, Ticket
from raftka.broker.coordinators.shard import CoordinatorTopic
from raftka.broker.coordinators.timers import Moment, Timers
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Buffer

BANK_TOPIC = "__bank"
BANK = CoordinatorTopic(
    BANK_TOPIC,
    commit_timeout_ms=5_000,
    commit_timeout_setting="bank.timeout.ms",
    max_batch_bytes=10_000,
)
CLOSED_AFTER_S = 60.0


@dataclass(frozen=True)
class Statement:
    """An effect: a customer is sent the balance."""

    account: str
    balance: int
    epoch: int


@dataclass
class BankShard:
    """Implements broker.coordinators.shard.Shard."""

    epoch: int
    """The leader epoch in which it was made."""
    outbox: Outbox = field(default_factory=Outbox)
    accounts: dict[str, int] = field(default_factory=dict)
    pending: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    """Deposits by the id of the producer in whose transaction they are."""
    timers: Timers = field(default_factory=Timers)
    topics: frozenset[str] = frozenset()
    """The accounts' topics in the newest image."""
    images: list[bool] = field(default_factory=list)
    """For each call of metadata_changed, whether it came with a delta."""

    # ---- operations

    def deposit(self, account: str, amount: int, ticket: Ticket | None, now: Moment) -> None:
        balance = self.accounts.get(account, 0) + amount
        record = _record(account, balance)
        self.outbox.records.append(record)
        self.replay(*record)
        self._moved(account, now)
        self.outbox.answer(ticket, balance)

    def transfer(self, source: str, target: str, amount: int, ticket: Ticket | None) -> None:
        """Raises KafkaError INVALID_REQUEST for more than there is, RECORD_LIST_TOO_LARGE."""
        balance = self.accounts.get(source, 0)
        if balance < amount:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"{source} has only {balance}")
        records = [
            _record(source, balance - amount),
            _record(target, self.accounts.get(target, 0) + amount),
        ]
        self.outbox.write(records)
        for record in records:
            self.replay(*record)
        self.outbox.answer(ticket, amount)

    def statement(self, account: str) -> None:
        self.outbox.effects.append(Statement(account, self.accounts.get(account, 0), self.epoch))

    def reserve(self, producer: Producer, *deposits: tuple[str, int]) -> Batch:
        """Decide deposits in a producer's transaction; nothing is applied."""
        return Batch([_record(account, amount) for account, amount in deposits], producer)

    # ---- the contract

    def replay(self, key: Buffer, value: Buffer | None, producer: Producer | None = None) -> None:
        account = bytes(key).decode()
        if value is None:
            self.accounts.pop(account, None)
        elif producer is None:
            self.accounts[account] = int.from_bytes(value, "big")
        else:
            amount = int.from_bytes(value, "big")
            self.pending.setdefault(producer.id, []).append((account, amount))

    def replay_end_transaction_marker(
        self, producer_id: int, producer_epoch: int, commit: bool
    ) -> None:
        for account, amount in self.pending.pop(producer_id, []):
            if commit:
                self.accounts[account] = self.accounts.get(account, 0) + amount

    def metadata_changed(
        self, image: MetadataImage, delta: MetadataDelta | None, now: Moment
    ) -> None:
        self.topics = frozenset(image.topics)
        self.images.append(delta is not None)
        for topic in () if delta is None else delta.topics.deleted:
            self._close(topic.name)

    def loaded(self, now: Moment) -> None:
        for account in self.accounts:
            self._moved(account, now)

    def next_deadline_s(self) -> float | None:
        return self.timers.next_deadline_s()

    def tick(self, now: Moment) -> None:
        while (action := self.timers.pop_due(now.monotonic_s)) is not None:
            action(now)

    def abandon(self) -> list[Ticket]:
        return []

    def sizes(self) -> dict[str, int]:
        return {"accounts": len(self.accounts)}

    # ---- inside

    def _moved(self, account: str, now: Moment) -> None:
        self.timers.schedule(
            account, now.monotonic_s + CLOSED_AFTER_S, lambda _now: self._close(account)
        )

    def _close(self, account: str) -> None:
        if account in self.accounts:
            self.outbox.records.append((account.encode(), None))
            self.replay(account.encode(), None)
            self.timers.cancel(account)

    @property
    def contents(self) -> tuple[dict[str, int], dict[int, list[tuple[str, int]]]]:
        """To compare two shards."""
        return self.accounts, self.pending


def _record(account: str, amount: int) -> Record:
    return account.encode(), amount.to_bytes(8, "big")
