"""Finds what is wrong with one node's settings, on the machine where it will run."""

from __future__ import annotations

import os
import resource
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from raftka.doctor.finding import Finding, some
from raftka.model.settings import Config
from raftka.model.settings.listeners import Listener, listeners, quorum_voters

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_DESCRIPTORS: Final = 16_384
_FULL: Final = 0.9


def examine(config: Config) -> Iterator[Finding]:
    """Every problem, the most urgent first."""
    yield from _advertised(config)
    yield from _directories(config)
    yield from _replication(config)
    yield from _voters(config)
    yield from _limits()


def _advertised(config: Config) -> Iterator[Finding]:
    voters = quorum_voters(config)
    elsewhere = {v.endpoint.host for v in voters.values() if v.endpoint.host not in _LOCAL}
    for each in listeners(config):
        if each.kind == "broker":
            yield from _advertised_listener(each, others_elsewhere=bool(elsewhere))


def _advertised_listener(each: Listener, *, others_elsewhere: bool) -> Iterator[Finding]:
    host = each.advertised.host
    name = f"advertised.listeners: {each.name}://{each.advertised}"
    if host in _LOCAL and others_elsewhere:
        yield Finding(
            f"{name} leads the other nodes, which are on other machines, to themselves",
            "advertise the name or address under which the others reach this machine",
        )
    elif host not in _LOCAL:
        try:
            socket.getaddrinfo(host, each.advertised.port)
        except OSError as error:
            yield Finding(
                f"{name} cannot be resolved here: {error.strerror or error}",
                "advertise a name that DNS knows, or an address",
            )


def _directories(config: Config) -> Iterator[Finding]:
    by_volume: dict[int, list[str]] = {}
    for path in config.names("log.dirs"):
        there = _existing(Path(path))
        if not os.access(there, os.W_OK | os.X_OK):
            yield Finding(
                f"log.dirs: {path} cannot be written by this user (uid {os.getuid()})",
                f"give it to the user who runs the node: chown -R USER {there}",
            )
            continue
        by_volume.setdefault(there.stat().st_dev, []).append(path)
        usage = shutil.disk_usage(there)
        if usage.used >= _FULL * usage.total:
            yield Finding(
                f"log.dirs: the volume of {path} is {100 * usage.used // usage.total} % full",
                "shorten log.retention.hours or log.retention.bytes, or add room",
            )
        if str(there).startswith(("/tmp", "/dev/shm")):
            yield Finding(
                f"log.dirs: {path} is where systems throw things away at a restart",
                "choose a directory that lasts, such as /var/lib/kafka/data",
            )
    for paths in by_volume.values():
        if len(paths) > 1:
            yield Finding(
                f"log.dirs: {some(paths)} are on one volume: they fill up and fail together",
                "use one directory for each disk",
            )


def _existing(path: Path) -> Path:
    """The directory, or its closest ancestor that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _replication(config: Config) -> Iterator[Finding]:
    factor = config.int("default.replication.factor")
    least = config.int("min.insync.replicas")
    if factor >= 3 and least == 1:
        yield Finding(
            f"default.replication.factor={factor} with min.insync.replicas=1: a record that"
            " acks=all acknowledged may be on one disk alone",
            "set min.insync.replicas=2",
        )
    if factor > 1 and least >= factor:
        yield Finding(
            f"min.insync.replicas={least} with default.replication.factor={factor}: nothing can be"
            " written while one broker is down",
            f"set min.insync.replicas={factor - 1}",
        )
    voters = len(quorum_voters(config))
    for name in ("offsets.topic.replication.factor", "transaction.state.log.replication.factor"):
        wanted = config.int(name)
        if voters >= 3 and wanted < 3:
            yield Finding(
                f"{name}={wanted} in a cluster of {voters}: losing a disk loses what groups have"
                " read, or what transactions have decided",
                f"set {name}=3",
            )
        elif voters == 1 and wanted > 1 and "broker" in config.names("process.roles"):
            yield Finding(
                f"{name}={wanted}, and one node is named: if it stays alone, groups and"
                " transactions wait for brokers that do not come",
                f"set {name}=1 on a cluster of one",
            )


def _voters(config: Config) -> Iterator[Finding]:
    voters = quorum_voters(config)
    if len(voters) > 1 and len(voters) % 2 == 0:
        yield Finding(
            f"controller.quorum.voters names {len(voters)} voters: it tolerates as many"
            f" failures as one of {len(voters) - 1}",
            "use an odd number of voters: 3 or 5",
        )
    hosts = {voter.endpoint.host for voter in voters.values()}
    if len(voters) > 1 and len(hosts) == 1:
        yield Finding(
            f"all {len(voters)} voters are on {hosts.pop()}: they fail together",
            "give each voter a machine of its own",
        )


def _limits() -> Iterator[Finding]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < _DESCRIPTORS:
        yield Finding(
            f"this user may open {most} files at most: each connection and each segment takes one",
            "raise it: ulimit -Hn 100000, or LimitNOFILE=100000 in the systemd unit",
        )
