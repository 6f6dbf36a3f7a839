"""Quotas are altered and found as in Apache Kafka 4.4.0, with the text of its errors."""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import inf, nan

import pytest

from raftka.kraft.controller.client_quotas import (
    Component,
    Match,
    QuotaAlteration,
    QuotaChange,
    alter_client_quotas,
    find_client_quotas,
    quota_entity,
)
from raftka.kraft.sections.client_quotas import QuotaEntity
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.controller import ControllerOnPaper

P = "producer_byte_rate"


@pytest.fixture
def cluster() -> ControllerOnPaper:
    return ControllerOnPaper(random.Random(1))


def entity(**names: str | None) -> QuotaEntity:
    return quota_entity((kind.replace("_", "-"), name) for kind, name in names.items())


def alter(
    cluster: ControllerOnPaper, *wishes: tuple[QuotaEntity, Mapping[str, float | None]]
) -> list[str | None]:
    """Commit alterations; returns the text of each error."""
    alterations = [
        QuotaAlteration(who, tuple(QuotaChange(*item) for item in values.items()))
        for who, values in wishes
    ]
    result = alter_client_quotas(
        cluster.image, alterations, is_address=lambda text: text[0].isdigit()
    )
    answers = cluster.commit(result)
    assert all(e is None or e.code is ErrorCode.INVALID_REQUEST for e in answers.values())
    return [None if error is None else error.message for error in answers.values()]


@pytest.mark.parametrize(
    ("who", "values", "words"),
    [
        ((), {P: 1.0}, "Invalid empty client quota entity"),
        (entity(foo="a"), {P: 1.0}, "Unhandled client quota entity type: foo"),
        (entity(user=""), {P: 1.0}, "Empty user not supported"),
        (
            entity(user="a", ip="1.1.1.1"),
            {P: 1.0},
            "Invalid quota entity combination, IP entity shouldnot be combined with User or"
            " ClientId",
        ),
        (
            entity(ip="no such"),
            {"connection_creation_rate": 1.0},
            "no such is not a valid IP or resolvable host.",
        ),
        (entity(ip="1.1.1.1"), {P: 1.0}, f"Invalid configuration key {P}"),
        (
            entity(user="a"),
            {"connection_creation_rate": 1.0},
            "Invalid configuration key connection_creation_rate",
        ),
        (entity(user="a"), {P: 0.0}, f"Quota {P} must be greater than 0"),
        (entity(user="a"), {P: -3.0}, f"Quota {P} must be greater than 0"),
        (entity(user="a"), {P: inf}, f"Quota {P} must be a finite number"),
        (entity(user="a"), {P: nan}, f"Quota {P} must be a finite number"),
        (entity(user="a"), {P: 1.5}, f"{P} cannot be a fractional value."),
        (entity(user="a"), {P: 1e19}, f"Proposed value for {P} is too large for a LONG."),
        (
            entity(ip=None),
            {"connection_creation_rate": 1e10},
            "Proposed value for connection_creation_rate is too large for an INT.",
        ),
        (entity(user="a"), {P: 5.0, "foo": 1.0}, "Invalid configuration key foo"),
        (entity(user="a"), {P: 1.0000001}, None),
        (entity(user="a"), {P: 2.0**63}, None),
        (entity(user="a"), {"request_percentage": 1e10}, None),
        (entity(user="a"), {"controller_mutation_rate": 0.5}, None),
        (entity(user="a", client_id=None), {P: 1.0}, None),
        (entity(user="a"), {"foo": None}, None),
        (entity(user="a"), {}, None),
    ],
)
def test_what_kafka_answers(
    cluster: ControllerOnPaper, who: QuotaEntity, values: dict[str, float | None], words: str | None
) -> None:
    assert alter(cluster, (who, values)) == [words]
    kept = {key: value for key, value in values.items() if value is not None}
    expected = {who: kept} if words is None and kept else {}
    assert dict(cluster.image.client_quotas) == expected


