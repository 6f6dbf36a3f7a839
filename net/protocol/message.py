"""The base of all message classes; the classes themselves are in messages/.

A class represents its struct in all versions: a field that a version does not have is not encoded,
and has its default after decoding. LAYOUT has the fields in the notation of notation.py; the codec
compiles its functions from it on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, Generic, TypeVar

from raftka.model.ports import Buffer, FileRegion, Piece

Records = Buffer | list[Piece] | None
"""Record batches. Decoded: a view of the frame. To encode: a buffer, or pieces."""

NEVER: Final = 32768
"""Above every version: an open end, and the first flexible version of a rigid message."""

_API_VERSIONS: Final = 18

FRESH: Final[Any] = object()
"""As an argument's default: a new empty list, or a new struct of defaults."""

Decoder = Callable[[Any, int, int], tuple[Any, int]]
Encoder = Callable[[Any, bytearray], list[Piece]]


class Struct:
    """A structure of the protocol. Two are equal if they have the same class and equal fields."""

    __slots__: tuple[str, ...] = ()

    LAYOUT: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_shown(getattr(self, name))}" for name in self.__slots__)
        return f"{self.__class__.__name__}({fields})"


class Message(Struct):
    """A structure that the codec can encode and decode by itself."""

    __slots__ = ()

    VALID_VERSIONS: ClassVar[tuple[int, int]]
    """The first and the last version that the codec knows."""
    FLEXIBLE_FROM: ClassVar[int]
    """The first version with compact lengths and tagged fields (KIP-482), or NEVER."""
    DECODERS: ClassVar[dict[int, Decoder]]
    """Compiled so far, by version."""
    ENCODERS: ClassVar[dict[int, Encoder]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.DECODERS = {}
        cls.ENCODERS = {}


class Response(Message):
    """The answer to a Request; in the notation, a `response`."""

    __slots__ = ()

    API_KEY: ClassVar[int]
    API_NAME: ClassVar[str]
    HEADER_FLEXIBLE_FROM: ClassVar[int]
    """The first version whose header ends with tagged fields. That of ApiVersions never does: the
    client does not know the supported versions yet (KIP-511)."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.HEADER_FLEXIBLE_FROM = NEVER if cls.API_KEY == _API_VERSIONS else cls.FLEXIBLE_FROM


ResponseT = TypeVar("ResponseT", bound=Response)


class Request(Message, Generic[ResponseT]):
    """A request of a client or node, with the class of its answer."""

    __slots__ = ()

    API_KEY: ClassVar[int]
    API_NAME: ClassVar[str]
    RESPONSE: type[ResponseT]
    """The class of the answer."""


def _shown(value: object) -> str:
    """A field's value for people: long byte strings only by their size."""
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value[:33])
        return repr(raw) if len(value) <= 32 else f"<{len(value)} bytes>"
    if isinstance(value, FileRegion):
        return f"<{value.size} bytes of {value.file.path} from {value.offset}>"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return repr(value)
