"""Fixtures for tests that need a real broker; pytest finds them once raftka is installed.

    def test_orders(raftka_broker):
        producer = KafkaProducer(bootstrap_servers=raftka_broker.bootstrap_servers)

A node is a process of its own on a port of its own. It ends with the fixture's scope, and also when
pytest is killed. No module of raftka is imported before a test requests a fixture.

    [tool.pytest.ini_options]
    raftka_scope = "module"                         # session is the default
    raftka_settings = ["log.retention.ms=1000"]     # settings of server.properties
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from raftka.testing.cluster import Cluster

_SCOPES = ("session", "package", "module", "class", "function")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings of pytest.ini or pyproject.toml."""
    parser.addini(
        "raftka_scope",
        "how long a cluster of raftka_broker and raftka_cluster lives: " + ", ".join(_SCOPES),
        default="session",
    )
    parser.addini(
        "raftka_settings",
        "settings of the nodes of raftka's fixtures, NAME=VALUE",
        type="linelist",
        default=[],
    )


def _scope(
    fixture_name: str, config: pytest.Config
) -> Literal["session", "package", "module", "class", "function"]:
    scope = config.getini("raftka_scope")
    if scope not in _SCOPES:
        raise pytest.UsageError(f"raftka_scope is {scope!r}; it is one of {', '.join(_SCOPES)}")
    return scope  # type: ignore[no-any-return]


def _settings(config: pytest.Config) -> dict[str, object]:
    settings: dict[str, object] = {}
    for line in config.getini("raftka_settings"):
        name, equals, value = line.partition("=")
        if not equals:
            raise pytest.UsageError(f"raftka_settings has {line!r}; each line is NAME=VALUE")
        settings[name.strip()] = value.strip()
    return settings


@contextlib.contextmanager
def _running(
    config: pytest.Config, nodes: int, settings: Mapping[str, object]
) -> Iterator[Cluster]:
    from raftka.testing.cluster import Cluster

    with Cluster(nodes, settings={**_settings(config), **settings}) as cluster:
        yield cluster


@pytest.fixture(scope=_scope)
def raftka_broker(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """One node that answers; `.bootstrap_servers` is its address."""
    with _running(pytestconfig, 1, {}) as cluster:
        yield cluster


@pytest.fixture(scope=_scope)
def raftka_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """Three nodes; `.kill(2)`, `.pause(2)`, `.resume(2)` and `.restart(2)` break and mend them."""
    with _running(pytestconfig, 3, {}) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def raftka_factory(pytestconfig: pytest.Config) -> Iterator[Callable[..., Cluster]]:
    """`raftka_factory(nodes=3, settings={...})` starts a cluster, which ends with the session. To
    end it earlier, call its `stop()`, or use `raftka.testing.Cluster` in a `with`.
    """
    with contextlib.ExitStack() as clusters:

        def start(nodes: int = 1, settings: Mapping[str, Any] | None = None) -> Cluster:
            return clusters.enter_context(_running(pytestconfig, nodes, settings or {}))

        yield start


@pytest.fixture
def raftka_topic(raftka_broker: Cluster) -> str:
    """A topic of one partition on `raftka_broker` that no other test uses; its name."""
    return raftka_broker.create_topic(f"test-{uuid.uuid4().hex[:12]}")
