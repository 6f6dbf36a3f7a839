"""Altering and finding quotas of users, clients and addresses (KIP-546, KIP-612). Pure decisions.

The errors and their texts are Apache Kafka 4.4's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from math import isfinite
from typing import Final

from raftka.kraft.controller.result import Result
from raftka.kraft.image import MetadataImage
from raftka.kraft.records import ClientQuotaRecord, MetadataRecord
from raftka.kraft.sections.client_quotas import CLIENT_ID, IP, USER, QuotaEntity
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.named_tuple import NamedTuple

PRODUCER_BYTE_RATE: Final = "producer_byte_rate"
CONSUMER_BYTE_RATE: Final = "consumer_byte_rate"
REQUEST_PERCENTAGE: Final = "request_percentage"
CONTROLLER_MUTATION_RATE: Final = "controller_mutation_rate"
CONNECTION_CREATION_RATE: Final = "connection_creation_rate"

_LONG_MAX: Final = float(2**63)
"""The double with which Java compares for the largest long."""
_INT_MAX: Final = 2**31 - 1
_WHOLE: Final[Mapping[str, tuple[float, str]]] = {
    PRODUCER_BYTE_RATE: (_LONG_MAX, "LONG"),
    CONSUMER_BYTE_RATE: (_LONG_MAX, "LONG"),
    CONNECTION_CREATION_RATE: (_INT_MAX, "INT"),
}
"""The integral quotas: the maximum, and the name of the type."""
_OF_CLIENTS: Final = frozenset(
    (PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE, CONTROLLER_MUTATION_RATE)
)
_OF_ADDRESSES: Final = frozenset((CONNECTION_CREATION_RATE,))
_FRACTION: Final = 1e-6
"""The tolerance in comparing a value with an integer."""


class QuotaChange(NamedTuple):
    """A new value for one quota; None removes it."""

    key: str
    value: float | None


class QuotaAlteration(NamedTuple):
    """The changes to one entity."""

    entity: QuotaEntity
    changes: tuple[QuotaChange, ...]


class Match(IntEnum):
    """How a filter component matches names; the values are the protocol's."""

    EXACT = 0
    DEFAULT = 1
    SPECIFIED = 2


class Component(NamedTuple):
    """One entity type in a filter."""

    type: str
    match: int
    name: str | None


# ---- altering


def quota_entity(pairs: Iterable[tuple[str, str | None]]) -> QuotaEntity:
    """The entity of pairs in any order; the last of several pairs with the same type counts."""
    return tuple(sorted(dict(pairs).items()))


def alter_client_quotas(
    image: MetadataImage,
    alterations: Sequence[QuotaAlteration],
    *,
    is_address: Callable[[str], bool],
) -> Result[dict[QuotaEntity, KafkaError | None]]:
    """Alter each entity completely, or refuse it; of a repeated entity the second one is refused.

    `is_address` returns whether a quota of addresses may have that name.
    """
    records: list[MetadataRecord] = []
    answers: dict[QuotaEntity, KafkaError | None] = {}
    for entity, changes in alterations:
        try:
            if entity in answers or len({each.key for each in changes}) < len(changes):
                raise _invalid(f"Ignoring duplicate entity {_java_text(entity)}")
            keys = _keys_of(entity, is_address)
            records += _changes(image.client_quotas.get(entity, {}), entity, changes, keys)
            answers[entity] = None
        except KafkaError as error:
            answers[entity] = error
    return Result(records, answers)


def _keys_of(entity: QuotaEntity, is_address: Callable[[str], bool]) -> frozenset[str]:
    """The quotas that an entity may have. Raises KafkaError INVALID_REQUEST."""
    if not entity:
        raise _invalid("Invalid empty client quota entity")
    for kind, name in entity:
        if kind not in (USER, CLIENT_ID, IP):
            raise _invalid(f"Unhandled client quota entity type: {kind}")
        if name == "":
            raise _invalid(f"Empty {kind} not supported")
    names = dict(entity)
    if IP not in names:
        return _OF_CLIENTS
    if len(names) > 1:
        raise _invalid(
            "Invalid quota entity combination, IP entity shouldnot be combined with User or"
            " ClientId"
        )
    address = names[IP]
    if address is not None and not is_address(address):
        raise _invalid(f"{address} is not a valid IP or resolvable host.")
    return _OF_ADDRESSES


