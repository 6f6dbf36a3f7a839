"""What every handler needs: `handles`, to register it, and the `Context` that it is called with.

broker/routes.py has the table of routes and imports the handlers as they are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from raftka.net import router

if TYPE_CHECKING:
    from raftka.broker.node import Node

Context: TypeAlias = "router.Context[Node]"
"""A request to a node of ours."""

ROUTER: router.Router[Node] = router.Router()
handles = ROUTER.handles
