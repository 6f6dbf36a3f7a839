"""The metrics of one node, from its state to the HTTP listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.metrics.connections import software
from raftka.broker.metrics.health import not_ready
from raftka.broker.metrics.http import HttpServer, pages
from raftka.broker.metrics.scrape import Scrape
from raftka.model.logs import get_logger
from raftka.net.request_stats import RequestStats

if TYPE_CHECKING:
    from raftka.broker.metrics.process import ProcessFigures
    from raftka.broker.node import Node
    from raftka.model.ports import Listener

log = get_logger(__name__)


class Reporter:
    """Answers Prometheus, and readiness probes."""

    def __init__(
        self, node: Node, listener: Listener, figures: ProcessFigures | None = None
    ) -> None:
        """Start to count requests, before the node's own listeners open."""
        self._node = node
        self._listener = listener
        node.request_stats = stats = RequestStats(node.clock.monotonic, node.turn)
        scrape = Scrape(node, stats, node.servers, figures)
        self._server = HttpServer(
            node.clock, pages(scrape.text, lambda: not_ready(node), lambda: _clients(node, stats))
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        log.info(
            f"metrics of node {self._node.node_id} are for Prometheus on port"
            f" {self._listener.port}: /metrics, /clients, /health/live, /health/ready"
        )
        await self._server.run(self._listener)


def _clients(node: Node, stats: RequestStats) -> dict[str, object]:
    """The versions that clients use, for `raftka doctor` before an upgrade."""
    return {
        "node": node.node_id,
        "clients": list(stats.software.report(software(node.servers))),
    }
