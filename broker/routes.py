"""All APIs of a node: each handler's module is imported when the first request needs it.

A handler's registration is in its module; broker/promises.py, which is generated from the
registrations, maps APIs to modules, and ApiVersions uses it without importing any. So a node that
has just started answers its first producer without importing the fifty modules and message types
that most clients never use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from raftka.broker import handlers
from raftka.broker.promises import PROMISES, Promise
from raftka.broker.request import ROUTER
from raftka.net.router import Listener, Route, is_served_on

if TYPE_CHECKING:
    from raftka.broker.node import Node


class Routes(Mapping[int, "Route[Node]"]):
    """Routes by API key, ascending. `get` is one dict lookup once a route was used."""

    def __init__(self, serves: Callable[[Promise], bool]) -> None:
        self._promises = {key: each for key, each in PROMISES.items() if serves(each)}
        self._found: dict[int, Route[Node]] = {}

    def get(self, key: int, default: Any = None) -> Any:
        """The route, or `default`; imports its handler the first time."""
        return self._found.get(key) or (self[key] if key in self._promises else default)

    def __getitem__(self, key: int) -> Route[Node]:
        import_module(f"{handlers.__name__}.{self._promises[key].module}")
        found = self._found[key] = ROUTER.all()[key]
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._promises)

    def __len__(self) -> int:
        return len(self._promises)


def import_all() -> None:
    """Import every handler now: for processes that run many nodes, or must not read files later."""
    for each in PROMISES.values():
        import_module(f"{handlers.__name__}.{each.module}")


def routes(listener: Listener) -> Routes:
    """The APIs that a listener of that kind serves."""
    return Routes(lambda each: is_served_on(listener, each.listeners, each.forward))


def forwarded_routes() -> Routes:
    """The APIs that a broker may forward to the active controller."""
    return Routes(lambda each: each.forward)
