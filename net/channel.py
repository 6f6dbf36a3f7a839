"""The client side of one connection: requests are sent, and answers received, in the same order.

`send` only queues a request and returns a future, so that several tasks share the connection and a
sender can have many requests in flight. When the connection breaks, all of them fail with
BrokenConnection at once: callers learn of a failed peer without a timeout.

If the peer's session expires (KIP-368), the channel reauthenticates on the same connection before
that; requests made meanwhile wait until it has finished, since the peer would refuse them.

An overdue answer breaks the connection, since later answers cannot overtake it. The correlation id
of each answer is checked, since an answer to another request is worse than none.

Well before that a peer may be silent: it owes an answer, and no byte has arrived for `silence_s`.
That proves nothing, so the connection stays open; the client that opened it is notified, and may
find that another broker has taken over (client/silence.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import field
from math import inf
from typing import Any, TypeVar

import trio

from raftka.model import timers
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.errors import text as error_text
from raftka.model.ports import SHORTEST_WAIT_S, BrokenConnection, Clock, Connection, Piece
from raftka.net.connection import FrameReader, FrameTooLarge
from raftka.net.futures import Future
from raftka.net.protocol import codec
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest

R = TypeVar("R", bound=Response)

MAX_FRAME_BYTES = 512 * 1024 * 1024
"""The maximal size of an answer; the buffer only grows with received bytes."""
_RENEWAL_S = 30.0
"""The timeout of each step of a reauthentication, which waits for earlier answers."""


@dataclass(frozen=True, slots=True)
class FinalizedFeatures:
    """The finalized feature levels of a cluster (KIP-584), by name; a higher epoch is newer."""

    epoch: int = -1
    levels: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _InFlight:
    correlation_id: int
    request: Request[Any]
    version: int
    deadline: float
    answer: Future[Any]
    sent_at: float = 0.0
    due_at: float = 0.0
    """Until when the peer may legitimately wait before it answers, as for a fetch."""


class Channel:
    """An open connection; `run` must be running to receive answers."""

    def __init__(
        self,
        connection: Connection,
        client_id: str,
        clock: Clock,
        idle_s: float = inf,
        *,
        silence_s: float = inf,
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_silence` is called after `silence_s` without a byte of an overdue answer, and again
        after each half of it."""
        self.peer = connection.peer
        self.versions: Mapping[int, tuple[int, int]] = {}
        """By API key, the versions that the peer supports; empty before `negotiate`."""
        self.features = FinalizedFeatures()
        """The features that the peer reported as finalized; none before `negotiate`."""
        self.broken: BrokenConnection | None = None
        self._connection = connection
        self._client_id = client_id
        self._clock = clock
        self._idle_s = idle_s
        self._silence_s = silence_s
        self._on_silence = on_silence
        self._heard_at = self._last_used = clock.monotonic()
        self._next_correlation = 0
        self._in_flight: deque[_InFlight] = deque()
        self._unsent: list[Piece] = []
        self._is_unsent = clock.alarm()
        self._busy = clock.alarm()
        self._renewal: Any = getattr(connection, "renewal", None)
        """Reauthenticates the connection (net/security/dialing.py)."""
        self._held: list[tuple[_InFlight, bool]] | None = None
        """Requests that wait for a reauthentication, and whether they are answered."""
        self._looks_again = 0.0
        """When `_watch` checks the connection next, unless something is due earlier."""

    @property
    def in_flight(self) -> int:
        """Requests without an answer."""
        return len(self._in_flight)

    @property
    def silent_since(self) -> float | None:
        """The send time of the request that a silent peer has not answered; None if it is not
        silent.

        Seconds of the monotonic clock.
        """
        if not self._in_flight or self._silent_at() > self._clock.monotonic():
            return None
        return self._in_flight[0].sent_at

    def version_for(self, request: type[Request[Any]], highest: int | None = None) -> int:
        """The newest version that both sides support, at most `highest`.

        Raises KafkaError UNSUPPORTED_VERSION if there is none.
        """
        low, high = request.VALID_VERSIONS
        if highest is not None:
            high = min(high, highest)
        theirs = self.versions.get(request.API_KEY)
        if theirs is None:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION, f"{self.peer} does not serve {request.API_NAME}"
            )
        best = min(high, theirs[1])
        if best < max(low, theirs[0]):
            raise KafkaError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"{self.peer} serves {request.API_NAME} {theirs[0]} to {theirs[1]}, this side"
                f" speaks {low} to {high}",
            )
        return best

    def send(
        self,
        request: Request[R],
        version: int,
        timeout_s: float,
        *,
        answered: bool = True,
        wait_s: float = 0.0,
    ) -> Future[R]:
        """Queue a request. The future fails with BrokenConnection, also on a timeout.

        If `answered` is false the peer sends no answer, and the future has no meaning. The peer may
        stay silent for `wait_s` of `timeout_s` because the request allows it.
        """
        answer: Future[R] = Future()
        if self.broken is not None:
            answer.set_error(self.broken)
            return answer
        now = self._clock.monotonic()
        item = _InFlight(0, request, version, now + timeout_s, answer, now, now + wait_s)
        if self._held is None:
            self._hand_over(item, answered)
        else:
            self._held.append((item, answered))
        return answer

    def _hand_over(self, item: _InFlight, answered: bool) -> None:
        item.correlation_id = self._next_correlation
        self._next_correlation = (item.correlation_id + 1) & 0x7FFFFFFF
        pieces = codec.encode_request(
            item.request, item.version, item.correlation_id, self._client_id
        )
        self._last_used = self._clock.monotonic()
        if answered:
            self._in_flight.append(item)
            if min(item.deadline, item.due_at + self._silence_s) < self._looks_again:
                self._busy.ring()
        self._write(pieces)

    async def request(
        self, request: Request[R], version: int, timeout_s: float, *, wait_s: float = 0.0
    ) -> R:
        """Send a request and wait for its answer. Raises BrokenConnection."""
        return await self.send(request, version, timeout_s, wait_s=wait_s)

    async def negotiate(self, software: str, software_version: str, timeout_s: float) -> None:
        """Learn which versions the peer supports (KIP-511). Raises BrokenConnection.

        A broker that does not know this version of ApiVersions answers in version 0, with its own
        range.
        """
        request = ApiVersionsRequest(
            client_software_name=software, client_software_version=software_version
        )
        newest = ApiVersionsRequest.VALID_VERSIONS[1]
        answer = await self.request(request, newest, timeout_s)
        if answer.error_code == ErrorCode.UNSUPPORTED_VERSION:
            known = {key.api_key: key.max_version for key in answer.api_keys}
            version = min(known.get(ApiVersionsRequest.API_KEY, 0), newest)
            answer = await self.request(request, version, timeout_s)
        if answer.error_code != ErrorCode.NONE:
            why = error_text(answer.error_code)
            raise BrokenConnection(f"{self.peer} does not say its versions: {why}")
        self.versions = {key.api_key: (key.min_version, key.max_version) for key in answer.api_keys}
        self.features = FinalizedFeatures(
            answer.finalized_features_epoch,
            {feature.name: feature.max_version_level for feature in answer.finalized_features},
        )

    async def run(self) -> None:
        """Transfer bytes until the connection closes; does not raise for a broken one."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_rest)
                nursery.start_soon(self._watch)
                if self._renewal is not None:
                    nursery.start_soon(self._keep_logged_in, self._renewal)
                await self._receive()
                nursery.cancel_scope.cancel()
        finally:
            self.close("closed")

    def close(self, why: str) -> None:
        """Close the connection and fail the requests in flight; idempotent."""
        if self.broken is not None:
            return
        self.broken = BrokenConnection(f"{self.peer}: {why}")
        self._connection.close()
        failed, self._in_flight = [*self._in_flight], deque()
        failed += [item for item, _ in self._held or ()]
        self._held = None
        for item in failed:
            item.answer.set_error(self.broken)
        self._unsent = []
        self._is_unsent.ring()
        self._busy.ring()

    def _write(self, pieces: list[Piece]) -> None:
        if self._unsent:
            self._unsent.extend(pieces)
            return
        try:
            self._unsent = self._connection.send_now(pieces)
        except (BrokenConnection, trio.ClosedResourceError) as error:
            self.close(str(error))
            return
        if self._unsent:
            self._is_unsent.ring()

    async def _write_rest(self) -> None:
        """Write the rest that the socket did not accept; a checkpoint only if buffers are full."""
        while self.broken is None:
            if not self._unsent:
                await self._is_unsent.wait(inf)
                continue
            # The bytes being sent stay at the front, so that `_write` queues behind them.
            batch = list(self._unsent)
            try:
                await self._connection.send(batch)
            except (BrokenConnection, trio.ClosedResourceError) as error:
                self.close(str(error))
                return
            del self._unsent[: len(batch)]

    async def _receive(self) -> None:
        reader = FrameReader(MAX_FRAME_BYTES)
        while self.broken is None:
            try:
                size = await self._connection.receive_into(reader.space(), reader.missing)
                if size == 0:
                    self.close("the other side closed the connection")
                    return
                self._heard_at = self._clock.monotonic()
                for frame in reader.frames(size):
                    self._answer(bytes(frame))
            except trio.ClosedResourceError:
                self.close("closed")
            except (BrokenConnection, FrameTooLarge, MalformedMessage) as error:
                self.close(str(error))

    def _answer(self, frame: bytes) -> None:
        if not self._in_flight:
            raise MalformedMessage("an answer came to no request")
        item = self._in_flight[0]
        version = item.version
        if item.request.API_KEY == ApiVersionsRequest.API_KEY and frame[4:6] == b"\x00\x23":
            version = 0
        correlation_id, answer = codec.decode_response(item.request.RESPONSE, version, frame)
        if correlation_id != item.correlation_id:
            raise MalformedMessage(
                f"the answer to request {correlation_id} came before that to {item.correlation_id}"
            )
        self._in_flight.popleft()
        item.answer.set_result(answer)

    async def _keep_logged_in(self, renewal: Any) -> None:
        """Reauthenticate whenever it is due; a refusal closes the connection."""
        while self.broken is None and renewal.due_s < inf:
            await self._clock.sleep(max(0.0, renewal.due_s - self._clock.monotonic()))
            self._held = []
            try:
                await renewal.renew(self._ask_ahead)
            except BrokenConnection as error:
                self.close(str(error))
                return
            held, self._held = self._held or [], None
            for item, answered in held:
                self._hand_over(item, answered)

    def _ask_ahead(self, request: Request[R], version: int) -> Future[R]:
        """Send a request while others are held back. It does not count as use of the connection."""
        answer: Future[R] = Future()
        if self.broken is not None:
            answer.set_error(self.broken)
            return answer
        used, now = self._last_used, self._clock.monotonic()
        deadline = now + _RENEWAL_S
        self._hand_over(_InFlight(0, request, version, deadline, answer, now, now), True)
        self._last_used = used
        return answer

    def _silent_at(self) -> float:
        """When the peer counts as silent, unless it sends something before."""
        oldest = self._in_flight[0]
        return max(oldest.due_at, self._heard_at) + self._silence_s

    async def _watch(self) -> None:
        """Close the connection if it is idle or an answer is overdue; and detect a silent peer."""
        while self.broken is None:
            now = self._clock.monotonic()
            if self._in_flight:
                deadline = min(item.deadline for item in self._in_flight)
                if deadline <= now:
                    timers.fired("request", self.peer)
                    name = self._in_flight[0].request.API_NAME
                    self.close(f"no answer to {name} within its time")
                    return
                silent_at = self._silent_at()
                if silent_at <= now:
                    self._on_silence()
                    silent_at = now + self._silence_s / 2
                deadline = min(deadline, silent_at)
            elif self._last_used + self._idle_s <= now:
                self.close("not used for long")
                return
            else:
                deadline = self._last_used + self._idle_s
            self._looks_again = deadline
            await self._busy.wait(max(deadline, now + SHORTEST_WAIT_S))
