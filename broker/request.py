"""What every handler needs: `handles`, to register it, and its argument, `Context`.

broker/routes.py has the table of routes and imports handlers on demand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from raftka.net import router

if TYPE_CHECKING:
    from raftka.broker.node import Node

Context: TypeAlias = "router.Context[Node]"
"""The context of a request to a raftka node."""

ROUTER: router.Router[Node] = router.Router()
handles = ROUTER.handles
