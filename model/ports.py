"""A node's interfaces to the outside: clock, random source, disk, network, and TLS.

Production passes the real implementations (net/transport.py, storage/posix.py,
net/security/openssl.py), the simulator its own (simulations/), and nothing else differs between the
two. Code that needs time, randomness, a file or a peer must use these ports; a test enforces it.

Errors: files and directories raise OSError as the operating system does; connections raise
`BrokenConnection`; a connection or listener closed on this side raises `trio.ClosedResourceError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from raftka.model.named_tuple import NamedTuple

if TYPE_CHECKING:
    from raftka.model.tls_settings import TlsSettings

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview


class Alarm(Protocol):
    """Wakes one task at a given time, or earlier if another task rings."""

    async def wait(self, until: float) -> bool:
        """Wait until the clock's `monotonic` reaches `until`, or for a ring; True if it does.

        Returns at once, after a checkpoint, if it was rung since the last wait. May return early by
        the rounding error of a sum of floats.
        """
        ...

    def ring(self) -> None:
        """End the wait, or the next one. Never a checkpoint."""
        ...


class Limit(Protocol):
    """A time limit for a block."""

    cancelled_caught: bool
    """Set after the block: whether the time limit cancelled it."""


class Clock(Protocol):
    """The time of one node; two nodes' clocks may disagree."""

    def monotonic(self) -> float:
        """Seconds since some moment; never decreases. For deadlines and intervals."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since 1970, as this node believes; may jump. For timestamps in records."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long on this node's clock; a checkpoint even for 0."""
        ...

    def within(self, seconds: float) -> AbstractContextManager[Limit]:
        """Cancel the block of the `with` after `seconds` on this node's clock.

            with clock.within(2.0) as limit:
                await something()
            if limit.cancelled_caught: ...

        Like trio.move_on_after, which uses the machine's clock.
        """
        ...

    def alarm(self) -> Alarm:
        """For waits that usually end early: cheaper than cancelling a `sleep`."""
        ...


class Dice(Protocol):
    """Randomness. `random.Random` and `random.SystemRandom` both fit."""

    def random(self) -> float: ...
    def uniform(self, a: float, b: float) -> float: ...
    def randrange(self, start: int, stop: int | None = None, /) -> int: ...
    def getrandbits(self, k: int, /) -> int: ...
    def randbytes(self, n: int) -> bytes: ...


class File(Protocol):
    """An open file with positional reads and writes; safe to read while it is appended to."""

    path: str

    def size(self) -> int: ...

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes at `offset`; fewer only at the end of the file."""
        ...

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write all `buffers` consecutively at `offset`; return the number of bytes.

        After an OSError it is unknown which bytes have reached the file.
        """
        ...

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None:
        """Make contents and size durable (fdatasync). May block: call it through Disk.offload."""
        ...

    def fileno(self) -> int:
        """The descriptor for sendfile, or -1 if there is none (in simulation)."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...


class FileLock(Protocol):
    """An exclusive lock on a directory; the operating system releases it with the process."""

    def release(self) -> None: ...


Values = dict[str, Any]
"""Plain values by name, which can be sent to another process as JSON."""


class Work(Protocol):
    """Long file operations that must not block this process, one step at a time."""

    async def step(self) -> Values | None:
        """The result of the next step, or None after the last. Raises the errors of the work."""
        ...

    async def close(self) -> None:
        """Abort the work. Idempotent."""
        ...


class Disk(Protocol):
    """One machine's file system. Paths are strings with '/'."""

    def open(self, path: str, *, create: bool = False) -> File:
        """Open for reading and writing; FileNotFoundError unless it exists or `create`."""
        ...

    def exists(self, path: str) -> bool: ...
    def is_dir(self, path: str) -> bool: ...

    def list_dir(self, path: str) -> list[str]:
        """The names in a directory, sorted, so that no order depends on the machine."""
        ...

    def make_dirs(self, path: str) -> None: ...

    def rename(self, source: str, target: str) -> None:
        """Atomic; replaces an existing file. Durable only after sync_dir of the parent."""
        ...

    def remove(self, path: str) -> None: ...
    def remove_tree(self, path: str) -> None: ...

    def sync_dir(self, path: str) -> None:
        """Make creations, renames and removals in a directory durable."""
        ...

    def free_bytes(self, path: str) -> tuple[int, int]:
        """(total, usable) bytes of the volume that contains `path`."""
        ...

    def lock(self, path: str) -> FileLock:
        """Take the exclusive lock file; raises BlockingIOError if another process holds it."""
        ...

    async def offload(self, function: Callable[[], T]) -> T:
        """Run blocking file operations: in a thread in production, inline in simulation."""
        ...

    def begin(self, steps: Callable[[Disk, Values], Iterator[Values]], arguments: Values) -> Work:
        """Start long file operations: in a process of its own in production, inline in simulation.

        `steps` is a function of a module. It may raise OSError and KafkaError.
        """
        ...


class FileRegion(NamedTuple):
    """A region of a file that is sent to a socket without passing through Python."""

    file: File
    offset: int
    size: int


Piece = Buffer | FileRegion


def bytes_of(piece: Piece) -> Buffer:
    """The bytes of a piece on the wire; a region of a file is read."""
    return piece.file.read(piece.size, piece.offset) if isinstance(piece, FileRegion) else piece


