"""Where this node listens and what it tells others: the config's listeners as this process has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.ids import Endpoint

Kind = Literal["broker", "controller"]


@dataclass(frozen=True, slots=True)
class NodeListener:
    """One bound listener."""

    name: str
    kind: Kind
    bind: Endpoint
    advertised: Endpoint
    """What other nodes and clients are told; never an address that means "everywhere"."""
