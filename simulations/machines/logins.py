"""Clusters that require logins: the users, and how nodes and clients of a run authenticate.

Listeners of brokers speak SASL_PLAINTEXT, SASL_SSL or SSL: they ask for SCRAM, for a certificate,
or for SCRAM over TLS, and the authorizer goes by ACLs. Only nodes connect to controllers; where
brokers speak TLS controllers do, too, and require a certificate. A plan requests such a cluster by
mapping the brokers' listener to one of these; a plan that only names the authorizer has ACLs
without logins.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Final

# A node imports these on first use; in a simulation files are out of reach while nodes run.
import raftka.net.security.authentication
import raftka.net.security.contexts
import raftka.net.security.plain  # noqa: F401
from raftka.broker.security import nonce
from raftka.kraft.sections.scram import ScramKey
from raftka.model.ports import Clock, Connection, Network
from raftka.model.scram import (
    MIN_ITERATIONS,
    NUMBERS,
    ScramCredential,
    credential_of,
    salted_password,
)
from raftka.model.tls_settings import Store, TlsSettings
from raftka.net.security import tls
from raftka.net.security.dialing import Login, SecuredNetwork, login_of
from raftka.net.security.scram import ScramClient
from raftka.simulations.machines.tls import Certificate, SimTls

MECHANISM: Final = "SCRAM-SHA-256"
_MECHANISMS: Final = "sasl.enabled.mechanisms"
_MODULE: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"

NODE: Final = "node"
"""The super users: the nodes themselves, and the user that grants the first permissions."""
LOAD: Final = "load"
"""The clients of the workload: ACLs let them do everything."""
MALLORY: Final = "mallory"
"""ACLs allow this user everything with topics, and deny writing."""
EVE: Final = "eve"
"""This user can log in, and may do nothing."""
USERS: Final = (NODE, LOAD, MALLORY, EVE)


PROTOCOLS: Final = ("SASL_PLAINTEXT", "SASL_SSL", "SSL")
"""The protocol of the brokers' listener."""
_MAP: Final = "listener.security.protocol.map"
_AUTHORITY: Final = "cluster"
_HOUR_MS: Final = 3_600_000


def settings(protocol: str) -> dict[str, str]:
    """The settings of a cluster that requires logins."""
    has_tls = protocol.endswith("SSL")
    found = {
        _MAP: f"PLAINTEXT:{protocol},CONTROLLER:{'SSL' if has_tls else 'PLAINTEXT'}",
        "inter.broker.listener.name": "PLAINTEXT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # A controllers' listener without TLS, which only nodes reach, needs no login.
        "super.users": f"User:{NODE}" if has_tls else f"User:{NODE};User:ANONYMOUS",
    }
    if protocol.startswith("SASL_"):
        jaas = f'{_MODULE} required username="{NODE}" password="{password(NODE)}";'
        found |= {
            _MECHANISMS: MECHANISM,
            "sasl.mechanism.inter.broker.protocol": MECHANISM,
            f"listener.name.plaintext.{MECHANISM.lower()}.sasl.jaas.config": jaas,
        }
    if has_tls:
        found |= {
            "ssl.keystore.type": "PEM",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": _AUTHORITY,
            "ssl.principal.mapping.rules": "RULE:^CN=([a-z]+),.*$/$1/,DEFAULT",
            "ssl.client.auth": "required" if protocol == "SSL" else "none",
            "listener.name.controller.ssl.client.auth": "required",
        }
    return found


def protocol_of(settings: Mapping[str, str]) -> str | None:
    """The protocol of brokers with these settings; None when they require no login."""
    first = settings.get(_MAP, "").partition(",")[0]
    protocol = first.partition(":")[2]
    return protocol if protocol in PROTOCOLS else None


def of_node(settings: Mapping[str, str], host: str) -> dict[str, str]:
    """Settings of a node on that host alone: its certificate, where the cluster speaks TLS."""
    if not (protocol_of(settings) or "").endswith("SSL"):
        return {}
    own = certificate(NODE, host)
    return {"ssl.keystore.certificate.chain": own.text, "ssl.keystore.key": own.key}


def certificate(user: str, host: str = "client") -> Certificate:
    """A certificate that the cluster's authority has signed."""
    return Certificate(f"CN={user},OU={host}", (host,), _AUTHORITY)


def forged(user: str) -> Certificate:
    """A certificate that another authority has signed."""
    return certificate(user)._replace(authority="elsewhere")


def expired(user: str, now_ms: float) -> Certificate:
    """A certificate that expired an hour ago."""
    return certificate(user)._replace(until_ms=now_ms - _HOUR_MS)


def password(user: str) -> str:
    return f"{user}-secret"


@cache
def credentials() -> Mapping[ScramKey, ScramCredential]:
    """The credentials that a new cluster is formatted with; the same in each run."""
    number = next(number for number, name in NUMBERS.items() if name == MECHANISM)
    found = {}
    for user in USERS:
        salt = f"salt of {user}".encode()
        salted = salted_password(MECHANISM, password(user), salt, MIN_ITERATIONS)
        found[user, number] = credential_of(MECHANISM, salted, salt, MIN_ITERATIONS)
    return found


def as_user(
    network: Network,
    clock: Clock,
    dice: Random,
    protocol: str,
    user: str | None,
    *,
    secret: str | None = None,
    shown: Certificate | None = None,
) -> Network:
    """A network whose connections speak `protocol` and log in as that user. `secret`: a wrong
    password to try. `shown`: a certificate to present instead of the user's own. With None as
    `user` there is no login, and no certificate except `shown`.
    """
    login = wrap = None
    if user is not None and protocol.startswith("SASL_"):
        login = _login(user, secret, dice)
    elif user is not None and shown is None:
        shown = certificate(user) if secret is None else forged(user)
    if protocol.endswith("SSL"):
        store = Store() if shown is None else Store(certificates=shown.text, key=shown.key)
        made = TlsSettings(store, Store(certificates=_AUTHORITY))
        context = SimTls(clock.wall_ms).context(made, server=False)

        async def wrap(connection: Connection, host: str) -> Connection:
            return await tls.connect(connection, context, host)

    return SecuredNetwork(network, clock, user or "stranger", login=login, wrap=wrap)


def _login(user: str, secret: str | None, dice: Random) -> Login:
    if secret is None:
        return login_of(MECHANISM, user, password(user), lambda: nonce(dice))
    return Login(MECHANISM, lambda: _Guess(user, secret, nonce(dice)))


class _Guess:
    """A login with a wrong password; it does not check the server's signature."""

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
