"""Brokers that seem to have failed, before the controller fences them.

A client whose leader fails asks another broker at once for the new leader. An immediate answer
would name the failed one, and many clients ask again only a second later. So if an answer would
name a leader whose connections to this node have just broken, it waits for the election, which
takes some tens of milliseconds; and a fenced broker stays in the list of addresses for a while,
because clients drop their pending requests for a broker that vanishes from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from raftka.broker.metadata_loader import MetadataLoader
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import BrokerImage, MetadataImage
from raftka.model.ports import Clock

_PATIENCE_S: Final = 0.5
"""How long a broken connection makes a broker a suspect, and delays answers."""
_LISTED_AFTER_FENCING_S: Final = 10.0


class Suspects:
    """The brokers that this broker suspects because of broken connections."""

    def __init__(self, clock: Clock, loader: MetadataLoader) -> None:
        self._clock = clock
        self._loader = loader
        self._until: dict[int, float] = {}
        self._fenced_at: dict[int, float] = {}

    def suspect(self, broker_id: int) -> None:
        """A connection to that broker broke."""
        self._until[broker_id] = self._clock.monotonic() + _PATIENCE_S

    def contact(self, broker_id: int, reached: bool) -> None:
        """A follower's fetcher reached that broker, or lost its connection."""
        if reached:
            self._until.pop(broker_id, None)
        else:
            self.suspect(broker_id)

    def published(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Metadata publisher: record when brokers were fenced."""
        for broker_id in delta.brokers.changed:
            broker = image.brokers.get(broker_id)
            before = delta.base.brokers.get(broker_id)
            if broker is not None and broker.fenced and before is not None and not before.fenced:
                self._fenced_at[broker_id] = self._clock.monotonic()
            elif broker is None or not broker.fenced:
                self._fenced_at.pop(broker_id, None)

    def is_listed(self, broker: BrokerImage) -> bool:
        """Whether answers to clients list the broker's address."""
        if not broker.fenced:
            return True
        fenced_at = self._fenced_at.get(broker.broker_id)
        now = self._clock.monotonic()
        return fenced_at is not None and now - fenced_at < _LISTED_AFTER_FENCING_S

    async def settle(self, names_leader: Callable[[MetadataImage, int], bool]) -> None:
        """Wait while `names_leader(image, broker id)` returns that the answer would name a suspect.

        At most half a second: a broker that only lost a connection still leads.
        """
        # A leader's failure and a client's question for its successor often arrive together.
        await trio.lowlevel.checkpoint()
        now = self._clock.monotonic()
        for broker_id in [each for each, until in self._until.items() if until <= now]:
            del self._until[broker_id]
        if not self._until:
            return

        def is_settled(image: MetadataImage) -> bool:
            return not any(names_leader(image, each) for each in self._until)

        left = max(self._until.values()) - now
        with self._clock.within(left):
            await self._loader.wait_until(is_settled)
