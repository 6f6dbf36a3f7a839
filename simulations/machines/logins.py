"""Clusters that ask for a login: who may log in, and how nodes and clients of a run do.

Listeners of brokers ask for SCRAM, and the authorizer goes by ACLs; controllers listen to nodes
alone. A plan whose settings enable the mechanism is such a cluster; one that names the authorizer
alone goes by ACLs without logins.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Final

# Imported by a node when it is first needed; here files are out of reach while nodes run.
import raftka.net.security.authentication
import raftka.net.security.plain  # noqa: F401
from raftka.broker.security import nonce
from raftka.kraft.sections.scram import ScramKey
from raftka.model.ports import Clock, Network
from raftka.model.scram import (
    MIN_ITERATIONS,
    NUMBERS,
    ScramCredential,
    credential_of,
    salted_password,
)
from raftka.net.security.dialing import Login, SecuredNetwork, login_of
from raftka.net.security.scram import ScramClient

MECHANISM: Final = "SCRAM-SHA-256"
_MECHANISMS: Final = "sasl.enabled.mechanisms"
_MODULE: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"

NODE: Final = "node"
"""The nodes themselves, and who gives the first permissions: super users."""
LOAD: Final = "load"
"""The clients of the workload: ACLs let them do everything."""
MALLORY: Final = "mallory"
"""ACLs let this one do everything with topics, and deny writing."""
EVE: Final = "eve"
"""Logs in, and may do nothing."""
USERS: Final = (NODE, LOAD, MALLORY, EVE)


def settings() -> dict[str, str]:
    """What makes a cluster such a one."""
    jaas = f'{_MODULE} required username="{NODE}" password="{password(NODE)}";'
    return {
        "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        _MECHANISMS: MECHANISM,
        "sasl.mechanism.inter.broker.protocol": MECHANISM,
        f"listener.name.plaintext.{MECHANISM.lower()}.sasl.jaas.config": jaas,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The controllers' listener, which only nodes reach, needs no login.
        "super.users": f"User:{NODE};User:ANONYMOUS",
    }


def are_asked_for(settings: Mapping[str, str]) -> bool:
    """Whether the brokers of a cluster with these settings ask for a login."""
    return _MECHANISMS in settings


def password(user: str) -> str:
    return f"{user}-secret"


@cache
def credentials() -> Mapping[ScramKey, ScramCredential]:
    """What a new cluster knows of the passwords; the same in each run."""
    number = next(number for number, name in NUMBERS.items() if name == MECHANISM)
    found = {}
    for user in USERS:
        salt = f"salt of {user}".encode()
        salted = salted_password(MECHANISM, password(user), salt, MIN_ITERATIONS)
        found[user, number] = credential_of(MECHANISM, salted, salt, MIN_ITERATIONS)
    return found


def logged_in(
    network: Network, clock: Clock, dice: Random, user: str, secret: str | None = None
) -> Network:
    """A network on which each connection is one of that user; `secret` is tried as a password that
    is not the user's."""
    if secret is None:
        login = login_of(MECHANISM, user, password(user), lambda: nonce(dice))
    else:
        login = Login(MECHANISM, lambda: _Guess(user, secret, nonce(dice)))
    return SecuredNetwork(network, clock, user, login=login)


class _Guess:
    """A login with a password that is not the user's; it does not ask what the server knows."""

    def __init__(self, user: str, secret: str, own_nonce: str) -> None:
        self._scram = ScramClient(MECHANISM, user, secret, own_nonce)
        self.is_complete = False

    def first(self) -> bytes:
        """The first message."""
        return self._scram.first()

    def step(self, message: bytes) -> bytes:
        """The next message."""
        if message.startswith(b"v="):
            self.is_complete = True
            return b""
        return self._scram.step(message)
