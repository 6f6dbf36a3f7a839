"""The principal of a forwarded request, in an Envelope preceded by an int16 with the version.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Message


class DefaultPrincipalData(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "type string",
        "name string",
        "token_authenticated bool",
    )
    __slots__ = (
        "type",
        "name",
        "token_authenticated",
    )

    def __init__(
        self,
        *,
        type: str = "",
        name: str = "",
        token_authenticated: bool = False,
    ) -> None:
        self.type = type
        self.name = name
        self.token_authenticated = token_authenticated
