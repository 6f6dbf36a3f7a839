"""A node's quotas: the limits in the metadata, and the clients' usage."""

from __future__ import annotations

from raftka.broker.quotas.client_rates import ClientRates
from raftka.broker.quotas.connections import ConnectionRates
from raftka.broker.quotas.meter import Metering
from raftka.broker.quotas.rates import Windows
from raftka.kraft.controller.client_quotas import (
    CONSUMER_BYTE_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
)
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.kraft.sections.client_quotas import entity_text
from raftka.model.logs import get_logger
from raftka.model.ports import Clock
from raftka.model.settings import Config
from raftka.net.router import Context, NodeT

log = get_logger(__name__)


class Quotas:
    """One per broker; implements net.dispatch.Meter. Rates start empty, as in Kafka."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._clock = clock
        windows = Windows(
            config.int("quota.window.num"), config.int("quota.window.size.seconds") * 1000
        )
        self.is_active = False
        """Whether any client has a quota; addresses do not count."""
        self.produce = ClientRates(PRODUCER_BYTE_RATE, windows)
        self.fetch = ClientRates(CONSUMER_BYTE_RATE, windows)
        self.request = ClientRates(REQUEST_PERCENTAGE, windows, longest_ms=windows.window_ms)
        self.connections = ConnectionRates(windows)

    def begin(self, context: Context[NodeT], *, is_exempt: bool) -> Metering:
        """Start to measure a request; the time of an exempt one is not counted."""
        return Metering(self, self._clock, context, times=not is_exempt)

    def published(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Metadata publisher: apply altered quotas."""
        if not delta.client_quotas.changed:
            return
        quotas = image.client_quotas
        for each in (self.produce, self.fetch, self.request, self.connections):
            each.follow(quotas)
        self.is_active = any(kind != "ip" for entity in quotas for kind, _ in entity)
        for entity in delta.client_quotas.changed:
            values = ", ".join(f"{key}={value:g}" for key, value in quotas.get(entity, {}).items())
            log.info(f"quotas of {entity_text(entity)}: {values or 'none'}")
