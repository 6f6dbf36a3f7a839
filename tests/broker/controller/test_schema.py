"""Which settings the controller accepts, for topics, one broker and all of them."""

from __future__ import annotations

import pytest

from raftka.broker.controller.schema import SettingsSchema
from raftka.kraft.image import BROKER_RESOURCE, TOPIC_RESOURCE, ConfigResource
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings import read_config

NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@localhost:9093",
}
ITSELF = ConfigResource(BROKER_RESOURCE, "1")
OTHER = ConfigResource(BROKER_RESOURCE, "2")
ALL = ConfigResource(BROKER_RESOURCE, "")


def code(resource: ConfigResource, entries: dict[str, str]) -> ErrorCode:
    try:
        SettingsSchema(read_config(NODE)).check(resource, entries)
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE


@pytest.mark.parametrize(
    ("resource", "entries", "expected"),
    [
        (ALL, {"max.connections": "0"}, ErrorCode.INVALID_REQUEST),
        (ALL, {"log.roll.ms": "5"}, ErrorCode.NONE),
        (ITSELF, {"listeners": "PLAINTEXT://:9092"}, ErrorCode.INVALID_REQUEST),
        (OTHER, {"listeners": "PLAINTEXT://:9092"}, ErrorCode.NONE),
        (OTHER, {"log.roll.ms": "x"}, ErrorCode.INVALID_REQUEST),
        (ITSELF, {"min.insync.replicas": "2"}, ErrorCode.INVALID_CONFIG),
        (ITSELF, {"min.insync.replicas": "x"}, ErrorCode.INVALID_REQUEST),
        (ALL, {"min.insync.replicas": "2"}, ErrorCode.NONE),
        (ConfigResource(TOPIC_RESOURCE, "t"), {"retention.ms": "x"}, ErrorCode.INVALID_CONFIG),
        (ConfigResource(TOPIC_RESOURCE, "t"), {"retention.ms": "5"}, ErrorCode.NONE),
    ],
)
def test_what_may_be_set(
    resource: ConfigResource, entries: dict[str, str], expected: ErrorCode
) -> None:
    assert code(resource, entries) is expected
