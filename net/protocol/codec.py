"""Kafka's messages between bytes and objects.

    message = decode(FetchRequest, version, frame, header.body_offset)
    pieces = encode_response(FetchResponse(...), version, correlation_id)

The functions that do the work are compiled when a class is first used in a version (decoder.py,
encoder.py) from the class's LAYOUT, which comes from schema/. Importing this module imports no
message class; REQUESTS loads them one at a time.

The records of a decoded message are views of the buffer it was read from: they live as long as
that buffer is left alone. All other fields are copies. Records to be written become pieces that
are sent as they are, so they must be left alone until they are sent.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, TypeVar, cast

from raftka.model.ports import Buffer, Piece
from raftka.net.protocol.apis import APIS
from raftka.net.protocol.headers import MalformedMessage, RequestHeader, decode_request_header
from raftka.net.protocol.message import Message, Request, Response
from raftka.net.protocol.primitives import (
    READ_ERRORS,
    WRITE_ERRORS,
    Flaw,
    size_of,
    skip_tags,
)

__all__ = [
    "REQUESTS",
    "EncodeError",
    "MalformedMessage",
    "RequestHeader",
    "decode",
    "decode_request",
    "decode_request_header",
    "decode_response",
    "decode_versioned",
    "encode",
    "encode_request",
    "encode_response",
    "encode_versioned",
]

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Response)

_SIZE: Final = struct.Struct(">i")
_SIZE_AND_ID: Final = struct.Struct(">ii")
_REQUEST_HEAD: Final = struct.Struct(">ihhih")
_VERSION: Final = struct.Struct(">h")


class EncodeError(ValueError):
    """A message that cannot be encoded, because a field's value does not fit its type."""


def decode(cls: type[M], version: int, buffer: Buffer, offset: int = 0) -> M:
    """Decode a message from `offset` to the end of `buffer`.

    Raises MalformedMessage for malformed bytes, and for an unknown version.
    """
    message, position = _decode(cls, version, buffer, offset)
    surplus = len(buffer) - position
    if surplus:
        words = f"{surplus} bytes too many" if surplus > 0 else "ends early"
        raise MalformedMessage(f"{cls.__name__} v{version}: {words}")
    return message


def decode_request(cls: type[M], version: int, frame: Buffer, offset: int) -> M:
    """Decode a request as a broker does: bytes after its end are ignored.

    librdkafka (2.16, in Metadata for all topics) leaves some there, and Apache Kafka ignores them.
    Raises MalformedMessage.
    """
    end = len(frame)
    message: M
    try:
        decoder = cls.DECODERS.get(version) or _compiled_decoder(cls, version)
        try:
            message, position = decoder(frame, offset, end)
        except UnicodeDecodeError:
            message, position = _read_leniently(cls, version, frame, offset)
    except (Flaw, *READ_ERRORS) as error:
        raise MalformedMessage(f"{cls.__name__} v{version}: {error}") from error
    if position > end:
        raise MalformedMessage(f"{cls.__name__} v{version}: ends early")
    return message


def _decode(cls: type[M], version: int, buffer: Buffer, offset: int) -> tuple[M, int]:
    try:
        decoder = cls.DECODERS.get(version) or _compiled_decoder(cls, version)
        try:
            return decoder(buffer, offset, len(buffer))
        except UnicodeDecodeError:
            return _read_leniently(cls, version, buffer, offset)
    except (Flaw, *READ_ERRORS) as error:
        raise MalformedMessage(f"{cls.__name__} v{version}: {error}") from error


def encode(message: Message, version: int) -> list[Piece]:
    """Encode a message, without header or size.

    Raises EncodeError, and ValueError for a version that the class does not have.
    """
    return _encode(message, version, bytearray())


def _encode(message: Message, version: int, w: bytearray) -> list[Piece]:
    encoder = message.ENCODERS.get(version) or _compiled_encoder(type(message), version)
    try:
        return encoder(message, w)
    except WRITE_ERRORS as error:
        name = type(message).__name__
        raise EncodeError(f"{name} v{version} cannot be written: {error}; {message!r}") from error


def encode_request(
    message: Request[Any], version: int, correlation_id: int, client_id: str | None
) -> list[Piece]:
    """A complete frame, preceded by its 4-byte size. Raises as `encode` does."""
    name = b"" if client_id is None else client_id.encode()
    length = -1 if client_id is None else len(name)
    w = bytearray(_REQUEST_HEAD.pack(0, message.API_KEY, version, correlation_id, length))
    w += name
    if version >= message.FLEXIBLE_FROM:
        w.append(0)
    pieces = _encode(message, version, w)
    _SIZE.pack_into(w, 0, _size_of(pieces) - 4)
    return pieces


