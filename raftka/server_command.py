"""`raftka server`: runs a node until a signal stops it.

The first SIGTERM or SIGINT is a controlled shutdown, the second ends the process at once. Heavy
modules are imported after the arguments were checked; the garbage collector is off meanwhile,
because a start allocates much and frees little.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Final, Protocol

from raftka import logs
from raftka.configuration import Unreadable, gather, is_single, make_config
from raftka.model.logs import get_logger
from raftka.model.named_tuple import NamedTuple
from raftka.model.settings import WrongSettings
from raftka.model.settings.listeners import listeners, metrics_endpoint
from raftka.model.version import __version__

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from raftka.broker.metrics.process import ProcessFigures
    from raftka.broker.node import Node
    from raftka.model.ports import Disk, Network
    from raftka.model.settings import Config

log = get_logger(__name__)

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_GC_THRESHOLDS: Final = (20_000, 20, 50)
"""Reference counting frees nearly all that a serving node allocates before the next request."""


class Around(Protocol):
    """A layer between a node and its machine, such as the faults of a test."""

    def disk(self, disk: Disk) -> Disk:
        """The disk as the node will see it."""
        ...

    def network(self, network: Network) -> Network:
        """The network as the node will see it."""
        ...

    def serving(self) -> None:
        """Called once, when the node serves."""
        ...

    async def obey(self) -> None:
        """A task beside the node, until it is cancelled."""
        ...


def main(argv: list[str], around: Around | None = None) -> int:
    """Run a node; returns 0 after a controlled shutdown, 1 when it could not start."""
    gc.disable()
    options = _plain(argv) or Options(**vars(_parser().parse_args(argv)))
    format_first = options.dev or options.file is None
    try:
        logs.configure(options.log_level)
        settings = gather(options.file, options.override, os.environ)
        if options.processes != 1:
            return _supervise(settings, options, format_first=format_first)
        config = make_config(settings)
        logs.use_format(config.text("raftka.log.format"))
    except WrongSettings as error:
        return failed("these settings are wrong:\n  " + str(error).replace("\n", "\n  "))
    except (Unreadable, ValueError) as error:
        return failed(str(error))
    tell_notices(config)
    return run(config, format_first=format_first, around=around)


def _supervise(settings: Mapping[str, str], options: Options, *, format_first: bool) -> int:
    """Run several nodes from one configuration; returns the exit code. Raises ValueError."""
    from raftka.processes.plan import plan

    plans = plan(settings, options.processes)
    for each in plans:
        make_config(each)
    from raftka.processes.supervisor import supervise

    return supervise(plans, options.log_level, format_first=format_first)


def run(config: Config, *, format_first: bool, around: Around | None = None) -> int:
    """Format the directories if requested, then serve; returns the exit code."""
    from raftka.quick_trio import import_trio

    import_trio()
    from raftka.formatting import FormatRefused
    from raftka.model.errors import KafkaError
    from raftka.model.ports import BrokenConnection
    from raftka.storage.meta_properties import BadDirectory
    from raftka.storage.posix import PosixDisk

    # Some settings are only understood where they are used: certificates, URLs.
    refusals = (BadDirectory, BrokenConnection, FormatRefused, KafkaError, OSError, WrongSettings)
    _take_descriptors()
    disk = PosixDisk()
    try:
        if format_first:
            _format_if_new(config, disk)
        import trio

        return trio.run(_serve, config, disk, around)
    except refusals as error:
        return failed(_words(error))
    except BaseExceptionGroup as group:
        expected, rest = group.split(refusals)
        if rest is not None or expected is None:
            raise
        return failed("; ".join(_words(error) for error in _leaves(expected)))


def _take_descriptors() -> None:
    """Raise the limit on open files: each connection and each segment takes a descriptor."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(
        OSError, ValueError
    ):  # Some systems refuse the limit that they announce.
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(config: Config, disk: Disk, around: Around | None) -> int:
    import trio

    from raftka.broker.serve import serve
    from raftka.net.clock import SystemClock, system_dice
    from raftka.net.transport import TcpNetwork
    from raftka.service_manager import notify
    from raftka.tracing.recorder import Recorder

    network: Network = TcpNetwork()
    if around is not None:
        disk, network = around.disk(disk), around.network(network)

    shutdown, ready = trio.Event(), trio.Event()
    code = 0

    async def watch(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        nonlocal code
        with trio.open_signal_receiver(*_STOP_SIGNALS) as received:
            task_status.started()
            async for number in received:
                if shutdown.is_set():
                    code = 128 + number
                if shutdown.is_set() or not ready.is_set():
                    # The second signal; or nothing has started that would need a shutdown.
                    nursery.cancel_scope.cancel()
                    return
                notify("STOPPING=1")
                shutdown.set()

    clock = SystemClock()
    trace = None
    if (path := config.optional_text("raftka.trace.file")) is not None:
        from raftka.tracing.node import trace_to

        trace = trace_to(path, config, clock.monotonic)
        disk, network = trace.disk(disk), trace.network(network)

    recorder = Recorder(config.int("node.id"))
    disk = recorder.disk(disk)

    def serving(node: Node) -> None:
        ready.set()
        if around is not None:
            around.serving()
        if trace is not None:
            trace.follow(node)
        _settle()
        notify("READY=1", f"STATUS=node {node.node_id} serves")

    async with trio.open_nursery() as nursery:
        await nursery.start(watch)
        if around is not None:
            nursery.start_soon(around.obey)
        log.info(_introduction(config))
        await serve(
            config,
            clock=clock,
            dice=system_dice(),
            disk=disk,
            network=network,
            shutdown=shutdown,
            composed=recorder.follow,
            ready=serving,
            process_figures=_figures(config),
        )
        nursery.cancel_scope.cancel()
    return code


def _figures(config: Config) -> ProcessFigures | None:
    """The process's own metrics; None without an endpoint to scrape."""
    if metrics_endpoint(config) is None:
        return None
    from raftka.process_figures import process_figures

    return process_figures


def _introduction(config: Config) -> str:
    """The first line of a node's log: its id, roles and listeners."""
    roles = " and ".join(config.names("process.roles"))
    where = ", ".join(f"{each.name} on {each.bind}" for each in listeners(config))
    logs_in = ", ".join(config.names("log.dirs"))
    return f"raftka {__version__} starts node {config.int('node.id')}, {roles}: {where}; {logs_in}"


def _settle() -> None:
    """Once the node serves: existing objects live long, so exempt them from the collector. Garbage
    among them stays, too, some 300 KB: finding it would take longer than forming a quorum, while
    the first client waits.
    """
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    gc.enable()


def _format_if_new(config: Config, disk: Disk) -> None:
    """Format new directories of a node that is its own cluster or has CLUSTER_ID."""
    from raftka.environment import cluster_id_from
    from raftka.formatting import format_if_new

    cluster_id = cluster_id_from(os.environ)
    format_if_new(config, disk, cluster_id, may_invent_id=is_single(config))


def tell_notices(config: Config) -> None:
    """Log warnings about the settings."""
    for notice in config.notices:
        log.warning(notice)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return str(error)


def failed(words: str) -> int:
    """Report why the node did not start; returns the exit code."""
    print(f"raftka server: {words}", file=sys.stderr)
    return 1


def _default_level() -> str:
    return os.environ.get("RAFTKA_LOG_LEVEL", "info")


class Options(NamedTuple):
    """The arguments of the command line."""

    file: str | None
    override: list[str]
    dev: bool
    log_level: str
    processes: int = 1


def _plain(argv: list[str]) -> Options | None:
    """Parse a command line of FILE and --dev only without argparse, which takes 14 ms to load."""
    files = [word for word in argv if word != "--dev"]
    if len(files) > 1 or any(word.startswith("-") for word in files):
        return None
    file = files[0] if files else None
    return Options(file, override=[], dev="--dev" in argv, log_level=_default_level())


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="raftka server",
        description="Run a node. Without FILE: a single node on localhost:9092 whose data is in"
        " ./raftka-data. KAFKA_* variables of the environment go before what the file says.",
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="server.properties")
    parser.add_argument(
        "--override",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting that goes before the file's and the environment's; may be repeated",
    )
    parser.add_argument(
        "--dev",
        action="store_true",
        help="format the directories of FILE if they are not; CLUSTER_ID of the environment names"
        " the cluster",
    )
    parser.add_argument(
        "--processes",
        metavar="N",
        type=int,
        default=1,
        help="run N nodes, for as many cores, under one supervisor: further ones are brokers with"
        " node.id + 1000, ports + 10 and log.dirs with -1 at their end, and so on",
    )
    parser.add_argument(
        "--log-level",
        default=_default_level(),
        help="debug, info, warning or error; RAFTKA_LOG_LEVEL says it too (default: info)",
    )
    return parser
