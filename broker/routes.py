"""All APIs of a node: the handlers, found by importing their folder.

Their names stand nowhere else. `pkgutil` finds them in a folder, in an installed wheel and in a
zip file alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from raftka.broker import handlers
from raftka.broker.request import ROUTER
from raftka.net.router import Listener, Route

if TYPE_CHECKING:
    from raftka.broker.node import Node

for _module in iter_modules(handlers.__path__, f"{handlers.__name__}."):
    import_module(_module.name)


def routes(listener: Listener) -> Mapping[int, Route[Node]]:
    """The APIs that a listener of that kind answers, by key in ascending order."""
    return ROUTER.routes(listener)


def forwarded_routes() -> Mapping[int, Route[Node]]:
    """The APIs that a broker may send on to the active controller."""
    return ROUTER.forwarded()
