"""Opens the listeners of a node, those on port 0 on a free port."""

from __future__ import annotations

from raftka.broker.node import Node
from raftka.model.ports import Listener
from raftka.model.settings.listeners import on_port


async def number_listeners(node: Node) -> None:
    """Give listeners on port 0 a free one, before others learn where this broker listens."""
    taken = []
    try:
        for name, each in node.listeners.items():
            if each.kind == "broker" and each.bind.port == 0:
                free = await node.network.listen(each.bind.host, 0)
                taken.append(free)
                node.listeners[name] = on_port(each, free.port)
    finally:
        for free in taken:
            free.close()


async def bind(node: Node, kind: str) -> dict[str, Listener]:
    """Open the listeners of that kind. Raises OSError for an address that cannot be had."""
    found = {}
    for each in node.listeners.values():
        if each.kind == kind:
            found[each.name] = await node.network.listen(each.bind.host, each.bind.port)
    return found
