"""What a node takes from outside: a clock, dice, a disk, a network, and what speaks TLS.

Production hands in the real ones (net/transport.py, storage/posix.py, net/security/openssl.py),
the simulator its own (simulations/), and nothing else differs between the two. Code that needs
time, chance, a file or a peer takes it from here and from nowhere else; a test enforces it.

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
    """Wakes one task at a given time, or earlier when another task rings."""

    async def wait(self, until: float) -> bool:
        """Wait until the clock's `monotonic` reaches `until`, or for a ring; True for the time.

        Returns at once, after a checkpoint, when it was rung since the last wait. The time may be
        early by the rounding error of a sum of floats.
        """
        ...

    def ring(self) -> None:
        """End the wait, or the next one. Never a checkpoint."""
        ...


class Limit(Protocol):
    """A stretch of work that ends with its time at the latest."""

    cancelled_caught: bool
    """Afterwards, whether the time was over before the work was."""


class Clock(Protocol):
    """Time as one node sees it; two nodes' clocks may disagree."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back. For deadlines and intervals."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since 1970 as this node believes; may jump. For timestamps in records."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long on this node's clock; a checkpoint even for 0."""
        ...

    def within(self, seconds: float) -> AbstractContextManager[Limit]:
        """Cancel what is inside of the `with` once `seconds` are over on this node's clock.

            with clock.within(2.0) as limit:
                await something()
            if limit.cancelled_caught: ...

        As trio.move_on_after, which only knows the machine's clock.
        """
        ...

    def alarm(self) -> Alarm:
        """For waits that mostly end early: cheaper than cancelling a `sleep`."""
        ...


class Dice(Protocol):
    """Randomness. `random.Random` and `random.SystemRandom` both fit."""

    def random(self) -> float: ...
    def uniform(self, a: float, b: float) -> float: ...
    def randrange(self, start: int, stop: int | None = None, /) -> int: ...
    def getrandbits(self, k: int, /) -> int: ...
    def randbytes(self, n: int) -> bytes: ...


class File(Protocol):
    """An open file, read and written by position; safe to read while it is appended to."""

    path: str

    def size(self) -> int: ...

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes at `offset`; fewer only at the end of the file."""
        ...

    def write(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write all of `buffers` one after the other at `offset`; the number of bytes written.

        After an OSError nothing is known about what reached the file.
        """
        ...

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None:
        """Make contents and size durable (fdatasync). May stall: call it through Disk.offload."""
        ...

    def fileno(self) -> int:
        """The descriptor for sendfile, or -1 when there is none (in simulation)."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...


class FileLock(Protocol):
    """An exclusive lock on a directory; the operating system releases it with the process."""

    def release(self) -> None: ...


Values = dict[str, Any]
"""Plain values by name, which JSON can carry to another process."""


class Work(Protocol):
    """Long file work that must not block this process, one step at a time."""

    async def step(self) -> Values | None:
        """What the next step did, or None after the last one. Raises what the work raises."""
        ...

    async def close(self) -> None:
        """End the work wherever it is. Idempotent."""
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
        """(total, usable) bytes of the volume that holds `path`."""
        ...

    def lock(self, path: str) -> FileLock:
        """Take the exclusive lock file; raises BlockingIOError when another process has it."""
        ...

    async def offload(self, function: Callable[[], T]) -> T:
        """Run blocking file work: in a thread in production, inline in simulation."""
        ...

    def begin(self, steps: Callable[[Disk, Values], Iterator[Values]], arguments: Values) -> Work:
        """Long work over files: in a process of its own in production, inline in simulation.

        `steps` is a function of a module. It may raise OSError and KafkaError.
        """
        ...


class FileRegion(NamedTuple):
    """A stretch of a file that goes to a socket without passing through Python."""

    file: File
    offset: int
    size: int


Piece = Buffer | FileRegion


def bytes_of(piece: Piece) -> Buffer:
    """What a piece is on the wire; a region of a file is read."""
    return piece.file.read(piece.size, piece.offset) if isinstance(piece, FileRegion) else piece


SHORTEST_WAIT_S: Final = 0.0005
"""Rounding can leave a remainder so small that adding it does not move a clock: a task
that waits for it would wait in vain, and for ever when time is virtual."""


class BrokenConnection(Exception):
    """The peer is gone, or could not be reached; the message says which and where."""


class AuthenticationFailed(BrokenConnection):
    """The peer does not take us, or is not who it should be: to try again is no use."""


class Connection(Protocol):
    """One byte stream between two nodes, or a client and a node.

    One task receives and one task sends at a time (they may be different tasks).
    """

    peer: str
    """host:port of the other side, for people."""

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        """Wait for bytes; how many were stored, 0 at the end of the stream.

        Fewer than `at_least` are of no use yet: a hint, which may be ignored.
        """
        ...

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        """As `receive_into` without waiting; None when nothing is there. Never a checkpoint.

        Raises BrokenConnection, and trio.ClosedResourceError once it was closed on this side.
        """
        ...

    async def send(self, pieces: Sequence[Piece]) -> None:
        """Send all pieces in order; returns when the system has taken them."""
        ...

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        """Send what the system takes without waiting; the rest, for `send`. Never a checkpoint.

        Raises BrokenConnection.
        """
        ...

    def close(self) -> None:
        """Idempotent; a task that waits on this connection gets trio.ClosedResourceError."""
        ...


class Poller(Protocol):
    """Finds which of many connections have something to receive, in one wait for all of them."""

    def watch(self, connection: Connection, owner: Any) -> bool:
        """Let `ready` name `owner` whenever bytes are there, or the end of the stream, or when
        the connection is closed on this side. False for a connection that only a task of its own
        can receive from."""
        ...

    def forget(self, connection: Connection) -> None:
        """Stop watching. Must follow each `watch` that was true, also after `close`."""
        ...

    async def ready(self) -> list[Any]:
        """Wait for some, each once. A checkpoint: other tasks have their turn between two calls."""
        ...

    def close(self) -> None: ...


class Listener(Protocol):
    """A port that accepts connections."""

    port: int
    """The port in use, known also when 0 was asked for."""

    async def accept(self) -> Connection:
        """The next connection. Raises trio.ClosedResourceError once the listener is closed."""
        ...

    def close(self) -> None:
        """Refuse new connections; accepted ones stay open. Idempotent."""
        ...


class Network(Protocol):
    """Connections to other machines, and from them."""

    async def connect(self, host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
        """Raises BrokenConnection when there is no answer in time, or a refusal."""
        ...

    async def listen(self, host: str, port: int, *, backlog: int = 1024) -> Listener:
        """Raises OSError when the address cannot be bound."""
        ...

    def poller(self) -> Poller | None:
        """What watches connections of this network; None when it has no such thing."""
        ...


class TlsFailure(Exception):
    """TLS comes to no agreement with the other side, or no longer understands it; why, in words."""


class TlsStream(Protocol):
    """One side of one TLS connection without I/O: its user's bytes in clear on one side, on the
    other those of the network, which the caller moves."""

    def shake_hands(self) -> bool:
        """Go on with the handshake; False while the other side has to say more. Raises TlsFailure.

        Also after a failure there may be bytes to send: the alert that names the reason.
        """
        ...

    @property
    def subject(self) -> str | None:
        """The distinguished name in the other side's certificate; None when it showed none."""
        ...

    def read(self, buffer: bytearray | memoryview) -> int | None:
        """Clear bytes that are there already; None when more has to come first, 0 at the end.

        Raises TlsFailure.
        """
        ...

    def write(self, data: Buffer) -> None:
        """Clear bytes for the other side. Raises TlsFailure."""
        ...

    def finish(self) -> None:
        """Announce that nothing more will be written (close_notify). Never raises."""
        ...

    def take(self, data: Buffer) -> None:
        """What the network brought; nothing at the end of the stream."""
        ...

    def give(self) -> bytes:
        """What the network has to carry; empty when there is nothing."""
        ...


class TlsContext(Protocol):
    """Keys, certificates and versions, for any number of connections."""

    def server(self) -> TlsStream:
        """The side that was connected to."""
        ...

    def client(self, host: str) -> TlsStream:
        """The side that connected to a host. Raises TlsFailure for no name of a host."""
        ...


class Tls(Protocol):
    """What speaks TLS, and reads keys and certificates."""

    def context(self, settings: TlsSettings, *, server: bool) -> TlsContext:
        """Raises ValueError, in words that show no secret; OSError for files."""
        ...

    def seen(self, settings: TlsSettings) -> object:
        """What is equal as long as `context` would make the same again. Raises OSError."""
        ...


def read_file(disk: Disk, path: str) -> bytes:
    """All bytes of a small file."""
    file = disk.open(path)
    try:
        return file.read(file.size(), 0)
    finally:
        file.close()


def write_atomically(disk: Disk, path: str, data: bytes) -> None:
    """Replace a small file so that a crash leaves the old contents or the new, nothing between."""
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
