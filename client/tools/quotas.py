"""kafka-configs for users, clients and addresses: quotas, and users' passwords."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from raftka.client.admin import (
    Admin,
    QuotaEntity,
    QuotaFilter,
    QuotaMatch,
    QuotaType,
)
from raftka.client.tools.options import ToolError, UsageError
from raftka.client.tools.passwords import (
    PasswordJob,
    describe_passwords,
    is_password,
    read_passwords,
)

_RATES: Final = frozenset(
    ("producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate")
)
_DEFAULT: Final = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of entity: its name, and its possible quotas."""

    type: QuotaType
    word: str
    described: str
    known: frozenset[str]
    known_words: str


KINDS: Final[Mapping[str, _Kind]] = {
    "users": _Kind(QuotaType.USER, "user", "user-principal", _RATES, "quota"),
    "clients": _Kind(QuotaType.CLIENT_ID, "client", "client-id", _RATES, "quota"),
    "ips": _Kind(
        QuotaType.IP, "ip", "ip", frozenset(("connection_creation_rate",)), "connection quota"
    ),
}


@dataclass(frozen=True, slots=True)
class QuotaJob:
    """The request of a command line: entities by type, and the changes of their quotas."""

    found: argparse.Namespace
    entities: tuple[tuple[str, str | None], ...]
    """(type, name) in the order of the command line: None for all names, "" for the default."""
    added: Mapping[str, float]
    removed: tuple[str, ...]


def read_job(
    found: argparse.Namespace,
    entities: Sequence[tuple[str, str | None]],
    added: Mapping[str, str] | None,
    removed: Sequence[str],
) -> QuotaJob | PasswordJob:
    """Check a command line; `added` is None for --describe. Raises UsageError."""
    types = [kind for kind, _ in entities]
    if len(types) > 1 and "ips" in types:
        raise UsageError("Only 'users' and 'clients' entity types may be specified together")
    for kind, name in entities:
        if kind == "ips" and name and not _is_host(name):
            raise UsageError(
                f"The entity name for ips must be a valid IP or resolvable host, but it is: {name}"
            )
    if added is None:
        return QuotaJob(found, tuple(entities), {}, ())
    if all(name is None for _, name in entities):
        raise UsageError(
            "An entity-name or default entity must be specified with --alter of users, clients,"
            " brokers or ips"
        )
    if any(name is None for _, name in entities):
        raise UsageError("An entity name must be specified for every entity type")
    of_users = types == ["users"]
    shown = "clients" if "clients" in types else types[0]
    known_words = "quota and SCRAM credential" if of_users else KINDS[types[0]].known_words
    for verb, names in (("added", added), ("deleted", removed)):
        unknown = [
            name
            for name in names
            if name not in KINDS[types[0]].known and not (of_users and is_password(name))
        ]
        if unknown:
            raise UsageError(
                f"Only {known_words} configs can be {verb} for '{shown}' using"
                f" --bootstrap-server. Unexpected config names: {','.join(unknown)}"
            )
    if any(is_password(name) for name in (*added, *removed)):
        return read_passwords(found, entities[0][1] or "", added, removed)
    values = {name: _number(name, text) for name, text in added.items()}
    return QuotaJob(found, tuple(entities), values, tuple(removed))


def _is_host(name: str) -> bool:
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return False
    return True


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        words = f"Cannot parse quota configuration value for {name}: {text}"
        raise UsageError(words) from error


async def alter_quotas(admin: Admin, job: QuotaJob) -> None:
    """Set and remove quotas. Raises KafkaError, ToolError."""
    entity: QuotaEntity = tuple(
        sorted((KINDS[kind].type, name or None) for kind, name in job.entities)
    )
    present = (await admin.describe_client_quotas(_filters(job), strict=True)).get(entity, {})
    absent = [name for name in job.removed if name not in present]
    if absent:
        raise ToolError(f"Invalid config(s): {','.join(absent)}")
    changes: dict[str, float | None] = {**job.added, **dict.fromkeys(job.removed)}
    await admin.alter_client_quotas({entity: changes})
    kind, name = job.entities[0]
    if name == _DEFAULT:
        print(f"Completed updating default config for {kind} in the cluster.")
    else:
        print(f"Completed updating config for {KINDS[kind].word} {name}.")


async def describe_quotas(admin: Admin, job: QuotaJob) -> None:
    """Print the quotas of the entities, a line each, and of users their passwords' mechanisms."""
    found = await admin.describe_client_quotas(_filters(job), strict=True)
    # Sorted names, defaults after them.
    for entity in sorted(
        found, key=lambda entity: [(n is None, n or "") for _, n in _parts(entity)]
    ):
        values = ", ".join(
            f"{name}={java_double(value)}" for name, value in sorted(found[entity].items())
        )
        print(f"Quota configs for {_described(entity)} are {values}")
    if [kind for kind, _ in job.entities] == ["users"] and job.entities[0][1] != _DEFAULT:
        await describe_passwords(admin, job.entities[0][1])


def _filters(job: QuotaJob) -> list[QuotaFilter]:
    filters = []
    for kind, name in job.entities:
        if name is None:
            filters.append(QuotaFilter(KINDS[kind].type))
        elif name == _DEFAULT:
            filters.append(QuotaFilter(KINDS[kind].type, QuotaMatch.DEFAULT))
        else:
            filters.append(QuotaFilter(KINDS[kind].type, QuotaMatch.EXACT, name))
    return filters


def _parts(entity: QuotaEntity) -> list[tuple[_Kind, str | None]]:
    """An entity's names, users before client ids."""
    names = dict(entity)
    return [(kind, names[kind.type]) for kind in KINDS.values() if kind.type in names]


def _names_before_defaults(entity: QuotaEntity) -> list[tuple[bool, str]]:
    return [(name is None, name or "") for _, name in _parts(entity)]


def _described(entity: QuotaEntity) -> str:
    return ", ".join(
        f"the default {kind.described}" if name is None else f"{kind.described} '{name}'"
        for kind, name in _parts(entity)
    )


def java_double(value: float) -> str:
    """A number as Java prints it: 20.5, 1.0E7."""
    if 1e-3 <= abs(value) < 1e7 or value == 0:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, rest = str(digits[0]), "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{first}.{rest}E{int(exponent) + len(digits) - 1}"
