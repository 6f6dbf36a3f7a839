"""A stand-in for TLS in simulations: the states, records, alerts and messages of OpenSSL, no
secrets.

OpenSSL draws its own randomness, reads the machine's clock and files, and hides its payload from a
run's observers; a browser's Python may lack it. This stand-in has the states that its callers can
meet: TLS 1.2 and 1.3, certificates of another authority, of another name or expired (by the node's
own clock), incomplete handshakes, alerts, tickets, close_notify, refused renegotiation. Every
record has a number, as real ones are authenticated: the simulated network loses none, so a missing
or repeated record is a defect of the code that moves them.

A certificate is a line of text: `subject=CN=n1; hosts=n1,localhost; authority=cluster; from=0;
until=9e12`; its key is `key of CN=n1`. An authority is its name. tests/net/security/test_engines.py
holds this and OpenSSL to the same answers.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn

from raftka.model.ports import Buffer, TlsContext, TlsFailure, TlsStream
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.model.tls_settings import Store, TlsSettings
from raftka.simulations.machines import tls_records
from raftka.simulations.machines.tls_records import ALERT, DATA, HANDSHAKE, MalformedRecord

VERSIONS: Final = ("TLSv1.2", "TLSv1.3")
_CLOSE_NOTIFY: Final = "close notify"
_NOT_OURS: Final = "self-signed certificate in certificate chain"


class Certificate(NamedTuple):
    """The subject of a certificate, and the authority that signed it."""

    subject: str
    hosts: tuple[str, ...]
    authority: str
    from_ms: float = 0.0
    until_ms: float = 9e15

    @property
    def text(self) -> str:
        """The text of a setting."""
        return (
            f"subject={self.subject}; hosts={','.join(self.hosts)}; authority={self.authority};"
            f" from={self.from_ms}; until={self.until_ms}"
        )

    @property
    def key(self) -> str:
        """The private key that proves its ownership."""
        return f"key of {self.subject}"

    def trouble(self, trusted: frozenset[str], now_ms: float) -> str | None:
        """OpenSSL's message about why a peer must not trust it."""
        if self.authority not in trusted:
            return _NOT_OURS
        if now_ms < self.from_ms:
            return "certificate is not yet valid"
        if now_ms >= self.until_ms:
            return "certificate has expired"
        return None


def certificate_of(text: str) -> Certificate:
    """Parse a certificate. Raises ValueError."""
    fields = {}
    for each in text.split(";"):
        name, equals, value = each.strip().partition("=")
        if not equals:
            raise ValueError(f"{text!r} is no certificate")
        fields[name] = value
    try:
        return Certificate(
            fields["subject"],
            tuple(fields["hosts"].split(",")),
            fields["authority"],
            float(fields.get("from", "0")),
            float(fields.get("until", "9e15")),
        )
    except KeyError as error:
        raise ValueError(f"{text!r} has no {error}") from error


class Identity(NamedTuple):
    """One side's settings for a handshake."""

    settings: TlsSettings
    own: Certificate | None
    trusted: frozenset[str]
    now_ms: Callable[[], float]
    verifies: bool

    @property
    def versions(self) -> list[str]:
        """The versions that it may speak, the oldest first."""
        return [each for each in VERSIONS if each in self.settings.protocols]

    def refusal(self, other: Certificate) -> str | None:
        """Why the other side's certificate is refused; None when it is accepted."""
        return other.trouble(self.trusted, self.now_ms()) if self.verifies else None


