"""The result of `Producer.send`: the outcome of one record, read from its batch's outcome. A batch
is acknowledged once for all its records, so a record costs nothing until a caller waits for it: the
batch remembers only records that are awaited or have callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import trio

from raftka.net.futures import Future


class RecordMetadata(NamedTuple):
    """Where a record is. Without an acknowledgement (acks=0) the offset is -1."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Watch:
    """The waiters for one record of a batch."""

    __slots__ = ("callbacks", "event")

    def __init__(self) -> None:
        self.event: trio.Event | None = None
        self.callbacks: list[Callable[[Future[RecordMetadata]], None]] = []


class Answered(Protocol):
    """A batch, as its deliveries see it."""

    is_answered: bool
    error: BaseException | None

    def watch(self, delivery: Delivery) -> Watch:
        """Remember the delivery, to notify the tasks that wait for it."""
        ...

    def metadata(self, index: int, timestamp_ms: int) -> RecordMetadata:
        """Where a record of the batch is, once it is answered without an error."""
        ...


class Delivery(Future[RecordMetadata]):
    """Await it for the record's place, or its error; it has the whole interface of a Future."""

    __slots__ = ("batch", "index", "timestamp_ms")

    def __init__(self, batch: Answered, index: int, timestamp_ms: int) -> None:
        # Nothing of Future's own state is used: the batch has it.
        self.batch = batch
        self.index = index
        self.timestamp_ms = timestamp_ms

    @property
    def done(self) -> bool:
        return self.batch.is_answered

    @property
    def error(self) -> BaseException | None:
        return self.batch.error

    def result(self) -> RecordMetadata:
        batch = self.batch
        if not batch.is_answered:
            raise RuntimeError("the answer has not come yet: await it")
        if batch.error is not None:
            raise batch.error
        return batch.metadata(self.index, self.timestamp_ms)

    async def wait(self) -> None:
        if self.batch.is_answered:
            await trio.lowlevel.checkpoint()
            return
        watch = self.batch.watch(self)
        if watch.event is None:
            watch.event = trio.Event()
        await watch.event.wait()

    def when_done(self, callback: Callable[[Future[RecordMetadata]], None]) -> None:
        if self.batch.is_answered:
            callback(self)
        else:
            self.batch.watch(self).callbacks.append(callback)

    def notify(self, watch: Watch) -> None:
        """The batch is answered."""
        if watch.event is not None:
            watch.event.set()
        for callback in watch.callbacks:
            callback(self)