def encode_response(message: Response, version: int, correlation_id: int) -> list[Piece]:
    """A complete frame, preceded by its 4-byte size. Raises as `encode` does."""
    flexible = version >= message.HEADER_FLEXIBLE_FROM
    w = bytearray(9 if flexible else 8)
    pieces = _encode(message, version, w)
    _SIZE_AND_ID.pack_into(w, 0, _size_of(pieces) - 4, correlation_id)
    return pieces


def _size_of(pieces: list[Piece]) -> int:
    return len(cast(bytearray, pieces[0])) if len(pieces) == 1 else size_of(pieces)


def decode_response(cls: type[R], version: int, frame: Buffer) -> tuple[int, R]:
    """(correlation id, message) of a frame without its size. Raises MalformedMessage."""
    try:
        correlation_id = int.from_bytes(frame[:4], "big", signed=True)
        offset = 4
        if version >= cls.HEADER_FLEXIBLE_FROM:
            count = frame[4]
            offset = skip_tags(frame, 5, len(frame), count) if count else 5
    except (Flaw, *READ_ERRORS) as error:
        raise MalformedMessage(f"{cls.__name__} v{version}, header: {error}") from error
    return correlation_id, decode(cls, version, frame, offset)


def encode_versioned(message: Message, version: int) -> bytes:
    """Encode a structure for a record or another message, preceded by its version.

    Raises as `encode` does.
    """
    w = bytearray(_VERSION.pack(version))
    _encode(message, version, w)
    return bytes(w)


def decode_versioned(cls: type[M], buffer: Buffer, *, newest: bool = False) -> M:
    """Decode the output of `encode_versioned`. Raises MalformedMessage.

    With `newest`, a higher version is decoded as the newest known one and the rest is ignored, as
    consumers do with each other's subscriptions and assignments.
    """
    try:
        (version,) = _VERSION.unpack_from(buffer)
    except struct.error as error:
        raise MalformedMessage(f"{cls.__name__}: {error}") from error
    last = cls.VALID_VERSIONS[1]
    if newest and version > last:
        return _decode_head(cls, last, buffer)
    return decode(cls, version, buffer, 2)


def _decode_head(cls: type[M], version: int, buffer: Buffer) -> M:
    """Decode a message after its int16 version, ignoring any rest."""
    message, position = _decode(cls, version, buffer, 2)
    if position > len(buffer):
        raise MalformedMessage(f"{cls.__name__} v{version}: ends early")
    return message


class _Requests(Mapping[int, type[Request[Any]]]):
    """Every request class by API key; a class's module is imported on first use."""

    def __init__(self) -> None:
        self._loaded: dict[int, type[Request[Any]]] = {}

    def __getitem__(self, api_key: int) -> type[Request[Any]]:
        if api_key not in self._loaded:
            api = APIS[api_key]
            module = import_module(f"raftka.net.protocol.messages.{api.module}")
            self._loaded[api_key] = getattr(module, f"{api.name}Request")
        return self._loaded[api_key]

    def __contains__(self, api_key: object) -> bool:
        return api_key in APIS

    def __iter__(self) -> Iterator[int]:
        return iter(APIS)

    def __len__(self) -> int:
        return len(APIS)


REQUESTS: Final[Mapping[int, type[Request[Any]]]] = _Requests()


def compile_codecs(cls: type[Message], version: int) -> None:
    """Compile the functions that the first message of this class in this version needs.

    Raises MalformedMessage and ValueError for a version that the class does not have.
    """
    if version not in cls.DECODERS:
        _compiled_decoder(cls, version)
    if version not in cls.ENCODERS:
        _compiled_encoder(cls, version)


def _compiled_decoder(cls: type[Message], version: int) -> Any:
    from raftka.net.protocol.decoder import compile_decoder

    try:
        decoder = cls.DECODERS[version] = compile_decoder(cls, version)
    except ValueError as error:
        raise Flaw(str(error)) from error
    return decoder


_LENIENT: Final[dict[tuple[type[Message], int], Any]] = {}
"""Decoders that also accept strings with invalid UTF-8, compiled on the first such message."""


def _read_leniently(cls: type[M], version: int, buffer: Buffer, offset: int) -> tuple[M, int]:
    decoder = _LENIENT.get((cls, version))
    if decoder is None:
        from raftka.net.protocol.decoder import compile_decoder

        decoder = _LENIENT[cls, version] = compile_decoder(cls, version, lenient=True)
    return cast(tuple[M, int], decoder(buffer, offset, len(buffer)))


def _compiled_encoder(cls: type[Message], version: int) -> Any:
    from raftka.net.protocol.encoder import compile_encoder

    encoder = cls.ENCODERS[version] = compile_encoder(cls, version)
    return encoder
