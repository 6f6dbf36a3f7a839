"""A node's state of one connection: its peer, and what must be released with it."""

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
    """A request whose answer is delayed, such as a long fetch."""

    def abandon(self, code: ErrorCode) -> None:
        """Stop waiting and answer with `code`; must remove itself from `Session.held`."""
        ...


class Authenticating(Protocol):
    """The authentication state of a connection (net/security)."""

    @property
    def principal(self) -> Principal | None:
        """The client's principal, once it has authenticated."""
        ...

    @property
    def by_token(self) -> bool:
        """Whether it was authenticated by a delegation token."""
        ...

    @property
    def is_complete(self) -> bool: ...

    @property
    def takes_raw_token(self) -> bool:
        """Whether the next frame is a token instead of a request."""
        ...

    @property
    def mechanisms(self) -> list[str]:
        """The mechanisms of the listener."""
        ...

    async def pause(self) -> None:
        """Wait as long as a failed attempt must (connection.failed.authentication.delay.ms)."""
        ...

    def check(self, api_key: int) -> None:
        """Raise CloseConnection for a request that is not allowed in this state."""
        ...

    def handshake(self, mechanism: str, *, raw: bool) -> None:
        """Choose a mechanism. Raises KafkaError; the connection must then be closed."""
        ...

    async def prepare(self, token: bytes) -> None:
        """Wait for external data that `authenticate` needs, such as an issuer's keys."""
        ...

    def authenticate(self, token: bytes) -> tuple[bytes, int]:
        """(the answer to a token, the session's lifetime in ms or 0). Raises KafkaError."""
        ...


@dataclass(slots=True, eq=False)
class Session:
    """One connection, or the client of a forwarded request."""

    peer: str
    """host:port of the other side, for people."""
    listener: str
    """The name of the listener that it arrived on; answers have endpoints of that listener."""
    principal: Principal = ANONYMOUS
    by_token: bool = False
    """Whether the principal was authenticated by a delegation token (KIP-48)."""
    authentication: Authenticating | None = None
    """Set if the listener requires SASL."""
    software: tuple[str, str] = ("", "")
    """The name and version of the client's software, if it has reported them (KIP-511)."""
    asked: object = None
    """The series of its last request (net/request_stats.py), if requests are counted."""
    repeated: Repeated | None = None
    """The previous Produce, with which the next one is compared instead of being decoded."""
    spoken: set[object] = field(default_factory=set)
    """The series of all its requests (net/client_software.py)."""
    client_address: str = ""
    """The host of `peer`, unless given: an IP address, in simulation a name."""
    held: dict[Held, None] = field(default_factory=dict)
    """The requests with delayed answers; abandoned when the connection is closed."""
    is_watched: bool = False
    """Whether the controller is notified of its end, because it carries a broker's heartbeats."""
    on_close: list[Callable[[], None]] = field(default_factory=list)
    """Called once when the connection is closed, for whatever reason."""

    def __post_init__(self) -> None:
        self.client_address = self.client_address or host_of(self.peer)

    def closed(self) -> None:
        """The connection is closed: release everything that belongs to it."""
        for request in tuple(self.held):
            request.abandon(ErrorCode.NETWORK_EXCEPTION)
        for callback in self.on_close:
            callback()


def host_of(peer: str) -> str:
    """The host of a host:port; an IPv6 address without brackets."""
    return peer.rpartition(":")[0].strip("[]")
