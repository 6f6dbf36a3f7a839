"""Detects dead broker processes: a refused connection is proof; silence is not.

When a process is killed, its machine refuses connections to its port at once. A broker that is
slow, stopped or partitioned accepts or does not answer: then only its session timeout decides.
"""

from __future__ import annotations

from typing import Final

from raftka.kraft.image import BrokerImage
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection, Clock, Network, NoAnswer

_TIMEOUT_S: Final = 1.0
_SILENCE: Final = 0.9
"""The fraction of the timeout from which on a failure counts as silence, not as refusal."""

FIRST_LOOK_S: Final = 0.03
"""Delay after a connection broke: time enough for a live broker to reconnect."""
_LAST_INTERVAL_S: Final = 2.0


def probe_intervals() -> list[float]:
    """Seconds to wait before each probe; the last one repeats.

    They start short, because a dying process's port may accept connections a moment longer.
    """
    intervals = [FIRST_LOOK_S]
    while intervals[-1] < _LAST_INTERVAL_S:
        intervals.append(intervals[-1] * 2)
    return intervals


def probe_endpoint(broker: BrokerImage, inter_broker_listener: str) -> Endpoint | None:
    """The broker's endpoint for other nodes, or None if it has none."""
    found = broker.endpoint(inter_broker_listener)
    if found is None and broker.endpoints:
        found = Endpoint(broker.endpoints[0].host, broker.endpoints[0].port)
    return found


async def refuses(network: Network, clock: Clock, where: Endpoint) -> bool:
    """Whether connections to the endpoint are refused."""
    began_s = clock.monotonic()
    try:
        connection = await network.connect(where.host, where.port, timeout_s=_TIMEOUT_S)
    except NoAnswer:
        return False  # The other addresses of its name may be refused at once.
    except BrokenConnection:
        return clock.monotonic() - began_s < _TIMEOUT_S * _SILENCE
    connection.close()
    return False
