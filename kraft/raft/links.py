"""Keeps one link to every replica that this node should talk to.

Voters dial each other, the one with the lower id a moment later; all others dial the voters. A
failed dial is retried after a delay that doubles, up to a quarter of a second: a returning voter is
found at once, and no node is flooded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import trio

from raftka.kraft.raft.link import (
    HANDSHAKE_TIMEOUT_S,
    PREAMBLE,
    Hello,
    Inbox,
    Link,
    Refused,
    decode_hello,
    encode_refusal,
    read_hello,
    within,
)
from raftka.kraft.raft.port import ReplicaKey
from raftka.model.logs import get_logger
from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import BrokenConnection, Clock, Connection, Dice, Network

log = get_logger(__name__)

_RETRY_MIN_S: Final = 0.02
_RETRY_MAX_S: Final = 0.25
_GIVE_WAY_S: Final = 0.05
_CROSSING_S: Final = 1.0
ITSELF: Final = "both sides are the same replica"
LINKED: Final = "there is a link already"
_STABLE_S: Final = 1.0
"""After a link that lasted this long, the next dial has no back-off."""


class Target(NamedTuple):
    """An address to dial, and the node expected there; None for a bootstrap server."""

    node_id: int | None
    host: str
    port: int


class Links:
    """The links of one replica, by peer."""

    def __init__(
        self,
        own: Hello,
        *,
        clock: Clock,
        dice: Dice,
        network: Network,
        inbox: Inbox,
        frame_bytes_max: int,
    ) -> None:
        self._own, self._inbox, self._frame_bytes_max = own, inbox, frame_bytes_max
        self._clock, self._dice, self._network = clock, dice, network
        self._links: dict[ReplicaKey, Link] = {}
        self._namesakes: set[ReplicaKey] = set()
        """Replicas that were refused because another has their id; each is logged once."""
        self._calling: dict[Target, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None
        self._wanted: list[Target] = []

    def get(self, replica: ReplicaKey) -> Link | None:
        return self._links.get(replica)

    async def run(self) -> None:
        """Dial the wanted targets until cancelled; then all links close."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._start_calls()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            for link in list(self._links.values()):
                link.close()

    def want(self, targets: Iterable[Target]) -> None:
        """Keep links to these from now on, and stop dialing others; existing links stay."""
        wanted = sorted(set(targets), key=lambda target: (target.host, target.port))
        if wanted != self._wanted:
            self._wanted = wanted
            self._start_calls()

    def renew(self, older_than_s: float) -> None:
        """Close links older than this that this side dialed, or would dial now, and dial their
        targets again. A connection that the other side has lost never delivers anything, not even
        its end. A voter that dialed this node while both were voters does not dial it as an
        observer, and while that link exists neither side dials."""
        now = self._clock.monotonic()
        wanted = {target.node_id for target in self._wanted}
        for replica, link in list(self._links.items()):
            ours = link.dialed or replica.id in wanted
            if ours and now - link.since >= older_than_s:
                link.given_up = True
                link.close()

    def _start_calls(self) -> None:
        for target in [target for target in self._calling if target not in self._wanted]:
            self._calling.pop(target).cancel()
        if self._nursery is None:
            return
        for target in self._wanted:
            if target not in self._calling:
                self._calling[target] = trio.CancelScope()
                self._nursery.start_soon(self._keep_calling, target, self._calling[target])

    # Dialing.

    async def _keep_calling(self, target: Target, scope: trio.CancelScope) -> None:
        delay, complaint = 0.0, ""
        with scope:
            while True:
                await self._clock.sleep(delay + self._give_way(target))
                if (existing := self._link_to(target)) is not None:
                    await existing.closed.wait()
                    delay = 0.0
                    continue
                called_at = self._clock.monotonic()
                try:
                    await self._call(target)
                    complaint = ""
                except (BrokenConnection, Refused, trio.ClosedResourceError) as error:
                    if str(error) == ITSELF:
                        return
                    if isinstance(error, Refused) and str(error) not in (complaint, LINKED):
                        complaint = str(error)
                        log.warning(
                            f"quorum: {target.host}:{target.port} cannot be linked to: {error}"
                        )
                if self._clock.monotonic() - called_at > _STABLE_S:
                    delay = 0.0
                else:
                    delay = min(max(2 * delay, _RETRY_MIN_S), _RETRY_MAX_S)
                    delay *= self._dice.uniform(0.75, 1.0)

    def _give_way(self, target: Target) -> float:
        if target.node_id is None or self._own.replica.id > target.node_id:
            return 0.0
        return _GIVE_WAY_S

    def _link_to(self, target: Target) -> Link | None:
        for replica, link in self._links.items():
            if replica.id == target.node_id:
                return link
        return None

    async def _call(self, target: Target) -> None:
        peer = f"{target.host}:{target.port}"
        connection = await self._network.connect(target.host, target.port, timeout_s=2.0)
        unread = bytearray()
        try:
            await connection.send([PREAMBLE, self._own.encode()])
            body = await within(
                self._clock, HANDSHAKE_TIMEOUT_S, lambda: read_hello(connection, unread), peer
            )
            hello = decode_hello(body)
            self._check(hello, target.node_id)
            link = Link(connection, hello.replica, True, self._clock.monotonic(), unread)
            if not self._register(link):
                raise Refused(LINKED)
        except BaseException:
            connection.close()
            raise
        # In a task of its own, since it outlives the wish for this target (a bootstrap server that
        # turns out to be a voter).
        assert self._nursery is not None
        self._nursery.start_soon(self._serve, link)
        await link.closed.wait()

    async def accept(self, connection: Connection, first_bytes: bytes) -> None:
        """Serve a connection that began with the preamble, until it closes."""
        unread = bytearray(first_bytes[len(PREAMBLE) :])
        try:
            body = await within(
                self._clock,
                HANDSHAKE_TIMEOUT_S,
                lambda: read_hello(connection, unread),
                connection.peer,
            )
            try:
                hello = decode_hello(body)
                self._check(hello, None)
                self._check_is_no_namesake(hello.replica)
                now = self._clock.monotonic()
                link = Link(connection, hello.replica, False, now, unread)
                link.opening = self._own.encode()
                if self._nursery is None:
                    raise Refused(f"node {self._own.replica.id} is stopping")
                if not self._register(link):
                    raise Refused(LINKED)
            except Refused as refusal:
                await connection.send([encode_refusal(str(refusal))])
                raise
            await self._serve(link)
        except (BrokenConnection, trio.ClosedResourceError):
            pass  # The peer has closed it; the dialing side retries.
        except Refused as refusal:
            log.debug(f"quorum: refused {connection.peer}: {refusal}")
        finally:
            connection.close()

    def _check(self, hello: Hello, expected_id: int | None) -> None:
        own = self._own
        if hello.cluster_id != own.cluster_id:
            raise Refused(
                f"node {hello.replica.id} is of cluster {hello.cluster_id}, "
                f"node {own.replica.id} of cluster {own.cluster_id}"
            )
        if hello.replica == own.replica:
            raise Refused(ITSELF)
        if expected_id is not None and hello.replica.id != expected_id:
            raise Refused(f"node {hello.replica.id} answers where node {expected_id} should")

    def _check_is_no_namesake(self, replica: ReplicaKey) -> None:
        """Two processes with one node id: tell the second one, which logs it too."""
        if any(each.id == replica.id and each != replica for each in self._links):
            words = (
                f"another replica with node.id {replica.id} is linked to node"
                f" {self._own.replica.id}; give each node a node.id and a directory of its own"
            )
            if replica not in self._namesakes:
                self._namesakes.add(replica)
                log.warning(f"quorum: node {replica.id} is refused: {words}")
            raise Refused(words)

    def _register(self, link: Link) -> bool:
        """Register the link to that replica. If two dials cross, the higher node id's stays."""
        existing = self._links.get(link.replica)
        if existing is not None:
            young = self._clock.monotonic() - existing.since < _CROSSING_S
            own_is_greater = self._own.replica.id > link.replica.id
            if young and existing.dialed != link.dialed and existing.dialed == own_is_greater:
                return False
            self._forget(existing)
        self._links[link.replica] = link
        self._inbox.put(link, True)
        return True

    def _forget(self, link: Link) -> None:
        if self._links.get(link.replica) is link:
            del self._links[link.replica]
            self._inbox.put(link, False)
        link.close()

    async def _serve(self, link: Link) -> None:
        try:
            reason = await link.run(self._inbox, self._frame_bytes_max)
            log.debug(f"quorum: link to node {link.replica.id} ended: {reason}")
        finally:
            self._forget(link)
