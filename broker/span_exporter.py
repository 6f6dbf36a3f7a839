"""Sends spans to a collector, by OTLP over HTTP in its JSON encoding (opentelemetry-proto 1.x).

Loaded if `raftka.otlp.traces.endpoint` is set. Collectors and tracing servers accept this encoding
as well as protobuf, and it needs no library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection
from raftka.model.settings.config import Problem, WrongSettings
from raftka.model.tls_settings import TlsSettings
from raftka.net.request_spans import Span, Spans
from raftka.net.security.http import Http, parse_url
from raftka.net.security.openssl import OpenSsl

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.model.ports import Clock, TlsContext
    from raftka.model.settings import Config

log = get_logger(__name__)

_EVERY_S: Final = 2.0
_AT_ONCE: Final = 512
_SERVER: Final = 2
"""SPAN_KIND_SERVER; stages are SPAN_KIND_INTERNAL."""
_INTERNAL: Final = 1
_ENDPOINT: Final = "raftka.otlp.traces.endpoint"
_HEADERS: Final = "raftka.otlp.headers"
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([ -~]*)")
"""A valid header (RFC 9110, 5.1 and 5.5): others would make the request invalid."""


class SpanExporter:
    """Sends the spans every two seconds; spans that cannot be sent are dropped."""

    def __init__(
        self,
        spans: Spans,
        http: Http,
        url: str,
        clock: Clock,
        resource: dict[str, str],
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._spans = spans
        self._http = http
        self._url = url
        self._clock = clock
        self._resource = resource
        self._headers = [("Content-Type", "application/json"), *headers]
        self._fails = False

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._clock.sleep(_EVERY_S)
            while found := self._spans.taken(_AT_ONCE):
                await self._send(found)

    async def _send(self, spans: list[Span]) -> None:
        offset_ns = self._clock.wall_ms() * 1_000_000 - int(self._clock.monotonic() * 1e9)
        body = json.dumps(request_of(spans, self._resource, offset_ns)).encode()
        try:
            await self._http.ask(self._url, headers=self._headers, body=body)
        except BrokenConnection as error:
            if not self._fails:
                log.warning(
                    f"spans cannot be sent to {_ENDPOINT}, and are dropped until they can: {error}"
                )
            self._fails = True
            return
        if self._fails or self._spans.dropped:
            log.info(f"spans are sent again; {self._spans.dropped} were too many for their queue")
            self._spans.dropped = 0
        self._fails = False


def request_of(spans: Sequence[Span], resource: dict[str, str], offset_ns: int) -> dict[str, Any]:
    """An ExportTraceServiceRequest; `offset_ns` is the clock's zero in nanoseconds since 1970."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(tuple(resource.items()))},
                "scopeSpans": [
                    {
                        "scope": {"name": "raftka"},
                        "spans": [_span(each, offset_ns) for each in spans],
                    }
                ],
            }
        ]
    }


def _span(span: Span, offset_ns: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "kind": _SERVER if span.parent_id is None else _INTERNAL,
        "startTimeUnixNano": str(int(span.began_s * 1e9) + offset_ns),
        "endTimeUnixNano": str(int(span.ended_s * 1e9) + offset_ns),
        "attributes": _attributes(span.attributes),
    }
    if span.parent_id is not None:
        found["parentSpanId"] = span.parent_id.hex()
    return found


def _attributes(pairs: tuple[tuple[str, str | int], ...]) -> list[dict[str, Any]]:
    """Integers are strings in this encoding, as in protobuf's JSON for 64 bits."""
    return [
        {
            "key": name,
            "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value},
        }
        for name, value in pairs
    ]


def exporter_of(node: Node) -> SpanExporter:
    """The exporter of this node's spans, which are recorded from now on. Raises WrongSettings."""
    config = node.config
    url = config.text(_ENDPOINT)
    try:
        parse_url(url)
    except ValueError as error:
        raise WrongSettings([Problem(_ENDPOINT, url, str(error))]) from error
    node.spans = Spans(node.clock, node.dice, config.number("raftka.otlp.traces.ratio"))

    @cache
    def context() -> TlsContext:
        """Cached: reading the system's certificate authorities blocks the node for 50 ms."""
        return OpenSsl().context(TlsSettings(), server=False)

    http = Http(node.network, node.clock, context)
    resource = {
        "service.name": "raftka",
        "service.instance.id": str(node.node_id),
        "raftka.cluster.id": node.cluster_id,
    }
    return SpanExporter(node.spans, http, url, node.clock, resource, _headers(config))


def _headers(config: Config) -> list[tuple[str, str]]:
    """Parse `name=value` pairs, separated by commas. Raises WrongSettings."""
    found = []
    for each in filter(None, (config.optional_text(_HEADERS) or "").split(",")):
        header = _HEADER.fullmatch(each.strip())
        if header is None:
            words = "it must be name=value in ASCII, with commas between several"
            raise WrongSettings([Problem(_HEADERS, None, words)])
        found.append((header[1], header[2].strip()))
    return found
