"""Explains why no controller is active, for people whose requests fail because of it.

Kafka's protocol has no field for that. A request that no node can decide is answered with
REQUEST_TIMED_OUT, as in Apache Kafka, and its message names the voters that do not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import trio

from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection, Clock, Network
from raftka.model.version import __version__
from raftka.net.channel import Channel

_ANSWER_S: Final = 1.0
_FRESH_S: Final = 1.0
"""How long an explanation is reused: many clients fail at the same time."""


class NoController:
    """Checks which voters answer."""

    def __init__(
        self,
        node_id: int,
        network: Network,
        clock: Clock,
        voters: Callable[[], Mapping[int, Endpoint]],
    ) -> None:
        self._node_id = node_id
        self._network = network
        self._clock = clock
        self._voters = voters
        self._asking = trio.Lock()
        self._found = ""
        self._found_s = float("-inf")

    async def why(self) -> str:
        """A sentence that names the voters that do not answer within a second."""
        async with self._asking:
            if self._clock.monotonic() - self._found_s >= _FRESH_S:
                self._found = await self._ask()
                self._found_s = self._clock.monotonic()
            return self._found

    async def _ask(self) -> str:
        voters = dict(self._voters())
        silent: list[int] = []

        async def ask(voter_id: int) -> None:
            if not await self._answers(voters[voter_id]):
                silent.append(voter_id)

        async with trio.open_nursery() as nursery:
            for voter_id in sorted(voters):
                if voter_id != self._node_id:
                    nursery.start_soon(ask, voter_id)
        if not voters:
            return "no controller is active, and no voter is known"
        everybody = _listed(str(each) for each in sorted(voters))
        if not silent:
            return f"no controller is active: voters {everybody} answer, but have elected none yet"
        named = _listed(f"{each} ({voters[each]})" for each in sorted(silent))
        one = len(silent) == 1
        return (
            f"no controller is active: voter{'' if one else 's'} {named}"
            f" do{'es' if one else ''} not answer; start enough of them: a majority of"
            f" {everybody} has to run"
        )

    async def _answers(self, where: Endpoint) -> bool:
        answered = False
        with self._clock.within(_ANSWER_S):
            try:
                host, port = where
                connection = await self._network.connect(host, port, timeout_s=_ANSWER_S)
                channel = Channel(connection, f"raftka-node-{self._node_id}", self._clock)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(channel.run)
                    try:
                        await channel.negotiate("raftka", __version__, _ANSWER_S)
                        answered = True
                    finally:
                        channel.close("it answered, or was not going to")
                        nursery.cancel_scope.cancel()
            except* BrokenConnection:
                pass
        return answered


def _listed(items: Iterable[str]) -> str:
    """Join items as in English: 1, 2 and 3."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
