"""A broker's own checks of settings before the controller's, and how their answers merge."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from raftka.broker.node import Node
from raftka.broker.request import Context
from raftka.broker.routes import routes
from raftka.kraft.controller.configs import Op
from raftka.kraft.image import BROKER_RESOURCE, EMPTY_IMAGE, TOPIC_RESOURCE
from raftka.model import logs
from raftka.model.errors import ErrorCode
from raftka.model.ports import Piece
from raftka.model.settings import read_config
from raftka.model.settings.listeners import listeners
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol import codec
from raftka.net.protocol.messages import alter_configs, incremental_alter_configs
from raftka.net.protocol.messages.alter_configs import AlterConfigsRequest
from raftka.net.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from raftka.net.protocol.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from raftka.net.session import Session
from tests.support.asking import answered

LOGGER = 8
NODE = {
    "process.roles": "broker",
    "node.id": "7",
    "listeners": "PLAINTEXT://127.0.0.1:9092",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@127.0.0.1:9093",
}
log = logs.get_logger("tests.altering")


class Broker:
    """Broker 7, whose controller answers everything with success and remembers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[tuple[int, str]]]] = []
        node = SimpleNamespace(
            node_id=7,
            config=read_config(NODE),
            image=EMPTY_IMAGE,
            listener_kind=lambda _: "broker",
            listeners={each.name: each for each in listeners(read_config(NODE))},
            tls_port=None,
            forward=self.forward,
        )
        self._dispatcher = Dispatcher(cast(Node, node), routes("broker"))

    async def ask(self, request: Any) -> list[tuple[int, str, str | None]]:
        version = routes("broker")[request.API_KEY].max_version
        answer = await answered(
            self._dispatcher, Session("client:1", "PLAINTEXT"), request, version
        )
        found = answer.results if hasattr(answer, "results") else answer.responses
        return [(each.error_code, each.resource_name, each.error_message) for each in found]

    async def levels(self, *names: str) -> dict[str, str | None]:
        resource = DescribeConfigsResource(
            resource_type=LOGGER, resource_name="7", configuration_keys=list(names) or None
        )
        answer = await answered(
            self._dispatcher,
            Session("client:1", "PLAINTEXT"),
            DescribeConfigsRequest(resources=[resource]),
            4,
        )
        return {each.name: each.value for each in answer.results[0].configs}

    async def forward(self, context: Context) -> list[Piece]:
        header = codec.decode_request_header(context.frame)
        cls = codec.REQUESTS[header.api_key]
        request: Any = codec.decode_request(
            cls, header.api_version, context.frame, header.body_offset
        )
        named = [(each.resource_type, each.resource_name) for each in request.resources]
        self.asked.append((cls.API_NAME, named))
        module = alter_configs if cls is AlterConfigsRequest else incremental_alter_configs
        response = cls.RESPONSE(
            responses=[
                module.AlterConfigsResourceResponse(resource_type=kind, resource_name=name)
                for kind, name in named
            ]
        )
        return codec.encode_response(response, header.api_version, header.correlation_id)


def change(kind: int, resource: str, name: str, value: str | None, op: int = Op.SET) -> Any:
    config = incremental_alter_configs.AlterableConfig(name=name, value=value, config_operation=op)
    return incremental_alter_configs.AlterConfigsResource(
        resource_type=kind, resource_name=resource, configs=[config]
    )


def changes(*resources: Any, validate_only: bool = False) -> IncrementalAlterConfigsRequest:
    return IncrementalAlterConfigsRequest(resources=list(resources), validate_only=validate_only)


async def test_what_this_broker_refuses_does_not_reach_the_controller() -> None:
    broker = Broker()
    answers = await broker.ask(
        changes(
            change(BROKER_RESOURCE, "7", "max.connections", "0"),
            change(TOPIC_RESOURCE, "t", "retention.ms", "5"),
            change(BROKER_RESOURCE, "8", "log.roll.ms", "5"),
            change(BROKER_RESOURCE, "", "log.roll.ms", "5"),
        )
    )
    assert broker.asked == [("IncrementalAlterConfigs", [(TOPIC_RESOURCE, "t"), (4, "")])]
    codes = [code for code, _, _ in answers]
    assert codes == [ErrorCode.INVALID_REQUEST, 0, ErrorCode.INVALID_REQUEST, 0]
    assert [name for _, name, _ in answers] == ["7", "t", "8", ""]
    assert answers[2][2] == "Unexpected broker id, expected 7 or empty string, but received 8"


async def test_what_is_all_decided_here_goes_nowhere() -> None:
    broker = Broker()
    given = alter_configs.AlterableConfig(name="log.dirs", value="/x")
    resource = alter_configs.AlterConfigsResource(
        resource_type=BROKER_RESOURCE, resource_name="7", configs=[given]
    )
    ((code, _, words),) = await broker.ask(AlterConfigsRequest(resources=[resource]))
    assert (code, words) == (42, "Cannot update these configs dynamically: [log.dirs]")
    assert broker.asked == []
    await broker.ask(AlterConfigsRequest(resources=[]))
    assert broker.asked == [("AlterConfigs", [])]


async def test_levels_of_loggers_are_shown_and_changed() -> None:
    broker = Broker()
    with logs.captured() as lines:
        assert (await broker.levels("root", "tests.altering")) == {
            "root": "INFO",
            "tests.altering": "INFO",
        }
        await broker.ask(
            changes(change(LOGGER, "7", "tests.altering", "DEBUG"), validate_only=True)
        )
        log.debug("not yet")
        await broker.ask(changes(change(LOGGER, "7", "tests", "DEBUG")))
        log.debug("now")
        assert (await broker.levels("tests.altering")) == {"tests.altering": "DEBUG"}
        await broker.ask(changes(change(LOGGER, "7", "tests", None, Op.DELETE)))
        log.debug("no longer")
    assert [line.words for line in lines] == ["now"]
    assert broker.asked == []


@pytest.mark.parametrize(
    ("resource", "code", "words"),
    [
        (change(LOGGER, "7", "no.such", "DEBUG"), 40, "Logger no.such does not exist!"),
        (change(LOGGER, "7", "root", "LOUD"), 40, "Valid log levels are DEBUG, ERROR, FATAL"),
        (change(LOGGER, "7", "root", "debug"), 40, "not a supported log level"),
        (change(LOGGER, "7", "root", None, Op.DELETE), 42, "root logger is not allowed"),
        (change(LOGGER, "7", "root", "INFO", Op.APPEND), 42, "APPEND operation is not allowed"),
        (change(LOGGER, "7", "root", None), 42, "Null value not supported for : root"),
        (change(LOGGER, "8", "root", "INFO"), 42, "Unexpected node id. Expected 7, but received 8"),
        (change(LOGGER, "", "root", "INFO"), 42, "Node id must be an integer, but it is: "),
    ],
)
async def test_levels_are_refused_in_kafkas_words(resource: Any, code: int, words: str) -> None:
    with logs.captured():
        ((found, _, said),) = await Broker().ask(changes(resource))
    assert found == code and words in (said or "")
