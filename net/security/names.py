"""Maps names in certificates to users (KIP-371)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_SHORT: Final = {
    "commonName": "CN",
    "organizationalUnitName": "OU",
    "organizationName": "O",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_SPECIAL: Final = re.compile(r'([,+"\\<>;=])')
_RULE: Final = re.compile(
    r"RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?)\s*(?:,|$)|DEFAULT\s*(?:,|$)"
)

Subject = Sequence[Sequence[tuple[str, str]]]


def distinguished_name(subject: Subject) -> str:
    """A name as Java writes it (RFC 2253): the last component first, CN=a,OU=b."""
    return ",".join(
        "+".join(f"{_SHORT.get(kind, kind)}={_escaped(text)}" for kind, text in several)
        for several in reversed(subject)
    )


def _escaped(text: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", text)
    if escaped.startswith((" ", "#")):
        escaped = "\\" + escaped
    return escaped[:-1] + "\\ " if escaped.endswith(" ") and len(escaped) > 1 else escaped


class _Rule(NamedTuple):
    pattern: re.Pattern[str] | None
    """None for DEFAULT: the whole name."""
    replacement: str = ""
    case: str = ""


class NameRules:
    """Maps the names in certificates to users, by the first matching rule."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for rules other than RULE:pattern/replacement/[L|U] and DEFAULT."""
        self._rules: list[_Rule] = []
        text = text.strip()
        at = 0
        while at < len(text):
            found = _RULE.match(text, at)
            if found is None:
                raise ValueError(
                    f"{text[at:]!r} is no rule: it must be RULE:pattern/replacement/, with L or U"
                    " behind it for small or capital letters, or DEFAULT"
                )
            if found[1] is None:
                self._rules.append(_Rule(None))
            else:
                try:
                    pattern = re.compile(found[1])
                except re.error as error:
                    raise ValueError(f"{found[1]!r} is no regular expression: {error}") from error
                replacement = re.sub(r"\$(\d)", r"\\\1", found[2])
                self._rules.append(_Rule(pattern, replacement, found[3]))
            at = found.end()
            while at < len(text) and text[at] == " ":
                at += 1

    def name_of(self, subject: str) -> str:
        """The user of a distinguished name. Raises ValueError if no rule matches."""
        for rule in self._rules:
            if rule.pattern is None:
                return subject
            found = rule.pattern.fullmatch(subject)
            if found is not None:
                name = found.expand(rule.replacement)
                return {"L": name.lower(), "U": name.upper()}.get(rule.case, name)
        raise ValueError(f"no rule of ssl.principal.mapping.rules fits {subject}")