def test_entities_fail_on_their_own(cluster: ControllerOnPaper) -> None:
    answers = alter(cluster, (entity(user="a"), {P: 1.0}), (entity(user="b"), {"foo": 1.0, P: 1.0}))
    assert answers == [None, "Invalid configuration key foo"]
    assert dict(cluster.image.client_quotas) == {entity(user="a"): {P: 1.0}}


def test_of_an_entity_that_comes_twice_the_second_is_refused(cluster: ControllerOnPaper) -> None:
    words = "Ignoring duplicate entity ClientQuotaEntity(entries={user=a})"
    assert alter(cluster, (entity(user="a"), {P: 1.0}), (entity(user="a"), {P: 2.0})) == [words]
    assert dict(cluster.image.client_quotas) == {entity(user="a"): {P: 1.0}}


def test_a_quota_that_is_set_again_changes_nothing(cluster: ControllerOnPaper) -> None:
    alter(cluster, (entity(user="a"), {P: 1.0}))
    offset = cluster.image.offset
    alter(cluster, (entity(user="a"), {P: 1.0, "request_percentage": None}))
    assert cluster.image.offset == offset


def test_an_entity_goes_with_its_last_quota(cluster: ControllerOnPaper) -> None:
    alter(cluster, (entity(user="a"), {P: 1.0, "request_percentage": 2.0}))
    alter(cluster, (entity(user="a"), {P: None}))
    assert dict(cluster.image.client_quotas) == {entity(user="a"): {"request_percentage": 2.0}}
    alter(cluster, (entity(user="a"), {"request_percentage": None}))
    assert dict(cluster.image.client_quotas) == {}


def test_filters(cluster: ControllerOnPaper) -> None:
    every = [
        entity(user="a"), entity(user=None), entity(user="a", client_id="c"),
        entity(user="a", client_id=None), entity(client_id="c"),
    ]  # fmt: skip
    alter(cluster, *((who, {P: 1.0}) for who in every))

    def found(*components: Component, strict: bool = False) -> list[QuotaEntity]:
        return [who for who, _ in find_client_quotas(cluster.image, components, strict=strict)]

    any_user = Component("user", Match.SPECIFIED, None)
    assert found() == every
    assert found(strict=True) == []
    assert found(any_user) == every[:4]
    assert found(any_user, strict=True) == every[:2]
    assert found(Component("user", Match.EXACT, "a")) == [every[0], *every[2:4]]
    assert found(Component("user", Match.DEFAULT, None)) == [every[1]]
    assert found(any_user, Component("client-id", Match.DEFAULT, None)) == [every[3]]
    assert found(Component("ip", Match.SPECIFIED, None)) == []


@pytest.mark.parametrize(
    ("components", "code", "words"),
    [
        ([("", 0, "a")], 42, "Invalid empty entity type."),
        ([("foo", 0, "a")], 35, "Unsupported entity type foo"),
        (
            [("user", 0, "a"), ("user", 0, "b")],
            42,
            "Entity type user cannot appear more than once in the filter.",
        ),
        (
            [("user", 0, None)],
            42,
            "Request specified MATCH_TYPE_EXACT, but set match string to null.",
        ),
        (
            [("user", 1, "x")],
            42,
            "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.",
        ),
        (
            [("user", 2, "x")],
            42,
            "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.",
        ),
        ([("user", 9, None)], 42, "Unknown match type 9"),
        (
            [("ip", 2, None), ("user", 2, None)],
            42,
            "Invalid entity filter component combination. IP filter component should not be used"
            " with user or clientId filter component.",
        ),
    ],
)
def test_filters_that_kafka_refuses(
    cluster: ControllerOnPaper,
    components: list[tuple[str, int, str | None]],
    code: int,
    words: str,
) -> None:
    with pytest.raises(KafkaError) as caught:
        find_client_quotas(cluster.image, [Component(*each) for each in components], strict=False)
    assert (caught.value.code, caught.value.message) == (code, words)
