"""The endpoints of the leaders in an answer (KIP-951), which save clients a Metadata request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from raftka.kraft.image import MetadataImage

E = TypeVar("E")


def node_endpoints(
    image: MetadataImage, listener: str, leaders: Iterable[int], endpoint: Callable[..., E]
) -> list[E]:
    """One `endpoint` for each of `leaders` that has one for the client's listener."""
    endpoints: list[E] = []
    for broker_id in sorted(set(leaders)):
        broker = image.brokers.get(broker_id)
        where = None if broker is None else broker.endpoint(listener)
        if broker is not None and where is not None:
            endpoints.append(
                endpoint(node_id=broker_id, host=where.host, port=where.port, rack=broker.rack)
            )
    return endpoints
