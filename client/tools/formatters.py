"""How the console consumer prints a record."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from raftka.client.consumer import ConsumerRecord
from raftka.client.tools.group_formatters import (
    GroupMetadataFormatter,
    OffsetsFormatter,
    ShareGroupFormatter,
    ShareStateFormatter,
    TransactionLogFormatter,
)
from raftka.client.tools.options import ToolError, UsageError
from raftka.model.text import decode_text

Decoder = Callable[[bytes], bytes]


class Formatter(Protocol):
    """Makes the bytes that the console consumer writes for one record, line end included."""

    def format(self, record: ConsumerRecord) -> bytes: ...


def _number(layout: str) -> Decoder:
    packed = struct.Struct(layout)

    def decode(data: bytes) -> bytes:
        if len(data) != packed.size:
            raise ToolError(f"{len(data)} bytes are not a number of {packed.size} bytes")
        (value,) = packed.unpack(data)
        return str(value).encode()

    return decode


def _as_it_is(data: bytes) -> bytes:
    return data


_DESERIALIZERS: Mapping[str, Decoder] = {
    "StringDeserializer": _as_it_is,
    "ByteArrayDeserializer": _as_it_is,
    "BytesDeserializer": _as_it_is,
    "ByteBufferDeserializer": _as_it_is,
    "ShortDeserializer": _number(">h"),
    "IntegerDeserializer": _number(">i"),
    "LongDeserializer": _number(">q"),
    "FloatDeserializer": _number(">f"),
    "DoubleDeserializer": _number(">d"),
    "BooleanDeserializer": lambda data: b"true" if data == b"\x01" else b"false",
}


def deserializer(name: str | None) -> Decoder:
    """A deserializer by the name of Kafka's class, perhaps short. Raises UsageError."""
    if not name:
        return _as_it_is
    decode = _DESERIALIZERS.get(name.rpartition(".")[2])
    if decode is None:
        raise UsageError(f"{name} is not known; there are {', '.join(_DESERIALIZERS)}")
    return decode


class DefaultFormatter:
    """Prints values, and other fields that the properties select."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        def shows(name: str, default: str = "false") -> bool:
            return properties.get(name, default).strip().lower() == "true"

        self._timestamp = shows("print.timestamp")
        self._partition = shows("print.partition")
        self._offset = shows("print.offset")
        self._epoch = shows("print.epoch")
        self._headers = shows("print.headers")
        self._key = shows("print.key")
        self._value = shows("print.value", "true")
        self._separator = properties.get("key.separator", "\t").encode()
        self._line_separator = properties.get("line.separator", "\n").encode()
        self._headers_separator = properties.get("headers.separator", ",").encode()
        self._null = properties.get("null.literal", "null").encode()
        self._decode_key = deserializer(properties.get("key.deserializer"))
        self._decode_value = deserializer(properties.get("value.deserializer"))
        self._decode_header = deserializer(
            properties.get("headers.deserializer") or properties.get("header.deserializer")
        )

    def format(self, record: ConsumerRecord) -> bytes:
        """One line. Raises ToolError for bytes that a deserializer rejects."""
        parts: list[bytes] = []
        if self._timestamp:
            known = record.timestamp_ms >= 0
            parts.append(
                f"{record.timestamp_type}:{record.timestamp_ms}".encode()
                if known
                else b"NO_TIMESTAMP"
            )
        if self._partition:
            parts.append(b"Partition:%d" % record.partition)
        if self._offset:
            parts.append(b"Offset:%d" % record.offset)
        if self._epoch:
            parts.append(b"Epoch:%d" % record.leader_epoch)
        if self._headers:
            parts.append(self._show_headers(record))
        if self._key:
            parts.append(self._show(record.key, self._decode_key))
        if self._value:
            parts.append(self._show(record.value, self._decode_value))
        return self._separator.join(parts) + self._line_separator

    def _show_headers(self, record: ConsumerRecord) -> bytes:
        if not record.headers:
            return b"NO_HEADERS"
        return self._headers_separator.join(
            name.encode() + b":" + self._show(value, self._decode_header)
            for name, value in record.headers
        )

    def _show(self, data: bytes | None, decode: Decoder) -> bytes:
        return self._null if data is None else decode(data)


class LoggingFormatter(DefaultFormatter):
    """The default format, after a line about key and value."""

    def format(self, record: ConsumerRecord) -> bytes:
        shown = super().format(record)
        key = decode_text(record.key or b"null")
        value = decode_text(record.value or b"null")
        time = f"{record.timestamp_type}:{record.timestamp_ms}, "
        return shown + f"{time}key:{key}, value:{value}\n".encode()


class NoFormatter:
    """Prints nothing, to measure reading alone."""

    def format(self, record: ConsumerRecord) -> bytes:
        return b""


_FORMATTERS: Final[Mapping[str, Callable[[Mapping[str, str]], Formatter]]] = {
    "DefaultMessageFormatter": DefaultFormatter,
    "LoggingMessageFormatter": LoggingFormatter,
    "NoOpMessageFormatter": lambda _: NoFormatter(),
    "OffsetsMessageFormatter": lambda _: OffsetsFormatter(),
    "GroupMetadataMessageFormatter": lambda _: GroupMetadataFormatter(),
    "TransactionLogMessageFormatter": lambda _: TransactionLogFormatter(),
    "ShareGroupMessageFormatter": lambda _: ShareGroupFormatter(),
    "ShareGroupStateMessageFormatter": lambda _: ShareStateFormatter(),
}


def formatter(name: str | None, properties: Mapping[str, str]) -> Formatter:
    """A formatter by the name of Kafka's class: from 4.x, older, or short. Raises UsageError."""
    short = re.split(r"[.$]", name or "DefaultMessageFormatter")[-1]
    make = _FORMATTERS.get(short)
    if make is None:
        *most, last = _FORMATTERS
        raise UsageError(f"--formatter {name}: there are {', '.join(most)} and {last}")
    return make(properties)
