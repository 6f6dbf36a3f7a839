"""raftka's clients under asyncio: the same Producer, Consumer, ShareConsumer and Admin.

    from raftka.aio import Consumer

    async def main() -> None:
        async with Consumer({"bootstrap.servers": "localhost:9092", "group.id": "g"}) as consumer:
            consumer.subscribe(["topic"])
            async for record in consumer:
                ...

    asyncio.run(main())

There is one implementation, native to trio. It runs as a guest of asyncio's loop, in the same
thread (`trio.lowlevel.start_guest_run`): a call under asyncio runs as a trio task, whose result
comes back in an asyncio future; cancelling the one cancels the other. The guest begins with a
loop's first open client and ends with its last. A call costs two switches between the loops;
sending and iterating share one among many records. Listeners and the bodies of transactions run
under asyncio.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import trio

from raftka.client.admin import Admin as _TrioAdmin
from raftka.client.consumer import Consumer as _TrioConsumer
from raftka.client.producer import Producer as _TrioProducer
from raftka.client.share import ShareConsumer as _TrioShareConsumer
from raftka.continued import resumed
from raftka.model.ids import TopicPartition
from raftka.net.futures import Future

__all__ = ["Admin", "Consumer", "Producer", "ShareConsumer"]

_RECORDS_PER_YIELD: Final = 50


class _Guest:
    """Trio's run within one asyncio loop, while clients are open there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._users = 0
        self._ready: asyncio.Future[None] | None = None
        self._over: asyncio.Future[None] | None = None
        self._stop = trio.Event()
        self._tasks: trio.Nursery | None = None

    async def enter(self) -> None:
        """Add a user; the first one starts the run."""
        while self._over is not None and self._users == 0:
            await asyncio.shield(self._over)  # The previous run is about to end.
        self._users += 1
        if self._ready is None:
            self._ready = self.loop.create_future()
            self._over = self.loop.create_future()
            self._stop = trio.Event()
            trio.lowlevel.start_guest_run(
                self._main,
                run_sync_soon_threadsafe=self.loop.call_soon_threadsafe,
                run_sync_soon_not_threadsafe=self.loop.call_soon,
                done_callback=self._ended,
                host_uses_signal_set_wakeup_fd=True,
            )
        await asyncio.shield(self._ready)

    async def leave(self) -> None:
        """Remove a user; the last one ends the run."""
        self._users -= 1
        if self._users == 0 and self._over is not None:
            self._stop.set()
            await asyncio.shield(self._over)

    async def _main(self) -> None:
        async with trio.open_nursery() as self._tasks:
            assert self._ready is not None
            self._ready.set_result(None)
            await self._stop.wait()

    def _ended(self, outcome: Any) -> None:
        over, self._over, self._ready, self._tasks = self._over, None, None, None
        assert over is not None
        if not over.done():
            over.set_result(None)
        outcome.unwrap()

    async def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Await a trio function from asyncio. A cancellation cancels it there, and waits for its
        end.
        """
        if self._tasks is None:
            raise RuntimeError("this client is not open: use it within `async with`")
        answer: asyncio.Future[Any] = self.loop.create_future()
        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                try:
                    result = await function(*args)
                except trio.Cancelled:
                    raise
                except BaseException as error:
                    if not answer.done():
                        answer.set_exception(_portable(error))
                else:
                    if not answer.done():
                        answer.set_result(result)
            if not answer.done():
                answer.cancel()

        self._tasks.start_soon(run)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            scope.cancel()
            await asyncio.wait([answer])
            if not answer.cancelled():
                answer.exception()  # Retrieved, so that asyncio does not warn about it.
            raise


def _portable(error: BaseException) -> BaseException:
    """An error that an asyncio future can hold: StopIteration is wrapped."""
    ends = (StopIteration, StopAsyncIteration)
    return RuntimeError(repr(error)) if isinstance(error, ends) else error


_guests: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Guest]] = WeakKeyDictionary()


def _guest() -> _Guest:
    """The guest of the running loop. Raises RuntimeError where no asyncio loop runs."""
    loop = asyncio.get_running_loop()
    guest = _guests.get(loop)
    if guest is None:
        guest = _guests[loop] = _Guest(loop)
    return guest


class _BodyFailed(Exception):
    """Stands for an error in the body of `async with`, for the trio side."""


class _Held:
    """An async context manager of trio's, entered and left from asyncio.

    One trio task of its own enters and leaves it, as trio requires.
    """

    def __init__(self, guest: _Guest, manager: Any) -> None:
        self._guest = guest
        self._manager = manager
        self._leave = trio.Event()
        self._failed = False
        self._task: asyncio.Task[Any] | None = None

    async def enter(self) -> Any:
        entered: asyncio.Future[Any] = self._guest.loop.create_future()

        async def hold() -> None:
            try:
                async with self._manager as value:
                    entered.set_result(value)
                    with trio.CancelScope(shield=True):
                        await self._leave.wait()
                    if self._failed:
                        raise _BodyFailed
            except _BodyFailed:
                pass

        self._task = self._guest.loop.create_task(self._guest.call(hold))
        await asyncio.wait([entered, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not entered.done():
            await self._task  # It ended without entering, so it has failed.
        return entered.result()

    async def leave(self, *, failed: bool) -> None:
        self._failed = failed
        self._leave.set()
        assert self._task is not None
        await asyncio.shield(self._task)


class _Delivery:
    """The result of `send`: await it to know where the record was stored."""

    def __init__(self, loop: asyncio.AbstractEventLoop, future: Future[Any]) -> None:
        self._result: asyncio.Future[Any] = loop.create_future()
        self._result.add_done_callback(_look_at)
        future.when_done(self._done)

    def _done(self, future: Future[Any]) -> None:
        if self._result.done():
            return
        try:
            self._result.set_result(future.result())
        except Exception as error:
            self._result.set_exception(error)

    def __await__(self) -> Any:
        return asyncio.shield(self._result).__await__()


def _look_at(result: asyncio.Future[Any]) -> None:
    """A caller need not await a delivery, and asyncio must not warn about its error then."""
    if not result.cancelled():
        result.exception()


class _Manager:
    """An async context manager that a method returns, such as `Producer.transaction`."""

    def __init__(self, guest: _Guest, manager: Any) -> None:
        self._held = _Held(guest, manager)

    async def __aenter__(self) -> Any:
        return await self._held.enter()

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        await self._held.leave(failed=kind is not None)


class _Client:
    """The interface of one of raftka's clients under asyncio."""

    _KIND: Callable[..., Any]

    def __init__(self, *args: Any, **options: Any) -> None:
        self._client = type(self)._KIND(*args, **options)
        self._guest: _Guest | None = None
        self._held: _Held | None = None

    async def __aenter__(self) -> Any:
        guest = self._guest = _guest()
        await guest.enter()
        try:
            self._held = _Held(guest, self._client)
            await self._held.enter()
        except BaseException:
            await guest.leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._held is not None and self._guest is not None
        try:
            await self._held.leave(failed=kind is not None)
        finally:
            await self._guest.leave()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith("_") or not callable(found):
            return found
        if inspect.iscoroutinefunction(found):

            @wraps(found)
            async def awaited(*args: Any, **options: Any) -> Any:
                return self._outward(await self._open().call(lambda: found(*args, **options)))

            return awaited

        @wraps(found)
        def called(*args: Any, **options: Any) -> Any:
            return self._outward(found(*args, **options))

        return called

    def _open(self) -> _Guest:
        if self._guest is None:
            kind = type(self).__name__
            raise RuntimeError(
                f"this {kind} is not open: use it within `async with {kind}(...) as name:`, which"
                " starts its tasks and ends them"
            )
        return self._guest

    def _outward(self, value: Any) -> Any:
        """A result in a form for asyncio."""
        if isinstance(value, Future):
            return _Delivery(self._open().loop, value)
        if hasattr(value, "__aenter__"):
            return _Manager(self._open(), value)
        return value


