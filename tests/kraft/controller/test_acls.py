"""ACLs: created one by one, found by filters, deleted by filters."""

from __future__ import annotations

import random
from typing import Any

import pytest

from raftka.kraft.controller.acls import AclFilter, create_acls, delete_acls, find_acls
from raftka.kraft.image import Acl
from raftka.model.access import Operation, PatternType, Permission, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.controller import ControllerOnPaper

READ_A = Acl(ResourceType.TOPIC, "a", PatternType.LITERAL, "User:x", "*", Operation.READ, 3)
READ_ALL = READ_A._replace(resource_name="*")
READ_AB = READ_A._replace(resource_name="ab", pattern_type=PatternType.PREFIXED)
NO_BOB = READ_A._replace(principal="User:bob", permission=Permission.DENY)


@pytest.fixture
def cluster() -> ControllerOnPaper:
    made = ControllerOnPaper(random.Random(1))
    made.start(1)
    return made


def create(cluster: ControllerOnPaper, *acls: Acl) -> list[ErrorCode]:
    answers = cluster.commit(create_acls(cluster.image, random.Random(len(acls)), acls))
    return [ErrorCode.NONE if each is None else each.code for each in answers]


def test_each_is_created_once(cluster: ControllerOnPaper) -> None:
    assert create(cluster, READ_A, READ_ALL, READ_A) == [ErrorCode.NONE] * 3
    assert sorted(cluster.image.acls.values()) == sorted([READ_A, READ_ALL])
    before = cluster.image
    assert create(cluster, READ_A) == [ErrorCode.NONE]
    assert cluster.image is before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resource_type": 0}, "Invalid resourceType"),
        ({"resource_type": ResourceType.ANY}, "Invalid resourceType"),
        ({"resource_type": 99}, "Invalid resourceType"),
        ({"resource_type": ResourceType.CLUSTER}, "The only valid name .* is kafka-cluster"),
        ({"resource_name": ""}, "Invalid empty resource name"),
        ({"pattern_type": PatternType.MATCH}, "Invalid patternType"),
        ({"pattern_type": PatternType.ANY}, "Invalid patternType"),
        ({"operation": Operation.ANY}, "Invalid operation"),
        ({"operation": 77}, "Invalid operation"),
        ({"permission": Permission.ANY}, "Invalid permissionType"),
        ({"principal": "alice"}, "no colon is present"),
    ],
)
def test_a_wrong_one_is_refused_and_the_others_are_not(
    cluster: ControllerOnPaper, changes: dict[str, Any], words: str
) -> None:
    wrong = READ_A._replace(**changes)
    wishes = [READ_AB, wrong, READ_ALL]
    answers = cluster.commit(create_acls(cluster.image, random.Random(1), wishes))
    assert answers[0] is None and answers[2] is None
    failure = answers[1]
    assert failure is not None and failure.code is ErrorCode.INVALID_REQUEST
    with pytest.raises(KafkaError, match=words):
        raise failure
    assert sorted(cluster.image.acls.values()) == sorted([READ_AB, READ_ALL])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AclFilter(), {READ_A, READ_ALL, READ_AB, NO_BOB}),
        (AclFilter(resource_name="a"), {READ_A, NO_BOB}),
        (AclFilter(resource_name="abc"), set()),
        (AclFilter(resource_name="ab"), {READ_AB}),
        (AclFilter(resource_name="ab", pattern_type=PatternType.LITERAL), set()),
        (AclFilter(resource_name="abc", pattern_type=PatternType.MATCH), {READ_AB, READ_ALL}),
        (AclFilter(resource_name="a", pattern_type=PatternType.MATCH), {READ_A, READ_ALL, NO_BOB}),
        (AclFilter(pattern_type=PatternType.PREFIXED), {READ_AB}),
        (AclFilter(resource_type=ResourceType.GROUP), set()),
        (AclFilter(principal="User:bob"), {NO_BOB}),
        (AclFilter(permission=Permission.ALLOW), {READ_A, READ_ALL, READ_AB}),
        (AclFilter(operation=Operation.WRITE), set()),
        (AclFilter(host="10.0.0.7"), set()),
    ],
)
def test_filters(cluster: ControllerOnPaper, wanted: AclFilter, found: set[Acl]) -> None:
    create(cluster, READ_A, READ_ALL, READ_AB, NO_BOB)
    assert {acl for _, acl in find_acls(cluster.image, wanted)} == found
    (deleted,) = cluster.commit(delete_acls(cluster.image, [wanted]))
    assert isinstance(deleted, list) and set(deleted) == found
    assert set(cluster.image.acls.values()) == {READ_A, READ_ALL, READ_AB, NO_BOB} - found


def test_filters_that_overlap_and_one_that_is_wrong(cluster: ControllerOnPaper) -> None:
    create(cluster, READ_A, READ_ALL)
    filters = [AclFilter(resource_name="a"), AclFilter(operation=99), AclFilter()]
    first, wrong, last = cluster.commit(delete_acls(cluster.image, filters))
    assert first == [READ_A] and isinstance(last, list) and set(last) == {READ_A, READ_ALL}
    assert isinstance(wrong, KafkaError) and wrong.code is ErrorCode.INVALID_REQUEST
    assert cluster.image.acls == {}
