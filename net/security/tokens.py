"""OAuth 2 tokens (JWT, RFC 7519): verifies signature, audience and expiry. No I/O.

PyJWT decodes keys (JWK, RFC 7517) and verifies signatures; this module checks the claims, by the
node's clock, as Kafka's BrokerJwtValidator does. A token without a signature, or signed with a
shared secret, is never accepted: the algorithm must be one of the key's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from raftka.model.errors import ErrorCode, KafkaError

_FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
"""By key type, the algorithms that it may verify: all with a public key."""
_MOST_KEYS: Final = 200


class TokenRules(NamedTuple):
    """A listener's requirements for tokens (sasl.oauthbearer.*)."""

    audiences: tuple[str, ...] = ()
    """One of them must be an audience of the token; any token is accepted if there are none."""
    issuer: str | None = None
    subject_claim: str = "sub"
    """The claim that contains the user's name."""
    scope_claim: str = "scope"
    skew_s: float = 30.0
    """The allowed clock skew between issuer and node."""


class Bearer(NamedTuple):
    """The principal that a token authenticates, and its expiry."""

    name: str
    ends_ms: int
    """When the token expires, in ms since 1970."""
    scopes: tuple[str, ...]


def refused(why: str) -> KafkaError:
    """The error for a token that is not accepted."""
    return KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED, f"the token is not accepted: {why}")


class KeySet:
    """The keys of an issuer (JWKS)."""

    def __init__(self, text: bytes) -> None:
        """Raises ValueError for a malformed key set."""
        try:
            keys = json.loads(text)["keys"]
            if not isinstance(keys, list):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError('it is no JSON object with a list of "keys" (JWKS)') from error
        self._keys = [
            key
            for key in keys[:_MOST_KEYS]
            if isinstance(key, dict) and key.get("use", "sig") == "sig"
        ]
        self._made: dict[tuple[int, str], Any] = {}

    def has(self, key_id: str) -> bool:
        """Whether there is a key with that id (kid)."""
        return any(key.get("kid") == key_id for key in self._keys)

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token that one of the keys has signed. Raises KafkaError."""
        jwt = _library()
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise refused("it is no JWT") from error
        algorithm, key_id = str(header.get("alg")), header.get("kid")
        for at, key in enumerate(self._keys):
            named = key_id is None or key.get("kid") == key_id
            if not named or algorithm not in _FAMILIES.get(str(key.get("kty")), ()):
                continue
            if key.get("alg", algorithm) != algorithm:
                continue
            claims = self._by_key(at, key, algorithm, token)
            if claims is not None:
                return claims
        if algorithm.lower() == "none" or algorithm.startswith("HS"):
            raise refused(f"its algorithm is {algorithm}, which proves nothing here")
        if key_id is not None and not self.has(str(key_id)):
            raise refused("its key is not among the issuer's (sasl.oauthbearer.jwks.endpoint.url)")
        raise refused("its signature is not by a key of the issuer")

    def _by_key(
        self, at: int, key: Mapping[str, Any], algorithm: str, token: str
    ) -> dict[str, Any] | None:
        """The claims, if that key verifies the token."""
        jwt = _library()
        if (made := self._made.get((at, algorithm))) is None:
            try:
                made = jwt.PyJWK(dict(key), algorithm)
            except (jwt.InvalidKeyError, jwt.PyJWKError):
                return None
            self._made[at, algorithm] = made
        try:
            payload = jwt.PyJWS().decode(token, made, algorithms=[algorithm])
            claims = json.loads(payload)
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, ValueError):
            return None
        return claims if isinstance(claims, dict) else None


def _library() -> Any:
    try:
        import jwt
    except ImportError as error:
        words = "OAUTHBEARER needs another package: pip install raftka[oauth]"
        raise KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED, words) from error
    return jwt


def key_id_of(token: str) -> str | None:
    """The id of the key that, according to the token, has signed it."""
    jwt = _library()
    try:
        found = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError:
        return None
    return found if isinstance(found, str) else None


def accepted(claims: Mapping[str, Any], rules: TokenRules, now_s: float) -> Bearer:
    """The bearer in a verified token's claims. Raises KafkaError, with the reason."""
    expires_s = _moment(claims, "exp")
    _moment(claims, "iat")
    if now_s > expires_s + rules.skew_s:
        raise refused("it has expired")
    if "nbf" in claims and now_s < _moment(claims, "nbf") - rules.skew_s:
        raise refused("it is not valid yet (nbf)")
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        raise refused("it is from another issuer (sasl.oauthbearer.expected.issuer)")
    if rules.audiences and not set(rules.audiences) & set(_texts(claims.get("aud"))):
        raise refused("it is for others (sasl.oauthbearer.expected.audience)")
    name = claims.get(rules.subject_claim)
    if not isinstance(name, str) or not name.strip():
        raise refused(f"its claim {rules.subject_claim} names no user")
    scopes = claims.get(rules.scope_claim)
    split = scopes.split() if isinstance(scopes, str) else _texts(scopes)
    return Bearer(name.strip(), int(expires_s * 1000), tuple(split))


def _moment(claims: Mapping[str, Any], name: str) -> float:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e11:
        raise refused(f"its claim {name} is no time")
    return float(found)


def _texts(value: object) -> list[str]:
    """A text as a list, or a list of texts."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
