"""Asks a node which dynamic broker settings it accepts, and writes its answers as a table.

    python -m tests.model.settings.ask_kafka PORT > tests/model/settings/golden/altered-brokers.tsv

PORT is the client port of node 1, alone in its cluster, whose controller listens one port higher.
The golden table is from Apache Kafka 4.4.0; test_altering_brokers.py asks our own rules the same.
Nothing is changed: each question is IncrementalAlterConfigs with validate_only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from raftka.model.settings.catalog import BROKER
from raftka.model.settings.setting import Dynamic, Setting, Type, to_text
from raftka.net.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from raftka.testing.wire import Wire

BROKER_RESOURCE = 4
NODE_ID = "1"
_FOR_NULL = {
    **dict.fromkeys((Type.INT, Type.LONG), "1000"),
    **dict.fromkeys((Type.STRING, Type.LIST, Type.PASSWORD), "x"),
    Type.SHORT: "10",
    Type.CLASS: "x.Y",
}
_NUMBERS = (-3, -2, -1, 0, 1, 2, 100, 1000, 1_000_000, 2**31 - 1, 2**31, 2**63 - 1, 2**63)
_REALS = ("-1", "0", "0.3", "1", "1.1", "100", "1e300", "NaN", "Infinity")
_TEXTS = (
    *("garbage", "a,b", "a,,b", "PLAINTEXT", "compact", "compact,delete", "zstd", "none", "*"),
    *("CreateTime", "LogAppendTime", "createtime", "required", "/tmp", "127.0.0.1:5"),
    *("127.0.0.1:0", "127.0.0.1:-1", "localhost:3,::1:5", "[::1]:5", "no.such.host.invalid:5"),
)
_LISTENERS = (
    "PLAINTEXT://127.0.0.1:{client}",
    "CONTROLLER://127.0.0.1:{controller}",
    "PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
    "PLAINTEXT://127.0.0.1:{free},CONTROLLER://127.0.0.1:{controller}",
    "PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{free}",
    "PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{client}",
    "PLAINTEXT://127.0.0.1:{client},CONTROLLER://[::1]:{client}",
    "PLAINTEXT://:{client},CONTROLLER://127.0.0.1:{controller}",
    "PLAINTEXT://0.0.0.0:{client},CONTROLLER://127.0.0.1:{controller}",
    "PLAINTEXT://[::1]:{client},CONTROLLER://127.0.0.1:{controller}",
    "PLAINTEXT://no.such.host.invalid:{client},CONTROLLER://127.0.0.1:{controller}",
    "PLAINTEXT://127.0.0.1:{client},PLAINTEXT://[::1]:{client},CONTROLLER://127.0.0.1:{controller}",
    "PLAINTEXT://127.0.0.1:{client},X://127.0.0.1:{free},CONTROLLER://127.0.0.1:{controller}",
    "SASL_PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
)
_MAPS = (
    *("nonsense", "X:PLAINTEXT", "PLAINTEXT:PLAINTEXT", "PLAINTEXT:FOO,CONTROLLER:PLAINTEXT"),
    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "plaintext:plaintext,controller:plaintext",
    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,X:PLAINTEXT",
    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,X:SSL",
    "PLAINTEXT:SSL,CONTROLLER:PLAINTEXT",
    "PLAINTEXT:PLAINTEXT,CONTROLLER:SSL",
)
_OF_LISTENERS = (
    ("listener.name.plaintext.max.connections", ("5", "0", "abc")),
    ("listener.name.plaintext.max.connection.creation.rate", ("5", "0")),
    ("listener.name.plaintext.num.network.threads", ("5", "0", "100")),
    ("listener.name.plaintext.sasl.enabled.mechanisms", ("PLAIN",)),
    ("listener.name.plaintext.plain.sasl.jaas.config", ("x",)),
    ("listener.name.plaintext.ssl.client.auth", ("none", "maybe")),
    ("listener.name.plaintext.principal.builder.class", ("x",)),
    ("listener.name.plaintext.connections.max.reauth.ms", ("5",)),
    ("listener.name.plaintext.unknown", ("5",)),
    ("listener.name.nosuch.max.connections", ("5",)),
    ("unknown.name", ("1",)),
)


OF_AUTHORIZERS = {"super.users", "allow.everyone.if.no.acl.found"}
"""Kafka's own table lacks its authorizer's settings."""


def questions() -> Iterator[tuple[str, str]]:
    """Names and values, with {client}, {controller} and {free} where a port of the node goes."""
    for name in sorted(BROKER):
        if not name.startswith(("raftka.", "prometheus.")) and name not in OF_AUTHORIZERS:
            yield from ((name, value) for value in dict.fromkeys(_values(BROKER[name])))
    for name, values in _OF_LISTENERS:
        yield from ((name, value) for value in values)


def _values(setting: Setting) -> Iterator[str]:
    default = to_text(setting.default)
    yield _FOR_NULL[setting.type] if default is None else default
    if setting.dynamic is Dynamic.READ_ONLY:
        return
    yield ""
    if setting.name in ("listeners", "listener.security.protocol.map"):
        yield from _LISTENERS if setting.name == "listeners" else _MAPS
    elif setting.type in (Type.INT, Type.LONG):
        here = setting.default if isinstance(setting.default, int) else 1000
        near = (here // 2 - 1, here // 2, here - 1, here + 1, here * 2, here * 2 + 1)
        yield from (str(number) for number in (*_NUMBERS, *near))
        yield from ("abc", "1.5", " 5 ")
    elif setting.type is Type.DOUBLE:
        yield from (*_REALS, "abc")
    elif setting.type is Type.BOOLEAN:
        yield from ("true", "false", "TRUE", "yes", "1")
    else:
        yield from _TEXTS


def ports(client: int) -> dict[str, int]:
    """What the placeholders stand for."""
    return {"client": client, "controller": client + 1, "free": client + 5}


def main() -> None:
    """Ask, and print the table: one line for each setting, scope and answer."""
    client = int(sys.argv[1])
    wire = Wire(client)
    rows: dict[tuple[str, str, int], list[str]] = {}
    for name, value in questions():
        for scope, resource in (("broker", NODE_ID), ("default", "")):
            code = _asked(wire, resource, name, value.format(**ports(client)))
            rows.setdefault((name, scope, code), []).append(value)
    for (name, scope, code), values in rows.items():
        print("\t".join((name, scope, str(code), "|".join(values))))


def _asked(wire: Wire, resource: str, name: str, value: str) -> int:
    entry = AlterableConfig(name=name, value=value)
    request = IncrementalAlterConfigsRequest(
        resources=[
            AlterConfigsResource(
                resource_type=BROKER_RESOURCE, resource_name=resource, configs=[entry]
            )
        ],
        validate_only=True,
    )
    wire.send(request, 1)
    (answer,) = wire.receive(type(request).RESPONSE, 1).responses
    code: int = answer.error_code
    return code


if __name__ == "__main__":
    main()
