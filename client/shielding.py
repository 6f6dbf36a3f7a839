"""Work that may delay a cancellation, for a bounded time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from raftka.model.ports import Clock


@asynccontextmanager
async def delayed_cancellation(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """Cancel the body only that many seconds after its caller is cancelled. This is for work that
    must not stop halfway but waits for others (a broker, a user's callback), so that a plain shield
    could block the caller for ever.
    """
    failure: BaseException | None = None
    scope, waiting = trio.CancelScope(shield=True), trio.CancelScope(shield=True)

    async def pass_on() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with waiting:
                await clock.sleep(seconds)
                scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_on)
        try:
            with scope:
                yield
        except BaseException as error:
            # Raised outside of the nursery, which would wrap it in a group.
            failure = error
        waiting.cancel()
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
