"""Telemetry subscriptions and client instances (KIP-714): which metrics clients push, and when.
Pure.

A client fetches its subscription, and pushes those metrics once per interval. A client that asks or
pushes too early is refused; one whose subscription has changed gets an error, and fetches it again.
The table of clients is bounded; the one that was silent longest is dropped first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from raftka.kraft.image import CLIENT_METRICS_RESOURCE, ConfigResource
from raftka.model.crc import crc32c
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import uuid_text
from raftka.model.settings.client_metrics import INTERVAL_MS, matchers
from raftka.net.router import Context, NodeT

ALL_METRICS: Final = "*"
MOST_CLIENTS: Final = 10_000
CODECS: Final = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
ACCEPTED: Final = (4, 3, 1, 2)
"""The codecs that a client may use, best first; uncompressed metrics are always accepted."""

Entries = Mapping[ConfigResource, Mapping[str, str]]


class Client(NamedTuple):
    """The attributes of a client that subscriptions can match."""

    client_id: str
    software_name: str
    software_version: str
    address: str
    port: str


def client_of(context: Context[NodeT]) -> Client:
    """The client of a request."""
    session = context.session
    port = session.peer.rpartition(":")[2]
    return Client(context.client_id or "", *session.software, session.client_address, port)


class Subscription(NamedTuple):
    """The metrics that one client should push."""

    id: int
    interval_ms: int
    metrics: tuple[str, ...]


@dataclass(slots=True)
class _Instance:
    client: Client
    subscription: Subscription
    asked_ms: int
    pushed_ms: int = 0
    refused: ErrorCode = ErrorCode.NONE
    """Why its last push was refused; then it may fetch its subscription at once."""
    has_ended: bool = False


class Telemetry:
    """The client instances that have contacted this broker."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._instances: dict[bytes, _Instance] = {}

    def get(
        self, instance_id: bytes, client: Client, configs: Entries, now_ms: int
    ) -> Subscription:
        """A client's subscription. Raises KafkaError THROTTLING_QUOTA_EXCEEDED."""
        wanted = subscription_of(instance_id, client, configs)
        known = self._instances.pop(instance_id, None)
        if known is None:
            known = _Instance(client, wanted, now_ms)
            while len(self._instances) >= MOST_CLIENTS:
                del self._instances[next(iter(self._instances))]
        else:
            soon = now_ms - max(known.asked_ms, known.pushed_ms) < known.subscription.interval_ms
            if soon and known.refused not in _ASK_AGAIN:
                self._instances[instance_id] = known
                raise _too_soon(instance_id)
            known.client, known.subscription = client, wanted
            known.asked_ms, known.refused = now_ms, ErrorCode.NONE
        self._instances[instance_id] = known
        return wanted

    def push(
        self,
        instance_id: bytes,
        client: Client,
        configs: Entries,
        now_ms: int,
        *,
        subscription_id: int,
        terminating: bool,
        codec: int,
        size: int,
    ) -> Subscription:
        """Accept a client's push; return its subscription. Raises KafkaError."""
        known = self._instances.pop(instance_id, None)
        if known is None:
            wanted = subscription_of(instance_id, client, configs)
            known = _Instance(client, wanted, 0)
        self._instances[instance_id] = known
        try:
            self._check(known, instance_id, now_ms, subscription_id, terminating, codec, size)
            current = subscription_of(instance_id, client, configs)
            if current.id != subscription_id:
                words = f"Unknown client subscription id: {subscription_id}"
                raise KafkaError(ErrorCode.UNKNOWN_SUBSCRIPTION_ID, words)
        except KafkaError as error:
            known.refused = error.code
            raise
        finally:
            known.has_ended = known.has_ended or terminating
        known.pushed_ms, known.refused = now_ms, ErrorCode.NONE
        return known.subscription

    def _check(
        self,
        known: _Instance,
        instance_id: bytes,
        now_ms: int,
        subscription_id: int,
        terminating: bool,
        codec: int,
        size: int,
    ) -> None:
        if known.has_ended:
            words = "Client sent another push request with the terminating flag set before"
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
        # The first push may come at any time, so that clients that start together spread out.
        soon = known.pushed_ms and now_ms - known.pushed_ms < known.subscription.interval_ms
        if soon and not terminating and known.refused not in _ASK_AGAIN:
            raise _too_soon(instance_id)
        if known.subscription.id != subscription_id:
            words = f"Unknown client subscription id: {subscription_id}"
            raise KafkaError(ErrorCode.UNKNOWN_SUBSCRIPTION_ID, words)
        if codec not in CODECS:
            raise KafkaError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"Unknown codec: {codec}")
        if size > self.max_bytes:
            words = f"Telemetry request of {size} bytes; {self.max_bytes} are allowed"
            raise KafkaError(ErrorCode.TELEMETRY_TOO_LARGE, words)


_ASK_AGAIN: Final = (
    ErrorCode.UNKNOWN_SUBSCRIPTION_ID,
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
)


def _too_soon(instance_id: bytes) -> KafkaError:
    return KafkaError(
        ErrorCode.THROTTLING_QUOTA_EXCEEDED,
        f"Request from the client [{instance_id.hex()}] arrived before the next push interval time",
    )


def subscription_of(instance_id: bytes, client: Client, configs: Entries) -> Subscription:
    """The union of all subscriptions that match a client, at the shortest interval."""
    metrics: set[str] = set()
    interval_ms = INTERVAL_MS
    matched = False
    for resource, entries in configs.items():
        if resource.type != CLIENT_METRICS_RESOURCE:
            continue
        if not _matches(instance_id, client, matchers(entries.get("match", ""))):
            continue
        own_ms = int(entries.get("interval.ms", INTERVAL_MS))
        interval_ms = min(interval_ms, own_ms) if matched else own_ms
        matched = True
        wanted = (each.strip() for each in entries.get("metrics", "").split(","))
        metrics.update(filter(None, wanted))
    chosen = (ALL_METRICS,) if ALL_METRICS in metrics else tuple(sorted(metrics))
    seed = f"{chosen}{interval_ms}".encode()
    id = (crc32c(seed) ^ crc32c(instance_id)) & 0x7FFFFFFF
    return Subscription(id, interval_ms, chosen)


def _matches(instance_id: bytes, client: Client, patterns: Mapping[str, re.Pattern[str]]) -> bool:
    values = {
        "client_instance_id": uuid_text(instance_id),
        "client_id": client.client_id,
        "client_software_name": client.software_name,
        "client_software_version": client.software_version,
        "client_source_address": client.address,
        "client_source_port": client.port,
    }
    return all(pattern.fullmatch(values[name]) for name, pattern in patterns.items())