SHORTEST_WAIT_S: Final = 0.0005
"""Rounding can leave a remainder so small that adding it does not advance a clock: a task that
waits for it would busy-wait, and for ever in virtual time."""


class BrokenConnection(Exception):
    """The peer is gone, or unreachable; the message has the reason and the address."""


class NoAnswer(BrokenConnection):
    """An address of the peer did not answer in time, which proves nothing about the peer."""


class AuthenticationFailed(BrokenConnection):
    """The peer refuses this node, or has the wrong identity: a retry would not help."""


class Connection(Protocol):
    """One byte stream between two nodes, or a client and a node.

    One task receives and one task sends at a time (they may be different tasks).
    """

    peer: str
    """host:port of the other side, for people."""

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        """Wait for bytes; return the number stored, 0 at the end of the stream.

        `at_least` is a hint, which may be ignored: fewer bytes are of no use yet.
        """
        ...

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        """The same without waiting; None if there are no bytes. Never a checkpoint.

        Raises BrokenConnection, and trio.ClosedResourceError after it was closed on this side.
        """
        ...

    async def send(self, pieces: Sequence[Piece]) -> None:
        """Send all pieces in order; returns when the system has accepted them."""
        ...

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        """Send what the system accepts without waiting; return the rest, for `send`.

        Never a checkpoint. Raises BrokenConnection.
        """
        ...

    def close(self) -> None:
        """Idempotent; a task that waits on this connection gets trio.ClosedResourceError."""
        ...


class Poller(Protocol):
    """Waits for many connections at once, and returns the readable ones."""

    def watch(self, connection: Connection, owner: Any) -> bool:
        """Let `ready` return `owner` whenever there are bytes, or the end of the stream, or the
        connection is closed on this side. False for a connection that needs a task of its own."""
        ...

    def forget(self, connection: Connection) -> None:
        """Stop watching. Must follow each `watch` that returned True, also after `close`."""
        ...

    async def ready(self) -> list[Any]:
        """Wait for readable connections, and return each once. A checkpoint: other tasks run
        between two calls."""
        ...

    def close(self) -> None: ...


class Listener(Protocol):
    """A port that accepts connections."""

    port: int
    """The port in use, even if 0 was requested."""

    async def accept(self) -> Connection:
        """The next connection. Raises trio.ClosedResourceError once the listener is closed."""
        ...

    def close(self) -> None:
        """Refuse new connections; accepted ones stay open. Idempotent."""
        ...


class Network(Protocol):
    """Connections to other machines, and from them."""

    async def connect(self, host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
        """Raises BrokenConnection on a timeout or a refusal."""
        ...

    async def listen(self, host: str, port: int, *, backlog: int = 1024) -> Listener:
        """Raises OSError if the address cannot be bound."""
        ...

    def poller(self) -> Poller | None:
        """A poller for connections of this network; None if it has none."""
        ...


class TlsFailure(Exception):
    """The TLS handshake failed, or the peer sent invalid data; the message has the reason."""


class TlsStream(Protocol):
    """One side of a TLS connection without I/O: plaintext for its user, ciphertext for the network,
    which the caller transfers."""

    def shake_hands(self) -> bool:
        """Continue the handshake; False while the other side must send more. Raises TlsFailure.

        Even after a failure there may be bytes to send: the alert with the reason.
        """
        ...

    @property
    def subject(self) -> str | None:
        """The distinguished name in the other side's certificate; None if it sent none."""
        ...

    def read(self, buffer: bytearray | memoryview) -> int | None:
        """Plaintext; None if more must be received first, 0 at the end. Raises TlsFailure."""
        ...

    def write(self, data: Buffer) -> None:
        """Encrypt plaintext for the other side. Raises TlsFailure."""
        ...

    def finish(self) -> None:
        """Announce that nothing more will be sent (close_notify). Never raises."""
        ...

    def take(self, data: Buffer) -> None:
        """Process bytes from the network; none at the end of the stream."""
        ...

    def give(self) -> bytes:
        """The bytes to send to the network; empty if there are none."""
        ...


class TlsContext(Protocol):
    """Keys, certificates and versions, for any number of connections."""

    def server(self) -> TlsStream:
        """The side that accepted the connection."""
        ...

    def client(self, host: str) -> TlsStream:
        """The side that connected to a host. Raises TlsFailure for an invalid host name."""
        ...


class Tls(Protocol):
    """A TLS implementation, which also loads keys and certificates."""

    def context(self, settings: TlsSettings, *, server: bool) -> TlsContext:
        """Raises ValueError, without secrets in the message; OSError for files."""
        ...

    def seen(self, settings: TlsSettings) -> object:
        """A value that changes if `context` would return another context. Raises OSError."""
        ...


def read_file(disk: Disk, path: str) -> bytes:
    """All bytes of a small file."""
    file = disk.open(path)
    try:
        return file.read(file.size(), 0)
    finally:
        file.close()


def write_atomically(disk: Disk, path: str, data: bytes) -> None:
    """Replace a small file so that a crash leaves the old contents or the new ones."""
    temporary = path + ".tmp"
    file = disk.open(temporary, create=True)
    try:
        file.truncate(0)
        file.write([data], 0)
        file.sync()
    finally:
        file.close()
    disk.rename(temporary, path)
    disk.sync_dir(path.rpartition("/")[0] or "/")
