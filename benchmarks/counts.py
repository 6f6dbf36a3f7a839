"""Where the time of a request goes: calls and system calls of a leader and its followers.

    python -m benchmarks.counts
    python -m benchmarks.counts --case rf3-tiny-32 rf3-16k --functions 25
    python -m benchmarks.counts --case tiny-4x32 --metrics

The cases of benchmarks.broker; with `--metrics` the nodes keep what a scraper may ask for. Counts
repeat from run to run, unlike times: `sys.setprofile` counts calls of Python functions and of
functions in C in the thread of the event loop, `strace -c` (if there is one) the system calls of
the whole process in a turn of its own. Everything is for each request of a producer. Profiled nodes
are slow, so fewer requests come together in one turn than on fast ones: the counts are an upper
bound.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from benchmarks.broker import (
    Target,
    batch,
    check_fetch,
    create_topic,
    fetch_frame,
    load,
    produce_frame,
)
from benchmarks.load import Result, run
from raftka.local_cluster import LocalCluster
from raftka.local_ports import free_ports

_FOLDER = "RAFTKA_COUNTS"
"""The variable of the environment with the folder that counted nodes write to."""
_CASES = {
    "latency-1": (1, 100, 1, 1),
    "tiny-32": (1, 100, 32, 1),
    "tiny-4x32": (1, 100, 4, 32),
    "rf3-latency": (3, 100, 1, 1),
    "rf3-tiny-32": (3, 100, 32, 1),
    "rf3-tiny-4x32": (3, 100, 4, 32),
    "rf3-16k": (3, 16 << 10, 4, 4),
    "rf3-128k": (3, 128 << 10, 4, 2),
    "fetch-128k": (1, 128 << 10, 2, 1),
}
"""Nodes (acks=1 on one, acks=all on three), bytes of a batch or of the answer to a fetch,
connections, requests in flight on each."""

Load = Callable[[float], Result]
"""Loads the cluster for so many seconds."""


def load_of(name: str, target: Target) -> Load:
    """A case's load, on a cluster with what it reads."""
    nodes, size, connections, in_flight = _CASES[name]
    if name.startswith("fetch"):
        load(target, produce_frame(batch(size), 1), 1.0, 1, 4)
        return lambda seconds: run(
            [target.endpoint()],
            fetch_frame(size),
            connections=connections,
            in_flight=in_flight,
            seconds=seconds,
            pids=target.pids,
            check=check_fetch,
        )
    frame = produce_frame(batch(size), -1 if nodes > 1 else 1)
    return lambda seconds: load(target, frame, seconds, connections, in_flight)


class Profile:
    """Counts calls between one SIGUSR2 and the next, then writes them to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._python: Counter[Any] = Counter()
        self._c: Counter[str] = Counter()
        self._on = False

    def toggle(self, *_: object) -> None:
        """Begin, or end and write."""
        self._on = not self._on
        if self._on:
            self._python.clear()
            self._c.clear()
            sys.setprofile(self._count)
            return
        sys.setprofile(None)
        python: Counter[str] = Counter()
        for code, count in self._python.items():
            name = f"{Path(code.co_filename).name}:{code.co_qualname}"
            python[name] += count
        partial = self._path.with_suffix(".part")
        partial.write_text(json.dumps({"python": python, "c": self._c}))
        partial.rename(self._path)

    def _count(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self._python[frame.f_code] += 1
        elif event == "c_call":
            self._c[argument.__qualname__] += 1


class CountedCluster(LocalCluster):
    """Nodes that count when they get SIGUSR2."""

    def _begin(
        self,
        node_id: int,
        arguments: list[str],
        out: BinaryIO,
        command: Sequence[str] = ("-m", "raftka", "server"),
        descriptors: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        counted = ("-m", "benchmarks.counts", "serve", "server")
        return super()._begin(node_id, arguments, out, counted, descriptors)


def serve(arguments: Sequence[str]) -> None:
    """Be a node; SIGUSR2 begins and ends the counting."""
    profile = Profile(Path(os.environ[_FOLDER]) / str(os.getpid()))
    signal.signal(signal.SIGUSR2, profile.toggle)
    sys.argv = ["raftka", *arguments]
    runpy.run_module("raftka", run_name="__main__")


def calls(target: Target, loaded: Load, seconds: float, top: int) -> None:
    """Print the calls of each node for each request."""
    for pid in target.pids:
        os.kill(pid, signal.SIGUSR2)
    result = loaded(seconds)
    for pid in target.pids:
        os.kill(pid, signal.SIGUSR2)
    for number, pid in enumerate(target.pids):
        path = Path(os.environ[_FOLDER]) / str(pid)
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        found = json.loads(path.read_text())
        path.unlink()
        python, in_c = Counter(found["python"]), Counter(found["c"])
        requests = result.requests
        print(
            f"  {_role(number)} calls: {python.total() / requests:6.1f} of Python,"
            f" {in_c.total() / requests:6.1f} into C  ({requests} requests)"
        )
        for kind, counts in (("", python), ("C ", in_c)):
            for name, count in counts.most_common(top):
                print(f"    {count / requests:7.2f} {kind}{name}")


def system_calls(target: Target, loaded: Load, seconds: float) -> None:
    """Print the system calls of each node for each request; one node is traced at a time."""
    for number, pid in enumerate(target.pids):
        with tempfile.NamedTemporaryFile("r") as out:
            tracer = subprocess.Popen(
                ["strace", "-c", "-f", "-q", "-o", out.name, "-p", str(pid)],
                stderr=subprocess.DEVNULL,
            )
            time.sleep(0.3)
            result = loaded(seconds)
            tracer.send_signal(signal.SIGINT)
            tracer.wait()
            counts: dict[str, float] = {}
            for line in out:
                fields = line.split()
                if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
                    counts[fields[-1]] = int(fields[3]) / result.requests
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        said = ", ".join(f"{name} {count:.2f}" for name, count in ordered if count >= 0.01)
        print(f"  {_role(number)} system calls: {said}", flush=True)


def _role(number: int) -> str:
    return "leader    " if number == 0 else f"follower {number}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--case", nargs="*", choices=sorted(_CASES), default=["rf3-tiny-32"])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each count")
    parser.add_argument("--functions", type=int, default=0, help="how many of each node to list")
    parser.add_argument("--metrics", action="store_true", help="nodes with a metrics listener")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_FOLDER] = folder
        for name in options.case:
            nodes = _CASES[name][0]
            with (
                tempfile.TemporaryDirectory() as directory,
                CountedCluster(directory, nodes=nodes) as cluster,
            ):
                if options.metrics:
                    setting = "prometheus.metrics.reporter.listener"
                    for node_id, port in zip(cluster.node_ids, free_ports(nodes), strict=True):
                        cluster.configure(node_id, {setting: f"http://127.0.0.1:{port}"})
                cluster.start(60)
                pids = [process.pid for process in cluster.processes.values()]
                target = Target("raftka", f"127.0.0.1:{cluster.ports[1]}", pids)
                create_topic(target, nodes)
                loaded = load_of(name, target)
                loaded(1.0)
                print(name, flush=True)
                calls(target, loaded, options.seconds, options.functions)
                if shutil.which("strace"):
                    system_calls(target, loaded, options.seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2:])
    else:
        main()
