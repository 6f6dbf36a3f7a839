"""Gauges of the process, under the names that Prometheus' client libraries use.

They are injected (model/ports.py): a simulated node has no process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from raftka.broker.metrics.families import Family

ProcessFigures = Callable[[], Mapping[str, float]]
"""Current values of the names in `KNOWN`; those that a system does not provide are left out."""

KNOWN: Final[Mapping[str, tuple[Literal["counter", "gauge"], str]]] = {
    "process_cpu_seconds_total": ("counter", "CPU time that the process took."),
    "process_start_time_seconds": ("gauge", "When it was started, in seconds since 1970."),
    "process_resident_memory_bytes": ("gauge", "Memory that it occupies."),
    "process_virtual_memory_bytes": ("gauge", "Its address space."),
    "process_open_fds": ("gauge", "File descriptors in use."),
    "process_max_fds": ("gauge", "File descriptors that it may use."),
    "kafka_server_kafkaserver_linux_disk_read_bytes": ("counter", "Bytes read from disks."),
    "kafka_server_kafkaserver_linux_disk_write_bytes": ("counter", "Bytes written to disks."),
}


def process(figures: ProcessFigures) -> Iterator[Family]:
    """The known values of the process."""
    found = figures()
    for name, (kind, words) in KNOWN.items():
        if name in found:
            yield Family((name,), kind, words, (("", found[name]),))
