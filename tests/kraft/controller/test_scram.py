"""Which credentials can be set, and which cannot."""

from __future__ import annotations

import pytest

from raftka.kraft.controller.scram import (
    ScramDeletion,
    ScramUpsertion,
    ScramWish,
    alter_scram,
    describe_scram,
)
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.scram import credential_of


def wish(user: str = "alice", mechanism: int = 1, iterations: int = 4096) -> ScramUpsertion:
    return ScramUpsertion(user, mechanism, iterations, b"salt", b"salted")


def after(image: MetadataImage, *wishes: ScramWish) -> MetadataImage:
    result = alter_scram(image, wishes)
    delta = MetadataDelta(image)
    delta.replay_all(result.records, image.offset + 1)
    return delta.finish(image.offset + 1, 1)


def test_credentials_are_set_replaced_and_deleted() -> None:
    image = after(EMPTY_IMAGE, wish(), wish(mechanism=2), wish("bob", iterations=8192))
    assert image.scram["alice", 1] == credential_of("SCRAM-SHA-256", b"salted", b"salt", 4096)
    assert image.scram["alice", 2].stored_key != image.scram["alice", 1].stored_key
    image = after(image, ScramDeletion("alice", 1), wish("bob", iterations=5000))
    assert sorted(image.scram) == [("alice", 2), ("bob", 1)]
    assert image.scram["bob", 1].iterations == 5000


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ([wish("")], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([wish(mechanism=3)], ErrorCode.UNSUPPORTED_SASL_MECHANISM),
        ([wish(iterations=4095)], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([wish(iterations=16385)], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([wish()._replace(salt=b"")], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([wish(), wish()], ErrorCode.DUPLICATE_RESOURCE),
        ([wish(), ScramDeletion("alice", 1)], ErrorCode.DUPLICATE_RESOURCE),
        ([ScramDeletion("alice", 1)], ErrorCode.RESOURCE_NOT_FOUND),
        ([ScramDeletion("alice", 1)] * 2, ErrorCode.RESOURCE_NOT_FOUND),
        ([ScramDeletion("alice", 1), wish()], ErrorCode.RESOURCE_NOT_FOUND),
        ([wish(iterations=1), wish(iterations=1)], ErrorCode.UNACCEPTABLE_CREDENTIAL),
        ([wish(mechanism=2), ScramDeletion("alice", 1)], ErrorCode.RESOURCE_NOT_FOUND),
    ],
)
def test_of_a_user_with_a_refused_wish_nothing_changes(
    wishes: list[ScramWish], code: ErrorCode
) -> None:
    result = alter_scram(EMPTY_IMAGE, [*wishes, wish("bob")])
    failure = result.response[wishes[0].user]
    assert failure is not None and failure.code is code
    assert result.response["bob"] is None
    assert [getattr(each, "user", None) for each in result.records] == ["bob"]


@pytest.mark.parametrize("second", [ScramDeletion("alice", 1), wish()])
def test_what_exists_is_deleted_once_in_a_request(second: ScramWish) -> None:
    image = after(EMPTY_IMAGE, wish())
    result = alter_scram(image, [ScramDeletion("alice", 1), second])
    failure = result.response["alice"]
    assert failure is not None and failure.code is ErrorCode.DUPLICATE_RESOURCE
    assert not result.records


def test_they_are_described_without_what_is_kept() -> None:
    image = after(EMPTY_IMAGE, wish(), wish(mechanism=2), wish("bob"))
    assert [user for user, _ in describe_scram(image, None)] == ["alice", "bob"]
    found = dict(describe_scram(image, ["bob", "nobody", "alice", "alice"]))
    assert not isinstance(found["bob"], KafkaError) and list(found["bob"]) == [1]
    codes = {user: each.code for user, each in found.items() if isinstance(each, KafkaError)}
    assert codes == {
        "nobody": ErrorCode.RESOURCE_NOT_FOUND,
        "alice": ErrorCode.DUPLICATE_RESOURCE,
    }
