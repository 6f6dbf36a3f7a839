"""This process's use of resources, for metrics; on Linux, from /proc (proc(5))."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from pathlib import Path

_STARTED_AT = time.time()
_IN_STATM = ("process_virtual_memory_bytes", "process_resident_memory_bytes")
_IN_IO = {
    "read_bytes": "kafka_server_kafkaserver_linux_disk_read_bytes",
    "write_bytes": "kafka_server_kafkaserver_linux_disk_write_bytes",
}


def process_figures() -> Mapping[str, float]:
    """Figures by the names of broker/metrics/process.py, as far as the system reports them."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "process_cpu_seconds_total": usage.ru_utime + usage.ru_stime,
        "process_start_time_seconds": _STARTED_AT,
        "process_max_fds": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    if os.path.isdir("/proc/self"):
        page = resource.getpagesize()
        statm = Path("/proc/self/statm").read_text().split()
        found |= {name: int(pages) * page for name, pages in zip(_IN_STATM, statm, strict=False)}
        found["process_open_fds"] = len(os.listdir("/proc/self/fd"))
        for line in _lines_of_io():
            name, _, value = line.partition(": ")
            if name in _IN_IO:
                found[_IN_IO[name]] = int(value)
    return found


def _lines_of_io() -> list[str]:
    try:
        return Path("/proc/self/io").read_text().splitlines()
    except PermissionError:
        return []  # A hardened /proc is unreadable even for a container's own processes.
