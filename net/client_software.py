"""The client software and API versions that a node has seen since it started (KIP-511).

Keyed by the name and version of the software in ApiVersions. Clients choose both, so their number
and size are limited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from raftka.net.session import Session

UNKNOWN: Final = "unknown"
"""Software that did not report a name and version, as in Apache Kafka."""
OTHER: Final = "other"
"""Stands for all software after the first `_KINDS_MAX`."""
_KINDS_MAX: Final = 200
_CLIENT_IDS_MAX: Final = 5
_VERSIONS_MAX: Final = 40
_TEXT_MAX: Final = 64

Software = tuple[str, str]
"""The software's name and version."""


def software_of(session: Session) -> Software:
    """The software of a session's client; UNKNOWN if it was not reported."""
    name, version = session.software
    return (name[:_TEXT_MAX] or UNKNOWN), (version[:_TEXT_MAX] or UNKNOWN)


class Met:
    """What was seen of one software."""

    __slots__ = ("client_ids", "versions")

    def __init__(self) -> None:
        self.client_ids: dict[str, None] = {}
        """The first few client ids."""
        self.versions: dict[str, set[int]] = {}
        """By API, the versions of its requests, answered or not."""


class ClientSoftware:
    """All software that a node has seen."""

    def __init__(self) -> None:
        self._met: dict[Software, Met] = {}

    def meet(self, session: Session, client_id: str | None, api: str, version: int) -> None:
        """A session uses this version of an API for the first time."""
        software = software_of(session)
        met = self._met.get(software)
        if met is None:
            if len(self._met) >= _KINDS_MAX:
                software = (OTHER, OTHER)
            met = self._met.setdefault(software, Met())
        if client_id and len(met.client_ids) < _CLIENT_IDS_MAX:
            met.client_ids[client_id[:_TEXT_MAX]] = None
        asked = met.versions.setdefault(api, set())
        if len(asked) < _VERSIONS_MAX:
            asked.add(version)

    def report(self, connections: Mapping[Software, int]) -> Iterator[dict[str, Any]]:
        """All software as JSON values, with the current number of connections of each."""
        for (name, version), met in sorted(self._met.items()):
            yield {
                "software": name,
                "version": version,
                "connections": connections.get((name, version), 0),
                "client_ids": list(met.client_ids),
                "apis": {api: sorted(asked) for api, asked in sorted(met.versions.items())},
            }
