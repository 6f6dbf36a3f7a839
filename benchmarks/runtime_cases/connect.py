"""Kafka Connect, standalone and distributed: a file into a topic, transformed, and out of it.

The distributed worker keeps its own topics on raftka, and its source writes in transactions
(KIP-618). In both the worker dies by SIGKILL in the middle, and goes on where it has committed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.java_process import JavaProcess, write_properties
from benchmarks.runtime_cases.stage import Stage, Unlike, rest, wait_for
from raftka.local_ports import free_ports

_CLI: Final = "org.apache.kafka.connect.cli"
_STRINGS: Final = "org.apache.kafka.connect.storage.StringConverter"
_HALF: Final = 100
_TOPIC: Final = "lines"
_STORES: Final = ("connect-configs", "connect-offsets", "connect-status")


def _source(stage: Stage) -> dict[str, Any]:
    return {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "tasks.max": "1",
        "file": str(stage.folder / "in.txt"),
        "topic": _TOPIC,
        "transforms": "hoist",
        "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
        "transforms.hoist.field": "line",
    }


def _sink(stage: Stage) -> dict[str, Any]:
    return {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "tasks.max": "1",
        "file": str(stage.folder / "out.txt"),
        "topics": _TOPIC,
    }


def _worker(stage: Stage, port: int) -> dict[str, Any]:
    return {
        "bootstrap.servers": stage.bootstrap,
        "key.converter": _STRINGS,
        "value.converter": _STRINGS,
        "listeners": f"http://127.0.0.1:{port}",
        "offset.flush.interval.ms": "500",
        "plugin.discovery": "only_scan",
        "consumer.auto.offset.reset": "earliest",
    }


def _append(path: Path, first: int) -> None:
    with path.open("a") as lines:
        lines.writelines(f"line {number}\n" for number in range(first, first + _HALF))


def _hoisted(count: int) -> list[str]:
    return [f"Struct{{line=line {number}}}" for number in range(count)]


def _through(stage: Stage, java: JavaProcess, count: int, *, exactly: bool) -> None:
    """Until a number of lines are in the topic and in the other file; raises Unlike otherwise."""
    wanted = _hoisted(count)
    found = stage.read(
        _TOPIC, lambda found: len({r.value for r in found}) >= count, java, partitions=1
    )
    values = [(record.value or b"").decode() for record in found]
    if values != wanted if exactly else list(dict.fromkeys(values)) != wanted:
        raise Unlike(f"{len(values)} records for {count} lines, or in another order")
    out = stage.folder / "out.txt"

    def there() -> bool:
        return out.exists() and list(dict.fromkeys(out.read_text().splitlines())) == wanted

    wait_for("all lines in the file of the sink", there, java)


def _standalone(stage: Stage) -> str:
    """One worker, whose offsets are in a file."""
    stage.make(_TOPIC, partitions=1)
    port = free_ports(1)[0]
    worker = {
        **_worker(stage, port),
        "offset.storage.file.filename": stage.folder / "offsets",
    }
    files = [
        write_properties(stage.folder / f"{name}.properties", settings)
        for name, settings in (
            ("worker", worker),
            ("source", {"name": "source", **_source(stage)}),
            ("sink", {"name": "sink", **_sink(stage)}),
        )
    ]
    _append(stage.folder / "in.txt", 0)
    with stage.java("standalone", f"{_CLI}.ConnectStandalone", *files) as java:
        _through(stage, java, _HALF, exactly=True)
        with stage.broker_killed():
            _append(stage.folder / "in.txt", _HALF)
        _through(stage, java, 2 * _HALF, exactly=not stage.killing)
    _append(stage.folder / "in.txt", 2 * _HALF)
    with stage.java("standalone", f"{_CLI}.ConnectStandalone", *files) as java:
        _through(stage, java, 3 * _HALF, exactly=not stage.killing)
    return f"{3 * _HALF} lines through a transformation, a topic and a sink, over a restart"


def _distributed(stage: Stage) -> str:
    """A worker that gets its orders by REST, and keeps that in compacted topics."""
    stage.make(_TOPIC, partitions=1)
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}/connectors"
    config, offsets, status = _STORES
    worker = {
        **_worker(stage, port),
        "group.id": "connect",
        "config.storage.topic": config,
        "offset.storage.topic": offsets,
        "offset.storage.partitions": "5",
        "status.storage.topic": status,
        "exactly.once.source.support": "enabled",
        "session.timeout.ms": "10000",
    }
    path = write_properties(stage.folder / "distributed.properties", worker)
    main = f"{_CLI}.ConnectDistributed"
    _append(stage.folder / "in.txt", 0)
    with stage.java("distributed", main, path) as java:
        rest(java, "GET", url)
        for name, settings in (("source", _source(stage)), ("sink", _sink(stage))):
            rest(java, "PUT", f"{url}/{name}/config", settings)
        _through(stage, java, _HALF, exactly=True)
        with stage.broker_killed():
            _append(stage.folder / "in.txt", _HALF)
        _through(stage, java, 2 * _HALF, exactly=True)
        java.kill()
    for topic in _STORES:
        stage.is_compacted(topic)
    _append(stage.folder / "in.txt", 2 * _HALF)
    with stage.java("distributed", main, path) as java:
        _through(stage, java, 3 * _HALF, exactly=True)
        states = {
            rest(java, "GET", f"{url}/{name}/status")["connector"]["state"]
            for name in ("source", "sink")
        }
        if states != {"RUNNING"}:
            raise Unlike(f"the connectors are {states}")
        for name in ("source", "sink"):
            rest(java, "DELETE", f"{url}/{name}")
    return f"{3 * _HALF} lines, each once and in order, over the SIGKILL of the worker"


CASES: Final[dict[str, Callable[[Stage], str]]] = {
    "connect-standalone": _standalone,
    "connect-distributed": _distributed,
}
