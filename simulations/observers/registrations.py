"""The brokers that run and whose current process is registered, according to the metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.simulations.machines.machine import Machine
from raftka.simulations.observers.metadata import ObservedMetadata


class Registrations:
    """Whether each broker's process is registered, and on which disk it runs."""

    def __init__(
        self,
        machines: Mapping[int, Machine],
        metadata: ObservedMetadata,
        note: Callable[[str], None],
        *,
        on_new_disk: Callable[[MetadataImage, int], None],
        on_registered: Callable[[int], None],
    ) -> None:
        """`on_new_disk` is called when a broker registers for the first time since its disk was
        replaced, `on_registered` whenever a broker that was known before registers again."""
        self._machines = machines
        self._metadata = metadata
        self._note = note
        self._on_new_disk = on_new_disk
        self._on_registered = on_registered
        self._started_after: dict[int, int] = {}
        """The committed offset of the metadata log when a broker's process started."""
        self.unregistered_alive: set[int] = set()
        """Brokers that were unregistered while their process ran: it continues, fenced."""
        self._founders = {each.node_id for each in machines.values() if each.is_broker}
        self._wiped: set[int] = set()
        """Brokers that have not registered since their disk was replaced."""

    def started(self, broker_id: int, committed: int) -> None:
        """A process starts while the metadata log is committed up to `committed`."""
        self.unregistered_alive.discard(broker_id)
        self._started_after[broker_id] = committed

    def disk_replaced(self, broker_id: int) -> None:
        """The disk with a broker's logs was replaced."""
        self._wiped.add(broker_id)

    def is_current(self, broker_id: int) -> bool:
        """Whether a broker runs and its current process is registered."""
        return self.is_running(broker_id) and self.was_registered(broker_id)

    def is_running(self, broker_id: int) -> bool:
        """Whether a broker has a process."""
        machine = self._machines.get(broker_id)
        return machine is not None and machine.process is not None

    def was_registered(self, broker_id: int) -> bool:
        """Whether a broker's newest process is registered, whether or not it still runs."""
        broker = self._metadata.image.brokers.get(broker_id)
        return broker is not None and broker.epoch > self._started_after.get(broker_id, 0)

    def life_of(self, host: str) -> int | None:
        """The number of a host's process, if it is registered."""
        broker_id = int(host[1:])
        machine = self._machines.get(broker_id)
        if machine is None or machine.process is None or not self.was_registered(broker_id):
            return None
        return machine.process.number

    def image_committed(
        self, before: MetadataImage, image: MetadataImage, delta: MetadataDelta
    ) -> None:
        """The metadata has changed."""
        for broker_id in delta.brokers.changed:
            old, new = before.brokers.get(broker_id), image.brokers.get(broker_id)
            if old is None and broker_id not in self._founders:
                self._note("broker joined")
            elif new is None:
                self._note("broker left")
                if self.is_running(broker_id):
                    self._note("broker unregistered alive")
                    self.unregistered_alive.add(broker_id)
                self._founders.discard(broker_id)
            if new is None or (old is not None and old.epoch == new.epoch):
                continue
            if broker_id in self._wiped:
                self._wiped.discard(broker_id)
                self._on_new_disk(image, broker_id)
            if old is not None:
                self._on_registered(broker_id)