class SimTls:
    """The port of TLS for one process."""

    def __init__(self, now_ms: Callable[[], float], rules_off: RulesOff = ALL_HOLD) -> None:
        """`now_ms` is the time by the process's own clock."""
        self._now_ms = now_ms
        self._verifies = Rule.CERTIFICATES_ARE_VERIFIED not in rules_off

    def context(self, settings: TlsSettings, *, server: bool) -> TlsContext:
        """As the port says."""
        own = _own(settings.keystore)
        if server and own is None:
            raise ValueError("a listener of TLS needs a certificate")
        trusted = settings.truststore.certificates
        if trusted is None and server and settings.client_auth != "none":
            raise ValueError("ssl.client.auth needs a truststore (ssl.truststore.location)")
        known = frozenset((trusted or "").split())
        return SimContext(Identity(settings, own, known, self._now_ms, self._verifies))

    def seen(self, settings: TlsSettings) -> object:
        """As the port says: there are no files."""
        return settings


def _own(store: Store) -> Certificate | None:
    if store.certificates is None and store.key is None:
        return None
    if store.certificates is None or store.key is None:
        raise ValueError("ssl.keystore.certificate.chain and ssl.keystore.key go together")
    found = certificate_of(store.certificates)
    if store.key != found.key:
        raise ValueError("the keystore's key and certificate cannot be used: they do not match")
    return found


class SimContext:
    """One side's keys and certificates."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def server(self) -> TlsStream:
        """As the port says."""
        return _Server(self._identity)

    def client(self, host: str) -> TlsStream:
        """As the port says."""
        if not host:
            raise TlsFailure("server_hostname cannot be an empty string")
        return _Client(self._identity, host)


class _Stream:
    """The behaviour that both sides share."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._reader = tls_records.Reader()
        self._writer = tls_records.Writer()
        self._outgoing = bytearray()
        self._messages: deque[dict[str, Any]] = deque()
        """The version of the handshake."""
        self._clear = bytearray()
        self._failure: str | None = None
        """The other side's alert; nothing can be read after it."""
        self._closed = False
        """The other side has sent close_notify."""
        self._cut = False
        """The network delivers nothing more."""
        self._agreed = False
        self.other: Certificate | None = None

    @property
    def subject(self) -> str | None:
        """As the port says."""
        return None if self.other is None else self.other.subject

    def take(self, data: Buffer) -> None:
        """As the port says."""
        if not len(data):
            self._cut = True
        self._reader.take(data)

    def give(self) -> bytes:
        """As the port says."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def shake_hands(self) -> bool:
        """As the port says."""
        while not self._agreed:
            self._look()
            if self._failure is not None:
                raise TlsFailure(self._failure)
            if not self._messages:
                if self._closed or self._cut:
                    raise TlsFailure("unexpected eof while reading")
                self._begin()
                return False
            message = self._messages.popleft()
            try:
                self._meet(message)
            except (KeyError, TypeError, ValueError, AttributeError):
                self._fail("unexpected message")
        return True

    def read(self, buffer: bytearray | memoryview) -> int | None:
        """As the port says."""
        self._look()
        if self._clear:
            size = min(len(buffer), len(self._clear))
            buffer[:size] = self._clear[:size]
            del self._clear[:size]
            return size
        if self._failure is not None:
            raise TlsFailure(self._failure)
        while self._messages:
            if self._messages.popleft().get("kind") != "finished":
                self._fail("no renegotiation")
        return 0 if self._closed or self._cut else None

    def write(self, data: Buffer) -> None:
        """As the port says."""
        assert self._agreed, "clear bytes before the handshake is over"
        view = memoryview(data)
        for start in range(0, len(view), tls_records.MOST):
            piece = view[start : start + tls_records.MOST]
            self._outgoing += self._writer.record(DATA, bytes(piece))

    def finish(self) -> None:
        """As the port says."""
        self._alert(_CLOSE_NOTIFY)

    def _begin(self) -> None:
        """Nothing has arrived: the client speaks first."""

    def _meet(self, message: dict[str, Any]) -> None:
        """One message of the handshake. Raises TlsFailure."""
        raise NotImplementedError

    def _look(self) -> None:
        """Read the records that have arrived, up to an alert."""
        while self._failure is None and not self._closed:
            try:
                found = self._reader.next()
            except MalformedRecord as error:
                self._fail(str(error), "unexpected message")
            if found is None:
                return
            kind, data = found
            if kind == DATA:
                if not self._agreed:
                    self._fail("unexpected message")
                self._clear += data
            elif kind == ALERT:
                self._hear(data.decode())
            else:
                self._messages.append(_message(data))

    def _hear(self, alert: str) -> None:
        if alert == _CLOSE_NOTIFY:
            self._closed = True
        elif "certificate" in alert or "unknown ca" in alert:
            self._failure = f"the other side does not accept this side's certificate ({alert})"
        else:
            self._failure = alert

    def _say(self, **message: Any) -> None:
        self._outgoing += self._writer.record(HANDSHAKE, json.dumps(message).encode())

    def _alert(self, words: str) -> None:
        self._outgoing += self._writer.record(ALERT, words.encode())

    def _fail(self, words: str, alert: str | None = None) -> NoReturn:
        """Send an alert, and raise TlsFailure."""
        self._alert(alert or words)
        self._failure = words
        raise TlsFailure(words)

    def _accept(self, text: str | None, proof: str | None) -> Certificate | None:
        """The other side's certificate. Raises TlsFailure."""
        if text is None:
            return None
        found = certificate_of(text)
        if proof != found.key:
            self._fail("bad signature", "tls alert decrypt error")
        if (why := self._identity.refusal(found)) is not None:
            alert = {
                _NOT_OURS: "tlsv1 alert unknown ca",
                "certificate has expired": "sslv3 alert certificate expired",
            }.get(why, "sslv3 alert bad certificate")
            self._fail(f"the certificate is not accepted: {why}", alert)
        return found

    def _shown(self, asked: str) -> dict[str, str | None]:
        """The certificate that this side presents."""
        own = self._identity.own if asked != "none" else None
        return {
            "certificate": own.text if own is not None else None,
            "proof": own.key if own is not None else None,
        }


