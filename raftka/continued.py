"""Continues in trio a coroutine that began to run outside of it (raftka/aio.py)."""

from __future__ import annotations

from typing import Any


async def resumed(begun: Any, waits_for: Any) -> Any:
    """Continue a coroutine as a trio task, after it began to wait outside of one."""
    return await _Begun(begun, waits_for)


class _Begun:
    def __init__(self, begun: Any, waits_for: Any) -> None:
        self._begun, self._waits_for = begun, waits_for

    def __await__(self) -> Any:
        waits_for = self._waits_for
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                step = self._begun.throw, error
            else:
                step = self._begun.send, value
            try:
                waits_for = step[0](step[1])
            except StopIteration as over:
                return over.value
