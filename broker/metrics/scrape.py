"""All metrics of a node in one answer.

The text is written in slices with a checkpoint after each, so that no request waits for a whole
scrape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from raftka.broker.metrics.arrivals import Arrivals, Position
from raftka.broker.metrics.cleaner import cleaner
from raftka.broker.metrics.cluster import brokers, controller, disks, node_state
from raftka.broker.metrics.connections import connections
from raftka.broker.metrics.end_offsets import EndOffsets
from raftka.broker.metrics.families import Family, text_of
from raftka.broker.metrics.groups import group_positions, groups
from raftka.broker.metrics.partitions import PartitionFamilies, isr_changes, traffic
from raftka.broker.metrics.process import ProcessFigures, process
from raftka.broker.metrics.quorum import QuorumMetrics
from raftka.broker.metrics.requests import requests
from raftka.broker.metrics.transactions import (
    LATE_MS,
    coordinator_loads,
    markers,
    producers,
    verification,
)
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import FileRegion, bytes_of
from raftka.model.record_batch import HEADER_BYTES, parse_header

if TYPE_CHECKING:
    from raftka.broker.coordinators.group.shard import GroupFigures
    from raftka.broker.node import Node
    from raftka.net.request_stats import RequestStats
    from raftka.net.server import Server

_SLICE: Final = 128 * 1024
"""Bytes of text between two checkpoints: less than a millisecond, even without reused text."""
_POSITIONS: Final = 200
"""Positions of groups between two checkpoints; each may read a batch's header."""


class Scrape:
    """Writes the metrics of one node for each scrape."""

    def __init__(
        self,
        node: Node,
        stats: RequestStats,
        servers: Sequence[Server],
        figures: ProcessFigures | None = None,
    ) -> None:
        self._node = node
        self._stats = stats
        self._servers = servers
        self._figures = figures
        self._quorum = QuorumMetrics()
        self._ends = EndOffsets(node)
        self._arrivals = Arrivals(self._first_ms)
        self._partitions = PartitionFamilies()
        self._partitions_max = node.config.int("raftka.metrics.partitions.max")
        allowed = node.config.names("prometheus.metrics.reporter.allowlist")
        self._allowed = [re.compile(pattern) for pattern in allowed if pattern != ".*"]

    async def text(self) -> list[bytes]:
        """The current exposition, in pieces; most are reused from the previous scrape, and joining
        them would take longer than everything else."""
        node = self._node
        found = node.coordinators.group_figures() if node.is_broker else []
        shares = self._shares()
        wanted = {at for group in found for at in group.offsets}
        ends = await self._ends.of(wanted | {each.at for each in shares})
        lags = [*group_positions(found), *shares]
        now_ms = node.clock.wall_ms()
        self._arrivals.look(ends, now_ms)
        seconds: dict[Position, float] = {}
        for first in range(0, len(lags), _POSITIONS):
            if first:
                await node.clock.sleep(0)
            seconds |= self._arrivals.seconds(lags[first : first + _POSITIONS], ends, now_ms)
        for _ in self._partitions.look(node.replicas) if node.is_broker else ():
            await node.clock.sleep(0)
        families: Iterator[Family] = self._families(found, shares, ends, seconds)
        if self._allowed:
            families = filter(None, map(self._allow, families))
        pieces: list[bytes] = []
        size = 0
        for piece in text_of(families):
            pieces.append(piece)
            size += len(piece)
            if size >= _SLICE:
                size = 0
                await node.clock.sleep(0)
        return pieces

    def _shares(self) -> list[Position]:
        """The positions of share groups whose state this broker holds."""
        node = self._node
        if not node.is_broker:
            return []
        names = node.image.topic_names
        return [
            Position(key.group_id, TopicPartition(name, key.partition), start, done)
            for key, start, done in node.coordinators.share_figures()
            if (name := names.get(key.topic_id)) is not None
        ]

    def _first_ms(self, at: TopicPartition, offset: int) -> int | None:
        """When the record at an offset was written, if this broker leads the partition."""
        replica = self._node.replicas.get(*at)
        if replica is None or not replica.state.is_leader:
            return None
        try:
            found = replica.log.read(offset, HEADER_BYTES, replica.state.high_watermark)
            if not found.pieces:
                return None
            piece = found.pieces[0]
            if isinstance(piece, FileRegion):
                piece = piece._replace(size=HEADER_BYTES)  # A log returns whole batches.
            return parse_header(bytes_of(piece)[:HEADER_BYTES]).base_timestamp
        except (KafkaError, OSError):
            # The log starts later, or its files are gone: how long that record had waited is
            # unknown.
            return None

    def _families(
        self,
        found: list[GroupFigures],
        shares: list[Position],
        ends: Mapping[TopicPartition, int],
        seconds: Mapping[Position, float],
    ) -> Iterator[Family]:
        node = self._node
        yield from node_state(node)
        yield from self._quorum.gather(node, node.clock.monotonic())
        if node.is_controller:
            yield from controller(node)
        if node.is_active_controller:
            yield from brokers(node.image)
        if node.is_broker:
            yield from traffic(node.replicas.index.traffic)
            yield from disks(node)
            yield from isr_changes(node.data_plane.alter_partition)
            yield from self._partitions.gather(self._partitions_max)
            yield from cleaner(node.cleaner, node.logs, node.clock.wall_ms())
            yield from groups(found, shares, ends, seconds)
            yield from self._transactions()
            if "client_metrics" in node.__dict__:
                # Loaded by the first client that pushed something (KIP-714).
                from raftka.broker.metrics.clients import clients

                yield from clients(node.client_metrics, node.clock.wall_ms())
        yield from requests(self._stats)
        yield from connections(self._servers)
        if self._figures is not None:
            yield from process(self._figures)

    def _transactions(self) -> Iterator[Family]:
        """Metrics of the loaded coordinators, and of open transactions in partitions here."""
        node = self._node
        figures = node.coordinators.transaction_figures()
        yield from markers(figures)
        for name, loads in node.coordinators.loads().items():
            yield from coordinator_loads(name, loads, node.clock.monotonic())
        yield from verification(figures)
        late_ms = node.config.int("transaction.max.timeout.ms") + LATE_MS
        yield from producers(node.replicas, node.clock.wall_ms() - late_ms)

    def _allow(self, family: Family) -> Family | None:
        """The family with the names that prometheus.metrics.reporter.allowlist matches."""
        names = tuple(
            name
            for name in family.names
            if any(pattern.fullmatch(name) for pattern in self._allowed)
        )
        return family._replace(names=names) if names else None
