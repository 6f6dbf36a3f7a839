"""kio knows the protocol independently of us: the same messages must be the same bytes."""

from __future__ import annotations

import dataclasses
import datetime
import io
import random
import types
import typing
import uuid
from importlib import import_module
from typing import Any

import pytest
from kio.schema.errors import ErrorCode
from kio.serial import entity_writer

from raftka.net.protocol import codec
from raftka.net.protocol.apis import APIS
from raftka.net.protocol.message import Message, Struct
from raftka.net.protocol.messages.share_fetch import ShareFetchResponse
from tests.support.messages import api_classes, random_message, versions

MESSAGES_EACH = 8
NEWER_THAN_KIO = {
    (f"{name}{kind}", version)
    for name, version in (
        ("TxnOffsetCommit", 6),
        ("StreamsGroupHeartbeat", 1),
        ("StreamsGroupDescribe", 1),
        ("StreamsGroupTopologyDescriptionUpdate", 0),
    )
    for kind in ("Request", "Response")
}
"""(message, version) of Apache Kafka 4.4, which kio's newest release does not have."""
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def kio_class(cls: type[Message], version: int) -> Any:
    """kio's class for the same message."""
    api = APIS[cls.API_KEY]  # type: ignore[attr-defined]
    kind = "request" if cls.__name__.endswith("Request") else "response"
    module = import_module(f"kio.schema.{api.module}.v{version}.{kind}")
    return getattr(module, cls.__name__)


def translated(ours: Struct, theirs: Any) -> Any:
    """Our struct as an instance of kio's class; values that kio cannot hold are changed in ours."""
    hints = typing.get_type_hints(theirs)
    values = {}
    for field in dataclasses.fields(theirs):
        kind, is_tuple = _element(hints[field.name])
        name = field.name.rstrip("_")  # kio has id_ for id.
        value = getattr(ours, name)
        if dataclasses.is_dataclass(kind):
            if is_tuple and value is not None:
                value = tuple(translated(item, kind) for item in value)
            elif value is not None:
                value = translated(value, kind)
        elif is_tuple and value is not None:
            value = tuple(_scalar(field.metadata["kafka_type"], item) for item in value)
        else:
            value = _acceptable(ours, name, field.metadata["kafka_type"], hints[field.name])
            value = _scalar(field.metadata["kafka_type"], value)
        values[field.name] = value
    return theirs(**values)


def _element(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(arm for arm in typing.get_args(hint) if arm is not type(None))
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    return hint, False


def _avoid_what_kio_cannot(message: Struct) -> None:
    """kio cannot distinguish an empty array with a tag from a null one, of which there is one
    field. It also lacks raftka's own fields.
    """
    for result in getattr(message, "results", ()):
        for topic in getattr(result, "topics", ()) if hasattr(result, "log_dir") else ():
            for partition in topic.partitions:
                partition.cleaner = []
    if hasattr(message, "recorder"):
        message.recorder = []
    if hasattr(message, "metadata_log"):
        message.metadata_log = []
    for group in getattr(message, "groups", ()):
        if hasattr(group, "not_ready"):
            group.not_ready = ""
        for member in getattr(group, "members", ()):
            if hasattr(member, "awaited"):
                member.awaited = False
    if hasattr(message, "acceptable_recovery_lag_legacy"):  # That of version 0.
        message.acceptable_recovery_lag_legacy = message.acceptable_recovery_lag  # type: ignore[attr-defined]
    if getattr(message, "cordoned_log_dirs", None) == []:
        message.cordoned_log_dirs = None  # type: ignore[attr-defined]
    if isinstance(message, ShareFetchResponse):  # Our codec lets every records field be null.
        for topic in message.responses:
            for partition in topic.partitions:
                partition.records = partition.records or b""


def _acceptable(ours: Struct, name: str, kind: str, hint: Any) -> Any:
    """kio's types are narrower than the wire's: known error codes, years below 10000."""
    value = getattr(ours, name)
    if kind == "error_code" and value not in ErrorCode._value2member_map_:
        value = value % 100
    if kind == "datetime_i64":
        lowest = -1 if type(None) in typing.get_args(hint) else 0
        value = lowest if value < 0 else value % 2**41
    if kind == "timedelta_i64":
        value %= 2**41
    setattr(ours, name, value)
    return value


def _scalar(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "uuid":
        return uuid.UUID(bytes=value) if any(value) else None
    if kind == "error_code":
        return ErrorCode(value)
    if kind.startswith("timedelta"):
        return datetime.timedelta(milliseconds=value)
    if kind == "datetime_i64":
        return None if value == -1 else _EPOCH + datetime.timedelta(milliseconds=value)
    return value


@pytest.mark.parametrize("cls", api_classes(), ids=lambda cls: cls.__name__)
def test_the_same_bytes_as_kio(cls: type[Message]) -> None:
    for version in versions(cls):
        if (cls.__name__, version) in NEWER_THAN_KIO:
            continue
        theirs = kio_class(cls, version)
        write = entity_writer(theirs)
        for seed in range(MESSAGES_EACH):
            message = random_message(cls, version, random.Random(seed))
            _avoid_what_kio_cannot(message)
            expected = io.BytesIO()
            write(expected, translated(message, theirs))
            written = b"".join(codec.encode(message, version))  # type: ignore[arg-type]
            assert written == expected.getvalue(), (version, seed, message)
            assert codec.decode(cls, version, written) == message
