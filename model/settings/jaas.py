"""The value of sasl.jaas.config: login modules with options, in Java's JAAS syntax (KIP-85).

org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b";
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<end>;)|(?P<equals>=)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s=;"]+))"""
)
_CONTROL_FLAGS: Final = ("required", "requisite", "sufficient", "optional")
_SHAPE: Final = 'it must be: <module> required name="value" ... ;'


class LoginModule(NamedTuple):
    """One login module and its options."""

    name: str
    """The Java class; its simple name determines the mechanism."""
    options: Mapping[str, str]

    @property
    def kind(self) -> str:
        """The class's simple name, such as PlainLoginModule or OAuthBearerLoginModule."""
        return self.name.rpartition(".")[2]


def parse_jaas(text: str) -> LoginModule:
    """Parse a setting's only login module. Raises ValueError without secrets."""
    tokens = _tokens(text)
    if len(tokens) < 2 or tokens[-1] != (";", True):
        raise ValueError(f"a JAAS configuration ends with a semicolon; {_SHAPE}")
    (name, _), (flag, _), *rest = tokens[:-1]
    if flag.lower() not in _CONTROL_FLAGS:
        raise ValueError(f"after {name} a control flag is missing; {_SHAPE}")
    if (";", True) in rest:
        raise ValueError(f"only one login module can be given; {_SHAPE}")
    options: dict[str, str] = {}
    while rest:
        if len(rest) < 3 or rest[1] != ("=", True) or rest[0][1] or rest[2][1]:
            raise ValueError(f"option {rest[0][0]} has no value; {_SHAPE}")
        options[rest[0][0]] = rest[2][0]
        rest = rest[3:]
    return LoginModule(name, options)


def _tokens(text: str) -> list[tuple[str, bool]]:
    """(text, whether it is a punctuation mark)."""
    found: list[tuple[str, bool]] = []
    at, text = 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"a quotation mark is not closed; {_SHAPE}")
        at = match.end()
        sign = match["end"] or match["equals"]
        if sign:
            found.append((sign, True))
        elif match["quoted"] is not None:
            found.append((re.sub(r"\\(.)", r"\1", match["quoted"]), False))
        else:
            found.append((match["word"], False))
    return found
