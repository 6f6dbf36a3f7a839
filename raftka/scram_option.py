"""The option --add-scram of `storage format` (KIP-900): passwords that a new cluster begins with.

SCRAM-SHA-256=[name=alice,password=secret]
SCRAM-SHA-512=[name=alice,iterations=8192,salt=BASE64,saltedpassword=BASE64]
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Iterable

from raftka.kraft.sections.scram import ScramKey
from raftka.model.scram import (
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    NUMBERS,
    ScramCredential,
    credential_of,
    salted_password,
)


class BadScramOption(ValueError):
    """The option cannot be used; the message says why, and shows no password."""


def parse_scram(options: Iterable[str]) -> dict[ScramKey, ScramCredential]:
    """The credentials for the metadata, by user and mechanism. Raises BadScramOption."""
    found: dict[ScramKey, ScramCredential] = {}
    numbers = {name: number for number, name in NUMBERS.items()}
    for option in options:
        mechanism, _, rest = option.partition("=")
        if mechanism not in numbers:
            raise BadScramOption(
                f"The add-scram mechanism {mechanism} is not supported; it must be one of"
                f" {', '.join(numbers)}, as in SCRAM-SHA-256=[name=alice,password=secret]"
            )
        user, credential = parse_credential(mechanism, rest)
        if (user, numbers[mechanism]) in found:
            raise BadScramOption(f"The password of {user} for {mechanism} is given twice")
        found[user, numbers[mechanism]] = credential
    return found


def parse_credential(mechanism: str, text: str) -> tuple[str, ScramCredential]:
    """(user, credential) of [name=...,password=...]. Raises BadScramOption."""
    fields = _fields(text)
    user = fields.get("name")
    if not user:
        raise BadScramOption("You must supply 'name' to add-scram")
    if ("password" in fields) == ("saltedpassword" in fields):
        raise BadScramOption(
            "You must supply one of 'password' or 'saltedpassword' to add-scram, and only one"
        )
    if "saltedpassword" in fields and "salt" not in fields:
        raise BadScramOption("You must supply 'salt' with 'saltedpassword' to add-scram")
    iterations = _iterations(fields.get("iterations", str(MIN_ITERATIONS)))
    salt = _bytes("salt", fields["salt"]) if "salt" in fields else os.urandom(24)
    if "saltedpassword" in fields:
        salted = _bytes("saltedpassword", fields["saltedpassword"])
    else:
        salted = salted_password(mechanism, fields["password"], salt, iterations)
    return user, credential_of(mechanism, salted, salt, iterations)


def _fields(text: str) -> dict[str, str]:
    if not (text.startswith("[") and text.endswith("]")):
        raise BadScramOption("add-scram takes its values in brackets: [name=alice,password=secret]")
    fields: dict[str, str] = {}
    for part in filter(None, text[1:-1].split(",")):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or name not in ("name", "password", "salt", "saltedpassword", "iterations"):
            raise BadScramOption(
                "add-scram takes name=, password=, salt=, saltedpassword= and iterations=,"
                " separated by commas"
            )
        fields[name] = value.strip().strip('"')
    return fields


def _iterations(text: str) -> int:
    if not text.isdecimal() or not MIN_ITERATIONS <= int(text[:9]) <= MAX_ITERATIONS:
        raise BadScramOption(
            f"The 'iterations' value must be from {MIN_ITERATIONS} to {MAX_ITERATIONS}: {text}"
        )
    return int(text)


def _bytes(name: str, text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise BadScramOption(f"The '{name}' value is not base64") from error
