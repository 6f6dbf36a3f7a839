"""A real node sends spans to a receiver of OTLP; a silent receiver does not disturb clients."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire


class Receiver:
    """A minimal collector of spans."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, Any]]] = []
        """(path, the header x-key, the request)"""
        self.status = 200
        self.port = 0

    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for _, _, request in self.got
            for resource in request["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@contextmanager
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.status == 200:
                found.got.append((self.path, self.headers["x-key"] or "", json.loads(body)))
            self.send_response(found.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def produce(bootstrap: str) -> None:
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, "client.id": "shop"})
    producer.produce("t", b"x", on_delivery=lambda e, _: errors.append(e) if e else None)
    assert producer.flush(20) == 0 and errors == []


def test_spans_arrive_and_a_deaf_receiver_disturbs_nobody(tmp_path: Path) -> None:
    with receiver() as collector:
        settings = {
            "raftka.otlp.traces.endpoint": f"http://127.0.0.1:{collector.port}/v1/traces",
            "raftka.otlp.traces.ratio": "1",
            "raftka.otlp.headers": "x-key=secret",
        }
        with LocalCluster(tmp_path, nodes=1, settings=settings) as cluster:
            cluster.start()
            before_ns = time.time_ns()
            produce(cluster.bootstrap)
            named = wait_for(collector, "Produce")
            path, key, request = collector.got[-1]
            assert (path, key) == ("/v1/traces", "secret")
            (resource,) = request["resourceSpans"]
            about = {each["key"]: each["value"] for each in resource["resource"]["attributes"]}
            assert about["service.name"] == {"stringValue": "raftka"}
            assert about["service.instance.id"] == {"stringValue": "1"}
            assert len(named["traceId"]) == 32 and len(named["spanId"]) == 16
            assert named["kind"] == 2 and "parentSpanId" not in named
            began, ended = int(named["startTimeUnixNano"]), int(named["endTimeUnixNano"])
            assert began <= ended and abs(began - before_ns) < 20 * 10**9
            attributes = {each["key"]: each["value"] for each in named["attributes"]}
            assert attributes["client.id"] == {"stringValue": "shop"}
            assert int(attributes["kafka.api.version"]["intValue"]) >= 7
            stages = [each for each in collector.spans() if each["traceId"] == named["traceId"]]
            assert {each["name"] for each in stages} >= {"Produce", "Produce local"}
            collector.status = 503
            produce(cluster.bootstrap)
            deadline = time.monotonic() + 20
            while "spans cannot be sent" not in cluster.log(1):
                assert time.monotonic() < deadline, cluster.log(1)
                time.sleep(0.1)
            produce(cluster.bootstrap)


def wait_for(collector: Receiver, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while True:
        for each in collector.spans():
            if each["name"] == name:
                return each
        assert time.monotonic() < deadline, [each["name"] for each in collector.spans()]
        time.sleep(0.05)
