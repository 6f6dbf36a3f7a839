"""The source of a client's tokens: a file, or the issuer by client credentials (KIP-768)."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

from raftka.model.ports import AuthenticationFailed, Clock
from raftka.net.security.http import Http, parse_url

_USED_FOR: Final = 0.8
"""The fraction of a token's lifetime in which it is used for new logins (sasl.login.refresh.*)."""


class Credentials(NamedTuple):
    """The client's credentials at the issuer (RFC 6749, 4.4)."""

    client_id: str
    client_secret: str
    scope: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.client_id!r})"


class FileTokens:
    """A token in a file, which another program renews; read for each login."""

    def __init__(self, url: str) -> None:
        self._path = path_of(url)

    async def prepare(self) -> None:
        """Do nothing."""

    def token(self) -> str:
        """Raises AuthenticationFailed for a file without a token."""
        try:
            with open(self._path, encoding="ascii") as file:
                found = file.read().strip()
        except (OSError, ValueError) as error:
            raise AuthenticationFailed(f"no token in {self._path}: {error}") from error
        if not found:
            raise AuthenticationFailed(f"no token in {self._path}: the file is empty")
        return found


class IssuedTokens:
    """A token that the issuer grants for a client's credentials; renewed before it expires."""

    def __init__(self, url: str, credentials: Credentials, http: Http, clock: Clock) -> None:
        self._url = url
        self._credentials = credentials
        self._http = http
        self._clock = clock
        self._token = ""
        self._until_s = 0.0

    async def prepare(self) -> None:
        """Request a token unless there is a valid one. Raises BrokenConnection."""
        if self._token and self._clock.monotonic() < self._until_s:
            return
        wish = {"grant_type": "client_credentials"}
        if self._credentials.scope:
            wish["scope"] = self._credentials.scope
        pair = f"{quote(self._credentials.client_id)}:{quote(self._credentials.client_secret)}"
        text = await self._http.ask(
            self._url,
            headers=[
                ("Authorization", "Basic " + b64encode(pair.encode()).decode()),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ],
            body=urlencode(wish).encode(),
        )
        try:
            answer = json.loads(text)
            token = answer["access_token"]
            if not isinstance(token, str) or not token:
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            raise AuthenticationFailed(f"{self._url}: its answer has no access_token") from error
        self._token = token
        self._until_s = self._clock.monotonic() + self._lasts_s(answer, token) * _USED_FOR

    def token(self) -> str:
        return self._token

    def _lasts_s(self, answer: dict[str, Any], token: str) -> float:
        given = answer.get("expires_in")
        if isinstance(given, int | float) and not isinstance(given, bool):
            return float(given)
        try:
            body = token.split(".")[1]
            claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            return float(claims["exp"]) - self._clock.wall_ms() / 1000
        except (IndexError, KeyError, TypeError, ValueError):
            return 0.0


def path_of(url: str) -> str:
    """The path of a file:// URL."""
    return unquote(urlsplit(url).path)


def source_of(
    url: str | None, credentials: Credentials | None, http: Callable[[], Http], clock: Clock
) -> FileTokens | IssuedTokens:
    """Raises ValueError if settings are missing or wrong."""
    if not url:
        raise ValueError(
            "sasl.oauthbearer.token.endpoint.url is not set: OAUTHBEARER needs the URL of the"
            " issuer, or file:///path of a file with a token"
        )
    if url.startswith("file:"):
        return FileTokens(url)
    try:
        parse_url(url)
    except ValueError as error:
        raise ValueError(f"sasl.oauthbearer.token.endpoint.url={url}: {error}") from error
    if credentials is None:
        raise ValueError(
            "sasl.oauthbearer.client.credentials.client.id and .client.secret are not set: the"
            " issuer gives no token without them"
        )
    return IssuedTokens(url, credentials, http(), clock)
