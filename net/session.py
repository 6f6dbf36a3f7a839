"""What a node remembers about one connection: its peer, and what ends with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from raftka.model.access import ANONYMOUS, Principal
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode

if TYPE_CHECKING:
    from raftka.net.protocol.produce_reader import Repeated


class Held(Protocol):
    """A request whose answer waits for something to happen, such as a long fetch."""

    def abandon(self, code: ErrorCode) -> None:
        """Stop waiting and answer with `code`; must leave `Session.held` by itself."""
        ...


class Authenticating(Protocol):
    """How far the client of a connection has authenticated (net/security)."""

    @property
    def principal(self) -> Principal | None:
        """The client's principal, once it has authenticated."""
        ...

    @property
    def by_token(self) -> bool:
        """Whether that was proved by a delegation token."""
        ...

    @property
    def is_complete(self) -> bool: ...

    @property
    def takes_raw_token(self) -> bool:
        """Whether the next frame is a token, and no request."""
        ...

    @property
    def mechanisms(self) -> list[str]:
        """What the listener offers."""
        ...

    async def pause(self) -> None:
        """Wait as long as a failed attempt does (connection.failed.authentication.delay.ms)."""
        ...

    def check(self, api_key: int) -> None:
        """Raise CloseConnection for a request that may not be asked now."""
        ...

    def handshake(self, mechanism: str, *, raw: bool) -> None:
        """A mechanism is chosen. Raises KafkaError, after which the connection has to end."""
        ...

    async def prepare(self, token: bytes) -> None:
        """Wait for what `authenticate` needs of others, as the keys of an issuer of tokens."""
        ...

    def authenticate(self, token: bytes) -> tuple[bytes, int]:
        """(the answer to a token, how long the session lasts in ms or 0). Raises KafkaError."""
        ...


@dataclass(slots=True, eq=False)
class Session:
    """One connection, or the client behind a forwarded request; lives as long as it."""

    peer: str
    """host:port of the other side, for people."""
    listener: str
    """The name of the listener it came in by: answers name endpoints of the same listener."""
    principal: Principal = ANONYMOUS
    by_token: bool = False
    """Whether the principal was proved by a delegation token (KIP-48)."""
    authentication: Authenticating | None = None
    """Where the listener asks for SASL."""
    software: tuple[str, str] = ("", "")
    """The name and version of the client's software, if it has said them (KIP-511)."""
    asked: object = None
    """The series of its last request (net/request_stats.py), where requests are counted."""
    repeated: Repeated | None = None
    """What its next Produce is compared with instead of being decoded."""
    spoken: set[object] = field(default_factory=set)
    """The series of all its requests, there (net/client_software.py)."""
    client_address: str = ""
    """The host of `peer`, unless it is given: an IP address, in simulation a name."""
    held: dict[Held, None] = field(default_factory=dict)
    """The requests that wait for their answer's content; abandoned with the connection."""
    is_watched: bool = False
    """Whether the active controller is notified of its end: a broker's heartbeats come by it."""
    on_close: list[Callable[[], None]] = field(default_factory=list)
    """Called once when the connection is gone, however it went."""

    def __post_init__(self) -> None:
        self.client_address = self.client_address or host_of(self.peer)

    def closed(self) -> None:
        """The connection is gone: release whatever was kept for it."""
        for request in tuple(self.held):
            request.abandon(ErrorCode.NETWORK_EXCEPTION)
        for callback in self.on_close:
            callback()


def host_of(peer: str) -> str:
    """The host of a host:port; an IPv6 address without its brackets."""
    return peer.rpartition(":")[0].strip("[]")
