"""The headers of requests and responses (protocol guide, "Headers"; KIP-482).

A request's header has tagged fields if its version is flexible. A response's class has the lowest
version whose header has them (Response.HEADER_FLEXIBLE_FROM).
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Final

from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Buffer
from raftka.model.text import decode_text
from raftka.net.protocol.apis import APIS
from raftka.net.protocol.primitives import READ_ERRORS, Flaw, skip_tags

_FLEXIBLE: Final = frozenset(
    api.key << 16 | version
    for api in APIS.values()
    for version in range(api.flexible_from, api.last_version + 1)
)
"""The requests whose headers have tagged fields, as key << 16 | version."""

_HEADER: Final = struct.Struct(">hhih")


class MalformedMessage(ValueError):
    """Malformed bytes; the message has the location and the reason."""


class RequestHeader(NamedTuple):
    """The header of every request."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    body_offset: int
    """The position of the message in the frame."""


_header: Final = partial(tuple.__new__, RequestHeader)
"""A NamedTuple's own constructor is a call more."""


def decode_request_header(frame: Buffer) -> RequestHeader:
    """Decode the header of a frame (without the frame's size field).

    For an unknown API or version, only the fields common to all headers are decoded: then
    body_offset has no meaning. Raises MalformedMessage.
    """
    try:
        key, version, correlation_id, length = _HEADER.unpack_from(frame)
        offset = 10
        client_id = None
        if length >= 0:
            offset += length
            try:
                client_id = str(frame[10:offset], "utf-8")
            except UnicodeDecodeError:
                client_id = decode_text(frame[10:offset])
        if offset > len(frame):
            raise Flaw("the client id is longer than the frame")
        if key << 16 | version in _FLEXIBLE:
            count = frame[offset]
            offset += 1
            if count:
                offset = skip_tags(frame, offset, len(frame), count)
        return _header((key, version, correlation_id, client_id, offset))
    except (Flaw, *READ_ERRORS) as error:
        raise MalformedMessage(f"request header: {error}") from error
