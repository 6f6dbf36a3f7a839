"""The API versions that clients use, as counted by brokers and read from their metrics listeners.

A release may drop old versions of an API, so the new release's doctor, run before an upgrade, names
the clients that it would no longer serve.
"""

from __future__ import annotations

import http.client
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import trio

from raftka.broker.promises import PROMISES
from raftka.client.admin import Admin
from raftka.client.admin.configs import Resource, ResourceType
from raftka.client.admin.nodes import Node
from raftka.doctor.finding import Finding, some
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection
from raftka.model.settings.listeners import ANYWHERE
from raftka.model.settings.setting import http_address
from raftka.net.protocol.apis import APIS

_SETTING: Final = "prometheus.metrics.reporter.listener"
_TIMEOUT_S: Final = 5.0
_BYTES_MAX: Final = 4 << 20
_WIDTH: Final = 100
_ANSWERED: Final = {
    APIS[key].name: (each.min_version, each.max_version) for key, each in PROMISES.items()
}
"""The versions of each API that this release answers."""
_NOT_UNDERSTOOD: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""The errors that a malformed answer raises."""


@dataclass(frozen=True)
class Spoken:
    """The requests of one client software since the brokers started."""

    software: str
    version: str
    client_ids: tuple[str, ...]
    """Some of its client ids."""
    connections: int
    """The number of open connections."""
    versions: Mapping[str, frozenset[int]]
    """The versions that it used, by API."""

    def __str__(self) -> str:
        known = f" (client.id {some(self.client_ids)})" if self.client_ids else ""
        return _shown(f"{self.software} {self.version}{known}")


@dataclass(frozen=True)
class Clients:
    """The clients of a cluster, as far as its brokers report them."""

    spoken: tuple[Spoken, ...] = ()
    unknown: Mapping[int, str] | None = None
    """Brokers that do not report clients, and why."""


async def gather(admin: Admin, brokers: Iterable[Node]) -> Clients:
    """Ask each broker's metrics listener."""
    found: list[Any] = []
    unknown: dict[int, str] = {}

    async def ask(broker: Node) -> None:
        try:
            host, port = await _listener(admin, broker)
            found.extend(await trio.to_thread.run_sync(_get, host, port, abandon_on_cancel=True))
        except (BrokenConnection, KafkaError, OSError, http.client.HTTPException) as error:
            unknown[broker.id] = str(error)
        except _NOT_UNDERSTOOD as error:
            unknown[broker.id] = f"what its metrics listener answers is not understood: {error}"

    async with trio.open_nursery() as nursery:
        for broker in brokers:
            nursery.start_soon(ask, broker)
    return Clients(tuple(_merged(found)), dict(sorted(unknown.items())))


async def _listener(admin: Admin, broker: Node) -> tuple[str, int]:
    resource = Resource(ResourceType.BROKER, str(broker.id))
    entries = (await admin.describe_configs([resource], names=[_SETTING]))[resource]
    entry = entries.get(_SETTING)
    where = http_address(entry.value) if entry is not None and entry.value else None
    if where is None:
        raise BrokenConnection(f"it counts no clients without {_SETTING}")
    host, port = where
    return (broker.host if not host or host in ANYWHERE else host), port


def _get(host: str, port: int) -> list[Spoken]:
    """One broker's answer at /clients."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/clients", headers={"Connection": "close"})
        with connection.getresponse() as answer:
            body = answer.read(_BYTES_MAX)
    finally:
        connection.close()
    if answer.status == http.client.NOT_FOUND:
        raise BrokenConnection("its release does not count clients yet")
    if answer.status != http.client.OK:
        raise BrokenConnection(f"http://{host}:{port}/clients answers {answer.status}")
    return [_spoken(each) for each in json.loads(body)["clients"]]


def _spoken(each: Mapping[str, Any]) -> Spoken:
    return Spoken(
        str(each["software"]),
        str(each["version"]),
        tuple(map(str, each["client_ids"])),
        int(each["connections"]),
        {str(api): frozenset(map(int, asked)) for api, asked in each["apis"].items()},
    )


def _merged(found: Iterable[Spoken]) -> Iterator[Spoken]:
    by_software: dict[tuple[str, str], list[Spoken]] = {}
    for each in found:
        by_software.setdefault((each.software, each.version), []).append(each)
    for (software, version), same in sorted(by_software.items()):
        versions: dict[str, frozenset[int]] = {}
        for each in same:
            for api, asked in each.versions.items():
                versions[api] = versions.get(api, frozenset()) | asked
        ids = dict.fromkeys(name for each in same for name in each.client_ids)
        yield Spoken(software, version, tuple(ids), sum(e.connections for e in same), versions)


def examine(clients: Clients) -> Iterator[Finding]:
    """Clients that use versions which this release does not answer."""
    for each in clients.spoken:
        lacking = [
            f"{api} {version}"
            for api, asked in sorted(each.versions.items())
            for version in sorted(asked)
            if not _is_answered(api, version)
        ]
        if lacking:
            yield Finding(
                f"{each} asks for {some(lacking)}, which this release does not answer",
                "upgrade those clients before the brokers",
            )


def _is_answered(api: str, version: int) -> bool:
    lowest, highest = _ANSWERED.get(api, (1, 0))
    return lowest <= version <= highest


def lines(clients: Clients) -> Iterator[str]:
    """A text for people: each software, and the versions that it used."""
    if clients.spoken:
        yield "Clients that the brokers have met since they started, and the versions they speak:"
    for each in clients.spoken:
        yield f"  {each}, {each.connections} connections open"
        spoken = ", ".join(f"{api} {_ranges(v)}" for api, v in sorted(each.versions.items()))
        yield from textwrap.wrap(spoken, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    for broker_id, why in (clients.unknown or {}).items():
        yield f"  Of broker {broker_id} the clients are not known: {_shown(why)}"


def _shown(text: str) -> str:
    """A client's text for a terminal: control characters are escaped."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _ranges(versions: Iterable[int]) -> str:
    return "/".join(map(str, sorted(versions)))


def as_json(clients: Clients) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "software": each.software,
            "version": each.version,
            "client_ids": list(each.client_ids),
            "connections": each.connections,
            "apis": {api: sorted(asked) for api, asked in sorted(each.versions.items())},
        }
        for each in clients.spoken
    ]