class _Listener:
    """A listener of the caller's, which runs under asyncio while a poll waits for it."""

    def __init__(self, guest: _Guest, listener: Any) -> None:
        self._guest, self._listener = guest, listener

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        await self._under_asyncio(self._listener.on_assigned(partitions))

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        await self._under_asyncio(self._listener.on_revoked(partitions))

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        await self._under_asyncio(self._listener.on_lost(partitions))

    async def _under_asyncio(self, work: Any) -> None:
        task = self._guest.loop.create_task(work)
        over = trio.Event()
        task.add_done_callback(lambda _: over.set())
        try:
            await over.wait()
        except trio.Cancelled:
            task.cancel()
            raise
        task.result()


class _Producer(_Client):
    _KIND = _TrioProducer

    async def send(self, topic: str, *args: Any, **options: Any) -> Any:
        """See Producer.send of raftka; it switches loops once for a batch, not for a record."""
        guest = self._open()
        if self._client.since_checkpoint >= _RECORDS_PER_YIELD - 1:
            self._client.since_checkpoint = 0
            await asyncio.sleep(0)
        sending = self._client.send(topic, *args, **options)
        if self._client.takes_at_once(topic, options.get("partition")):
            try:
                waits_for = sending.send(None)
            except StopIteration as sent:
                return _Delivery(guest.loop, sent.value)
            # The record is in its batch; trio completes the rest, which lets other tasks run.
            return self._outward(await guest.call(resumed, sending, waits_for))
        return self._outward(await guest.call(lambda: sending))


class _ShareConsumer(_Client):
    _KIND = _TrioShareConsumer


class _Admin(_Client):
    _KIND = _TrioAdmin


class _Consumer(_Client):
    _KIND = _TrioConsumer

    def subscribe(self, topics: Any, listener: Any = None) -> None:
        """See Consumer.subscribe of raftka; the listener's methods run under asyncio."""
        wrapped = None if listener is None else _Listener(self._open(), listener)
        self._client.subscribe(topics, wrapped)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        polled = self._client.polled
        if polled:
            if len(polled) % _RECORDS_PER_YIELD == 0:
                await asyncio.sleep(0)
            return polled.next()
        return await self._open().call(self._client.__anext__)


if TYPE_CHECKING:
    # The same methods with the same types: only the loop differs under which they are awaited.
    Admin, Consumer, Producer = _TrioAdmin, _TrioConsumer, _TrioProducer
    ShareConsumer = _TrioShareConsumer
else:
    Admin, Consumer, Producer = _Admin, _Consumer, _Producer
    ShareConsumer = _ShareConsumer
    for _name, _face in zip(__all__, (_Admin, _Consumer, _Producer, _ShareConsumer), strict=True):
        _face.__name__ = _face.__qualname__ = _name
        _face.__doc__ = _face._KIND.__doc__
