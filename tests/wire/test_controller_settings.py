"""A controller that is no broker follows the dynamic settings that are set at its listener."""

from __future__ import annotations

import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.secured_node import SecuredNode, secured_node

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
_KEYSTORE = "listener.name.controller.ssl.keystore.location"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def controller(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[SecuredNode]:
    settings = {
        "process.roles": "controller",
        "listener.security.protocol.map": "CONTROLLER:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("first")),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
    }
    with secured_node(tmp_path_factory.mktemp("controller"), settings) as node:
        yield node


def configs(node: SecuredNode, authority: Authority, *words: str) -> tuple[int, str]:
    client = {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
    }
    done = node.tool("configs", *words, client=client)
    return done.returncode, done.stdout + done.stderr


def shown(node: SecuredNode) -> bytes:
    """The certificate that the node presents now."""
    host, _, port = node.bootstrap.partition(":")
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))


def await_certificate(node: SecuredNode, file: Path) -> None:
    wanted = ssl.PEM_cert_to_DER_cert(file.read_text())
    deadline = time.monotonic() + 10
    while shown(node) != wanted:
        assert time.monotonic() < deadline, node.log
        time.sleep(0.1)


def test_its_certificate_is_replaced_while_it_runs(
    controller: SecuredNode, authority: Authority
) -> None:
    own = ("--entity-type", "brokers", "--entity-name", "1", "--alter")
    second = authority.issue("second")
    code, words = configs(controller, authority, *own, "--add-config", f"{_KEYSTORE}={second}")
    assert code == 0, words
    await_certificate(controller, authority.folder / "second.crt")
    code, words = configs(controller, authority, *own, "--add-config", f"{_KEYSTORE}=/gone")
    assert code == 1
    assert "ssl.keystore.location: /gone cannot be read: No such file" in words
    code, words = configs(controller, authority, *own, "--delete-config", _KEYSTORE)
    assert code == 0, words
    await_certificate(controller, authority.folder / "first.crt")


def test_a_value_of_its_listener_that_is_none_is_refused_in_words(
    controller: SecuredNode, authority: Authority
) -> None:
    own = ("--entity-type", "brokers", "--entity-name", "1", "--alter")
    wrong = "listener.name.controller.ssl.client.auth=maybe"
    code, words = configs(controller, authority, *own, "--add-config", wrong)
    assert code == 1
    assert "required, requested, none" in words


def test_defaults_of_the_cluster_and_levels_of_its_loggers_are_its_own_too(
    controller: SecuredNode, authority: Authority
) -> None:
    everywhere = ("--entity-type", "brokers", "--entity-default", "--alter")
    code, words = configs(controller, authority, *everywhere, "--add-config", "log.roll.ms=12345")
    assert code == 0, words
    one = ("--entity-type", "brokers", "--entity-name", "1", "--describe", "--all")
    deadline = time.monotonic() + 10
    while "log.roll.ms=12345" not in (found := configs(controller, authority, *one)[1]):
        assert time.monotonic() < deadline, found
    levels = ("--entity-type", "broker-loggers", "--entity-name", "1")
    changed = ("--alter", "--add-config", "raftka.kraft=DEBUG")
    code, words = configs(controller, authority, *levels, *changed)
    assert code == 0, words
    assert "raftka.kraft=DEBUG" in configs(controller, authority, *levels, "--describe")[1]
