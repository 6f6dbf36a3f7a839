"""A value that will be available later, for code that starts work without waiting for it.

trio deliberately has no futures: a task should wait for what it starts. A producer is the
exception, since each task may have many records in flight. The task that receives an answer fills
the `Future`, which has no task of its own; any number of tasks may await it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Generic, TypeVar, cast

import trio

T = TypeVar("T")


class Future(Generic[T]):
    """Filled once, by `set_result` or `set_error`; `await future` returns the value or raises."""

    __slots__ = ("_callbacks", "_done", "_error", "_event", "_value")

    def __init__(self) -> None:
        self._done = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._event: trio.Event | None = None
        self._callbacks: list[Callable[[Future[T]], None]] | None = None

    @property
    def done(self) -> bool:
        return self._done

    @property
    def error(self) -> BaseException | None:
        """The error; None while pending and after success."""
        return self._error

    def result(self) -> T:
        """The value; raises the error, or RuntimeError while pending."""
        if not self._done:
            raise RuntimeError("the answer has not come yet: await it")
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    async def wait(self) -> None:
        """Wait until it is filled, with a value or an error; always a checkpoint."""
        if self._done:
            await trio.lowlevel.checkpoint()
            return
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()

    def __await__(self) -> Generator[object, object, T]:
        yield from self.wait().__await__()
        return self.result()

    def when_done(self, callback: Callable[[Future[T]], None]) -> None:
        """Call back once it is filled, at once if it already is. The callback must not raise."""
        if self._done:
            callback(self)
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def set_result(self, value: T) -> None:
        self._value = value
        self._finish()

    def set_error(self, error: BaseException) -> None:
        self._error = error
        self._finish()

    def _finish(self) -> None:
        if self._done:
            raise RuntimeError("a future is filled only once")
        self._done = True
        if self._event is not None:
            self._event.set()
        callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback(self)