def _message(data: bytes) -> dict[str, Any]:
    """Parse a handshake message; anything else gives an empty one."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class _Client(_Stream):
    """The client's side."""

    def __init__(self, identity: Identity, host: str) -> None:
        super().__init__(identity)
        self._host = host
        self._greeted = False

    def _begin(self) -> None:
        if not self._greeted:
            self._greeted = True
            self._say(kind="hello", versions=self._identity.versions, host=self._host)

    def _meet(self, message: dict[str, Any]) -> None:
        if message["kind"] == "finished":
            # In TLS 1.2 the last handshake message; in 1.3 the ticket, which comes later.
            self._agreed = True
            return
        self.other = self._accept(message["certificate"], message["proof"])
        settings = self._identity.settings
        if settings.checks_host and self._identity.verifies:
            assert self.other is not None
            if self._host not in self.other.hosts:
                words = f"Hostname mismatch, certificate is not valid for '{self._host}'."
                self._fail(
                    f"the certificate is not accepted: {words}", "sslv3 alert bad certificate"
                )
        self._say(kind="answer", **self._shown(message["asks"]))
        self._agreed = message["version"] == "TLSv1.3"


class _Server(_Stream):
    """The server's side."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity)
        self._greeted = False

    def _meet(self, message: dict[str, Any]) -> None:
        asks = self._identity.settings.client_auth
        if not self._greeted:
            if message["kind"] != "hello":
                self._fail("unexpected message")
            self._greeted = True
            common = [each for each in self._identity.versions if each in message["versions"]]
            if not common:
                self._fail("unsupported protocol", "tlsv1 alert protocol version")
            self._say(kind="hello", version=common[-1], asks=asks, **self._shown("required"))
            return
        if message["kind"] != "answer":
            self._fail("unexpected message")
        self.other = self._accept(message["certificate"], message["proof"])
        if self.other is None and asks == "required" and self._identity.verifies:
            self._fail("peer did not return a certificate", "tlsv13 alert certificate required")
        self._say(kind="finished")
        self._agreed = True
