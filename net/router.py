"""Registers the handler of each API; everything else is derived from the registrations.

A handler is a function of (context, request message). It may
- return the response message, or None if the protocol has no answer (Produce with acks=0);
- return a list of pieces that is a complete frame (the hot answers are encoded by hand);
- return a `Pending` answer and resolve it later: the connection keeps the order of answers;
- be async, if it must wait for other nodes; the connection's next request waits meanwhile;
- raise KafkaError, which becomes the request's error code.

The answer to ApiVersions, the accepted versions, the limits and the permissions are all derived
from the routes. Handlers are called in one place: net/dispatch.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar

from raftka.model.access import (
    CLUSTER_NAME,
    OPERATIONS,
    REFUSALS,
    Access,
    Authorizer,
    Operation,
    Principal,
    ResourceType,
    bits,
)
from raftka.model.dataclass import dataclass
from raftka.model.errors import KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import Piece
from raftka.net.protocol.apis import APIS
from raftka.net.protocol.message import Request, Response
from raftka.net.session import Session

if TYPE_CHECKING:
    from raftka.net.protocol.headers import RequestHeader
    from raftka.net.protocol.produce_reader import Repeated
    from raftka.net.request_stats import Waiting

log = get_logger(__name__)

MAX_CONTROL_BYTES: Final = 8 * 1024 * 1024
"""For a request without records: decoded, it may take twenty times its size."""

Listener = Literal["broker", "controller"]
Listeners = Literal[Listener, "both"]
T = TypeVar("T")
NodeT = TypeVar("NodeT")
RequestT = TypeVar("RequestT", bound=Request[Any])


Keep: TypeAlias = "Callable[[Repeated | None, memoryview, RequestHeader, Any], Repeated | None]"
"""(previously kept value, a request's frame, its header, its message) -> the value to keep now."""


class CloseConnection(Exception):
    """The connection must be closed; the message has the reason, for the log."""


class LastAnswer(CloseConnection):
    """Raised by an async handler: the connection is closed after this answer."""

    def __init__(self, answer: Response, why: str) -> None:
        super().__init__(why)
        self.answer = answer


class Pending:
    """An answer that comes later. The first call of `resolve` counts; later ones do nothing.

    `resolve` takes a response message, finished pieces, or None for no answer.
    """

    __slots__ = ("_answer", "_notify", "done")

    def __init__(self) -> None:
        self.done = False
        self._answer: object = None
        self._notify: Callable[[object], None] | None = None

    def resolve(self, answer: object) -> None:
        """Give the answer; only the first one counts."""
        if self.done:
            return
        self.done = True
        self._answer = answer
        if self._notify is not None:
            self._notify(answer)

    def on_resolved(self, notify: Callable[[object], None]) -> None:
        """For the connection: register a callback for the answer, called at once if resolved."""
        self._notify = notify
        if self.done:
            notify(self._answer)


Answer = Response | list[Piece] | None
"""A response message, an encoded frame, or no answer."""
Returned = Answer | Pending | Awaitable[Answer]
ReturnedT = TypeVar("ReturnedT", bound=Returned)


class Muted(Protocol):
    """A connection whose requests can be paused."""

    def mute(self, until_s: float) -> None:
        """Handle no further requests of it until then."""
        ...


class Metering(Protocol):
    """Measures one request, and throttles its client if it exceeded its quota (KIP-13, KIP-124)."""

    def exempt(self) -> None:
        """A request of the cluster itself: its time is not counted."""
        ...

    def produced(self, size: int) -> None:
        """A client produces that many bytes."""
        ...

    def fetched(self, size: int) -> bool:
        """Whether an answer of that many bytes may be sent; if not, an empty one is."""
        ...

    def most_to_fetch(self) -> float | None:
        """A larger answer would be throttled even after a long silence; None for no limit."""
        ...

    def pause(self) -> None:
        """The node works on something else meanwhile."""
        ...

    def resume(self) -> None:
        """The node works on this request again."""
        ...

    def timed(self, waiting: Awaitable[T]) -> Awaitable[T]:
        """The same awaitable, measured only while it runs."""
        ...

    def finish(self, answer: object, response: type[Response], outlet: Muted) -> None:
        """Set an answer's throttle time, and mute its connection. Call it once, while paused."""
        ...


@dataclass(slots=True)
class Context(Generic[NodeT]):
    """The context of a request, in addition to its message.

    The request may have come on a connection of the client, or in an envelope from the client's
    broker: `session` is that of the client in both cases.
    """

    node: NodeT
    session: Session
    api_version: int
    correlation_id: int
    client_id: str | None
    frame: memoryview
    """The encoded request, header included; valid as long as the request's own views; only its key
    once its answer is a Pending."""
    authorizer: Authorizer | None = None
    """None if every client may do everything."""
    metering: Metering | None = None
    """Measures the request; None on a node without quotas."""
    timing: Waiting | None = None
    """Times its waiting; None on a node without a metrics listener."""

    @property
    def listener(self) -> str:
        """The name of the listener that it arrived on; answers have endpoints of that listener."""
        return self.session.listener

    @property
    def principal(self) -> Principal:
        """The authenticated identity of the client."""
        return self.session.principal

    @property
    def client_address(self) -> str:
        """The client's IP address; in simulation a name."""
        return self.session.client_address

    def may(
        self, operation: Operation, kind: ResourceType, name: str, *, quietly: bool = False
    ) -> bool:
        """Whether the client may perform the operation on the resource; a denial is logged unless
        `quietly`.

        `quietly` is for checks that only filter an answer, or that ask for one of several
        sufficient permissions.
        """
        authorizer = self.authorizer
        if authorizer is None or authorizer.allows(
            self.principal, self.client_address, operation, kind, name
        ):
            return True
        if not quietly:
            log.info(f"denied: {self._refusal(operation, kind, name)}", listener=self.listener)
        return False

    def may_with_cluster(self, operation: Operation, *, quietly: bool = False) -> bool:
        """Whether the client may perform the operation on the cluster."""
        return self.may(operation, ResourceType.CLUSTER, CLUSTER_NAME, quietly=quietly)

    def may_somewhere(self, operation: Operation, kind: ResourceType) -> bool:
        """Whether the client may perform the operation on any resource of that type."""
        authorizer = self.authorizer
        return authorizer is None or authorizer.allows_somewhere(
            self.principal, self.client_address, operation, kind
        )

    def require(self, operation: Operation, kind: ResourceType, name: str) -> None:
        """Raise KafkaError, with the code for that type of resource, unless the client `may`."""
        if not self.may(operation, kind, name):
            raise KafkaError(REFUSALS[kind], self._refusal(operation, kind, name))

    def require_cluster(self, operation: Operation) -> None:
        """Raise KafkaError CLUSTER_AUTHORIZATION_FAILED unless the client `may_with_cluster`."""
        self.require(operation, ResourceType.CLUSTER, CLUSTER_NAME)

    def operations(self, kind: ResourceType, name: str) -> int:
        """The operations that the client may perform on the resource, as a bit set (KIP-430)."""
        possible = OPERATIONS[kind]
        if self.authorizer is None:
            return possible
        return bits(
            *(
                each
                for each in Operation
                if possible >> each & 1 and self.may(each, kind, name, quietly=True)
            )
        )

    def sort_out(
        self,
        operation: Operation,
        kind: ResourceType,
        named: Sequence[T],
        name_of: Callable[[T], str],
        *,
        quietly: bool = False,
    ) -> tuple[list[T], list[T]]:
        """(items with permission for the operation, items without), each in order."""
        if self.authorizer is None:
            return list(named), []
        names = dict.fromkeys(map(name_of, named))
        may = {name: self.may(operation, kind, name, quietly=quietly) for name in names}
        return (
            [each for each in named if may[name_of(each)]],
            [each for each in named if not may[name_of(each)]],
        )

    def cluster_operations(self) -> int:
        """The operations that the client may perform on the cluster; none without DESCRIBE."""
        if not self.may_with_cluster(Operation.DESCRIBE):
            return 0
        return self.operations(ResourceType.CLUSTER, CLUSTER_NAME)

    def _refusal(self, operation: Operation, kind: ResourceType, name: str) -> str:
        api = APIS.get(int.from_bytes(self.frame[:2], "big"))
        of = f" for {api.name}" if api is not None else ""
        return (
            f"{self.principal} from {self.client_address} may not {operation.name}"
            f" the {kind.name} {name}{of}"
        )


@dataclass(frozen=True, slots=True)
class Route(Generic[NodeT]):
    """One API of one node."""

    api_key: int
    name: str
    request: type[Request[Any]]
    min_version: int
    max_version: int
    access: Access
    handler: Callable[[Context[NodeT], Any], Returned]
    is_async: bool = False
    listeners: Listeners = "broker"
    forward: bool = False
    looks_first: bool = False
    concurrent: bool = False
    max_bytes: float = MAX_CONTROL_BYTES
    other_versions: Callable[[Context[NodeT]], Response] | None = None
    refusal: Callable[[Any, KafkaError], Response] | None = None
    keep: Keep | None = None

    def is_served_on(self, listener: Listener) -> bool:
        """Whether listeners of that kind serve it."""
        return is_served_on(listener, self.listeners, self.forward)


def is_served_on(listener: Listener, listeners: Listeners, forward: bool) -> bool:
    """Whether listeners of that kind serve an API with that registration."""
    return listeners in (listener, "both") or (forward and listener == "controller")


class Router(Generic[NodeT]):
    """The routes of one kind of node, filled by its handlers when they are imported."""

    def __init__(self) -> None:
        self._routes: dict[int, Route[NodeT]] = {}

    def handles(
        self,
        request: type[RequestT],
        *,
        versions: tuple[int, int],
        access: Access,
        listeners: Listeners = "broker",
        forward: bool = False,
        looks_first: bool = False,
        concurrent: bool = False,
        carries_records: bool = False,
        other_versions: Callable[[Context[NodeT]], Response] | None = None,
        refusal: Callable[[RequestT, KafkaError], Response] | None = None,
        keep: Keep | None = None,
    ) -> Callable[
        [Callable[[Context[NodeT], RequestT], ReturnedT]],
        Callable[[Context[NodeT], RequestT], ReturnedT],
    ]:
        """Register the handler of one API.

        `versions` are the lowest and highest supported ones. `access` is the permission that the
        whole request needs, or PER_RESOURCE if the handler checks its resources, or NOTHING.

        With `forward`, a broker that is not the active controller forwards the request to it
        (KIP-590) and the handler, which is async, runs there; a handler that `looks_first` also
        runs at the broker, and forwards what it leaves to the controller itself. With `concurrent`,
        later requests of the connection do not wait for this one (their answers do). A request that
        `carries_records` is only bounded by socket.request.max.bytes.

        `other_versions` answers a request in an unsupported version, in version 0; without it, such
        a request closes the connection. `refusal` answers a request that failed completely if the
        response has an error for each named item, but none for all. `keep` returns the value with
        which later requests of the connection are compared: those that repeat this one are read
        without decoding; the handler must then keep nothing of its message.
        """
        low, high = versions
        known_low, known_high = request.VALID_VERSIONS
        name = request.API_NAME
        if not known_low <= low <= high <= known_high:
            raise ValueError(f"{name}: versions {versions} are not within what is written")

        def register(
            function: Callable[[Context[NodeT], RequestT], ReturnedT],
        ) -> Callable[[Context[NodeT], RequestT], ReturnedT]:
            is_async = inspect.iscoroutinefunction(function)
            if request.API_KEY in self._routes:
                raise ValueError(f"{name} has two handlers")
            if forward and (concurrent or not is_async):
                raise ValueError(f"{name}: what is forwarded is async, and answered in its turn")
            self._routes[request.API_KEY] = Route(
                request.API_KEY,
                name,
                request,
                low,
                high,
                access,
                function,
                is_async=is_async,
                listeners=listeners,
                forward=forward,
                looks_first=looks_first,
                concurrent=concurrent,
                max_bytes=inf if carries_records else MAX_CONTROL_BYTES,
                other_versions=other_versions,
                refusal=refusal,
                keep=keep,
            )
            return function

        return register

    def all(self) -> Mapping[int, Route[NodeT]]:
        """All registrations so far."""
        return self._routes

    def routes(self, listener: Listener) -> Mapping[int, Route[NodeT]]:
        """The APIs that a listener of that kind serves, by key in ascending order."""
        return MappingProxyType(
            {
                key: route
                for key, route in sorted(self._routes.items())
                if route.is_served_on(listener)
            }
        )

    def forwarded(self) -> Mapping[int, Route[NodeT]]:
        """The APIs that may be in an envelope."""
        return MappingProxyType({k: r for k, r in sorted(self._routes.items()) if r.forward})
