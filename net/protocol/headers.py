"""The headers in front of requests and responses (protocol guide, "Headers"; KIP-482).

A request's header has tagged fields when its version is flexible. From which version a response's
header has them, its class says (Response.HEADER_FLEXIBLE_FROM).
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
    """Bytes that are not what they should be; the message says which and why."""


class RequestHeader(NamedTuple):
    """What precedes every request."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    body_offset: int
    """Where in the frame the message itself begins."""


_header: Final = partial(tuple.__new__, RequestHeader)
"""A NamedTuple's own constructor is a call more."""


def decode_request_header(frame: Buffer) -> RequestHeader:
    """Read the header of a frame (without the frame's size field).

    Of an API or version that is not known, only what all headers share is read: body_offset is then
    of no use. Raises MalformedMessage.
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