def _changes(
    present: Mapping[str, float],
    entity: QuotaEntity,
    changes: Sequence[QuotaChange],
    keys: frozenset[str],
) -> list[MetadataRecord]:
    records: list[MetadataRecord] = []
    for key, value in changes:
        if value is not None:
            _check_value(key, value, keys)
            if present.get(key) != value:
                records.append(ClientQuotaRecord(entity, key, float(value)))
        elif key in present:
            records.append(ClientQuotaRecord(entity, key, None))
    return records


def _check_value(key: str, value: float, keys: frozenset[str]) -> None:
    """Raise KafkaError INVALID_REQUEST unless the entity may have the quota with that value."""
    if key not in keys:
        raise _invalid(f"Invalid configuration key {key}")
    if not isfinite(value):
        raise _invalid(f"Quota {key} must be a finite number")
    if value <= 0:
        raise _invalid(f"Quota {key} must be greater than 0")
    if key in _WHOLE:
        most, name = _WHOLE[key]
        if value > most:
            raise _invalid(f"Proposed value for {key} is too large for {_article(name)}.")
        if abs(value % 1.0) > _FRACTION:
            raise _invalid(f"{key} cannot be a fractional value.")


def _article(type_name: str) -> str:
    return f"{'an' if type_name == 'INT' else 'a'} {type_name}"


def _java_text(entity: QuotaEntity) -> str:
    """An entity as Kafka's error messages print it."""
    pairs = ", ".join(f"{kind}={'null' if name is None else name}" for kind, name in entity)
    return f"ClientQuotaEntity(entries={{{pairs}}})"


def _invalid(words: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, words)


# ---- finding


def find_client_quotas(
    image: MetadataImage, components: Sequence[Component], *, strict: bool
) -> list[tuple[QuotaEntity, Mapping[str, float]]]:
    """The entities that match all components; with `strict`, only those without other types.

    Raises KafkaError: INVALID_REQUEST, UNSUPPORTED_VERSION for an unknown type.
    """
    wanted: dict[str, Component] = {}
    for each in components:
        _check_component(each, wanted)
        wanted[each.type] = each
    if IP in wanted and len(wanted) > 1:
        raise _invalid(
            "Invalid entity filter component combination. IP filter component should not be used"
            " with user or clientId filter component."
        )
    return [
        (entity, values)
        for entity, values in image.client_quotas.items()
        if _matches(dict(entity), wanted, strict)
    ]


def _check_component(component: Component, before: Mapping[str, Component]) -> None:
    kind, match, name = component
    if not kind:
        raise _invalid("Invalid empty entity type.")
    if kind in before:
        raise _invalid(f"Entity type {kind} cannot appear more than once in the filter.")
    if kind not in (USER, CLIENT_ID, IP):
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, f"Unsupported entity type {kind}")
    if match not in tuple(Match):
        raise _invalid(f"Unknown match type {match}")
    if match == Match.EXACT and name is None:
        raise _invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.")
    if match != Match.EXACT and name is not None:
        word = Match(match).name
        raise _invalid(f"Request specified MATCH_TYPE_{word}, but also specified a match string.")


def _matches(
    entity: Mapping[str, str | None], wanted: Mapping[str, Component], strict: bool
) -> bool:
    if strict and (not wanted or entity.keys() != wanted.keys()):
        return False
    for kind, component in wanted.items():
        if kind not in entity:
            return False
        if component.match != Match.SPECIFIED and entity[kind] != component.name:
            return False
    return True
