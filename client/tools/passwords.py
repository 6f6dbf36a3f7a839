"""kafka-configs for the SCRAM passwords of users (KIP-554).

--add-config 'SCRAM-SHA-256=[iterations=8192,password=secret]'   --delete-config SCRAM-SHA-256
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from raftka.client.admin import Admin, ScramPassword, ScramRemoval
from raftka.client.tools.options import UsageError
from raftka.model.scram import HASHES, MIN_ITERATIONS

_VALUE: Final = re.compile(r"(?:iterations=(-?[0-9]*),)?password=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PasswordJob:
    """Passwords of one user that are set or removed."""

    found: argparse.Namespace
    user: str
    changes: tuple[ScramPassword | ScramRemoval, ...]


def is_password(name: str) -> bool:
    """Whether the name of a user's setting is that of a password."""
    return name in HASHES


def read_passwords(
    found: argparse.Namespace, user: str, added: Mapping[str, str], removed: Sequence[str]
) -> PasswordJob:
    """The request of a command line. Raises UsageError, whose message shows no password."""
    if not user:
        raise UsageError(
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM"
            " Credentials using --bootstrap-server."
        )
    if not all(is_password(name) for name in (*added, *removed)):
        raise UsageError(
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using"
            " --bootstrap-server."
        )
    return PasswordJob(
        found,
        user,
        (
            *(_password(user, mechanism, value) for mechanism, value in added.items()),
            *(ScramRemoval(user, mechanism) for mechanism in removed),
        ),
    )


def _password(user: str, mechanism: str, value: str) -> ScramPassword:
    found = _VALUE.fullmatch(value)
    if found is None:
        raise UsageError(
            f"Invalid credential property {mechanism}: it must be"
            f" {mechanism}=[iterations=8192,password=...], where iterations= may be left out"
        )
    text, password = found.groups()
    iterations = MIN_ITERATIONS if text in (None, "", "-1") else int(text[:9])
    if iterations < MIN_ITERATIONS:
        raise UsageError(
            f"Iterations {iterations} is less than the minimum {MIN_ITERATIONS} required for"
            f" {mechanism}"
        )
    if not password:
        raise UsageError(f"Invalid credential property {mechanism}: the password is empty")
    return ScramPassword(user, mechanism, password, iterations)


async def alter_passwords(admin: Admin, job: PasswordJob) -> None:
    """Raises KafkaError."""
    await admin.alter_user_scram_credentials(job.changes)
    print(f"Completed updating config for user {job.user}.")


async def describe_passwords(admin: Admin, user: str | None) -> None:
    """Print the mechanisms for which a user has passwords, or all users; a line each."""
    found = await admin.describe_user_scram_credentials([] if user is None else [user])
    for name, mechanisms in found.items():
        words = ", ".join(
            f"{mechanism}=iterations={iterations}" for mechanism, iterations in mechanisms.items()
        )
        print(f"SCRAM credential configs for user-principal '{name}' are {words}")


def without_passwords(argv: Sequence[str]) -> str:
    """A command line without its passwords."""
    return re.sub(r"(password=)[^\]\s]*", r"\1[hidden]", " ".join(argv))
