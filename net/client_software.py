"""Which clients speak which versions, as a node has met them since it started (KIP-511).

Kept by the name and version of the software that a client says in ApiVersions. Both come from
clients, so there are only so many, and only so much of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from raftka.net.session import Session

UNKNOWN: Final = "unknown"
"""The name and version of software that did not say them, as in Apache Kafka."""
OTHER: Final = "other"
"""The name of all software beyond the first `_KINDS_MAX`."""
_KINDS_MAX: Final = 200
_CLIENT_IDS_MAX: Final = 5
_VERSIONS_MAX: Final = 40
_TEXT_MAX: Final = 64

Software = tuple[str, str]
"""Name and version."""


def software_of(session: Session) -> Software:
    """What the client of a session runs; UNKNOWN where it did not say."""
    name, version = session.software
    return (name[:_TEXT_MAX] or UNKNOWN), (version[:_TEXT_MAX] or UNKNOWN)


class Met:
    """What was seen of one software."""

    __slots__ = ("client_ids", "versions")

    def __init__(self) -> None:
        self.client_ids: dict[str, None] = {}
        """The first few client.ids."""
        self.versions: dict[str, set[int]] = {}
        """By API, those that it asked in, answered or not."""


class ClientSoftware:
    """All software that a node has met."""

    def __init__(self) -> None:
        self._met: dict[Software, Met] = {}

    def meet(self, session: Session, client_id: str | None, api: str, version: int) -> None:
        """A session asks in this version of an API for the first time."""
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
        """All that was met, as values of JSON, with how many connections each has now."""
        for (name, version), met in sorted(self._met.items()):
            yield {
                "software": name,
                "version": version,
                "connections": connections.get((name, version), 0),
                "client_ids": list(met.client_ids),
                "apis": {api: sorted(asked) for api, asked in sorted(met.versions.items())},
            }
