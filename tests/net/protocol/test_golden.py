"""Bytes that a real broker wrote: they must be read as recorded, and written the same again."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from raftka.net.protocol import codec
from raftka.net.protocol.apis import APIS
from tests.support.wire import joined


class Golden(NamedTuple):
    kind: str
    name: str
    version: int
    words: str
    data: bytes


def recorded() -> list[Golden]:
    text = Path(__file__).with_name("golden.txt").read_text()
    found = []
    for block in re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip().split("\n\n"):
        head, words, *lines = block.splitlines()
        kind, name, version = head.split()
        found.append(Golden(kind, name, int(version), words, bytes.fromhex("".join(lines))))
    return found


def message_class(golden: Golden) -> Any:
    if golden.kind == "response":
        (api,) = (api for api in APIS.values() if api.name == golden.name)
        return codec.REQUESTS[api.key].RESPONSE
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", golden.name).lower()
    return getattr(import_module(f"raftka.net.protocol.messages.{name}"), golden.name)


@pytest.mark.parametrize("golden", recorded(), ids=lambda g: f"{g.name}-{g.version}")
def test_what_apache_kafka_wrote(golden: Golden) -> None:
    cls = message_class(golden)
    if golden.kind == "response":
        correlation_id, message = codec.decode_response(cls, golden.version, golden.data)
        assert correlation_id == 7
        assert joined(codec.encode_response(message, golden.version, 7))[4:] == golden.data
    else:
        message = codec.decode_versioned(cls, golden.data)
        assert codec.encode_versioned(message, golden.version) == golden.data
    assert repr(message) == golden.words


def test_there_are_enough() -> None:
    assert len(recorded()) > 35
