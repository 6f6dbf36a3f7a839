"""Setting and deleting the SCRAM credentials of users (KIP-554). Pure decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from raftka.kraft.controller.result import Result
from raftka.kraft.image import MetadataImage
from raftka.kraft.records import (
    MetadataRecord,
    RemoveUserScramCredentialRecord,
    UserScramCredentialRecord,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.scram import (
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    NUMBERS,
    ScramCredential,
    credential_of,
)


class ScramDeletion(NamedTuple):
    """Deletes a user's credential for one mechanism."""

    user: str
    mechanism: int


class ScramUpsertion(NamedTuple):
    """Sets or replaces a user's credential for one mechanism."""

    user: str
    mechanism: int
    iterations: int
    salt: bytes
    salted_password: bytes


ScramWish = ScramDeletion | ScramUpsertion


def alter_scram(
    image: MetadataImage, wishes: Sequence[ScramWish]
) -> Result[dict[str, KafkaError | None]]:
    """Change credentials; all changes of a user succeed, or none. One result for each user."""
    times = Counter((each.user, each.mechanism) for each in wishes)
    answers: dict[str, KafkaError | None] = {}
    for wish in wishes:
        failure = _flaw(image, wish, times[wish.user, wish.mechanism])
        answers[wish.user] = answers.get(wish.user) or failure
    records: list[MetadataRecord] = [_record(wish) for wish in wishes if answers[wish.user] is None]
    return Result(records, answers)


def describe_scram(
    image: MetadataImage, users: Sequence[str] | None
) -> Iterator[tuple[str, Mapping[int, ScramCredential] | KafkaError]]:
    """The credentials by user and mechanism; of all users for None."""
    known: dict[str, dict[int, ScramCredential]] = {}
    for (user, mechanism), credential in image.scram.items():
        known.setdefault(user, {})[mechanism] = credential
    if users is None or not users:
        yield from known.items()
        return
    for user, times in Counter(users).items():
        if times > 1:
            words = (
                "Cannot describe SCRAM credentials for the same user twice in a single request:"
                f" {user}"
            )
            yield user, KafkaError(ErrorCode.DUPLICATE_RESOURCE, words)
        elif user not in known:
            words = f"Attempt to describe a user credential that does not exist: {user}"
            yield user, KafkaError(ErrorCode.RESOURCE_NOT_FOUND, words)
        else:
            yield user, known[user]


def _flaw(image: MetadataImage, wish: ScramWish, times: int) -> KafkaError | None:
    """Why a change is invalid; the texts are Kafka's."""
    if not wish.user:
        return KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Username must not be empty")
    if wish.mechanism not in NUMBERS:
        return KafkaError(ErrorCode.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism")
    if isinstance(wish, ScramDeletion):
        if (wish.user, wish.mechanism) not in image.scram:
            words = "Attempt to delete a user credential that does not exist"
            return KafkaError(ErrorCode.RESOURCE_NOT_FOUND, words)
        return _repeated(times)
    if not MIN_ITERATIONS <= wish.iterations <= MAX_ITERATIONS:
        words = "Too few iterations" if wish.iterations < MIN_ITERATIONS else "Too many iterations"
        return KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, words)
    if not wish.salt or not wish.salted_password:
        words = "Salt and salted password must not be empty"
        return KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, words)
    return _repeated(times)


def _repeated(times: int) -> KafkaError | None:
    """Kafka looks for repetitions among the wishes that could be granted."""
    if times == 1:
        return None
    words = "A user credential cannot be altered twice in the same request"
    return KafkaError(ErrorCode.DUPLICATE_RESOURCE, words)


def _record(wish: ScramWish) -> MetadataRecord:
    if isinstance(wish, ScramDeletion):
        return RemoveUserScramCredentialRecord(wish.user, wish.mechanism)
    credential = credential_of(
        NUMBERS[wish.mechanism], wish.salted_password, wish.salt, wish.iterations
    )
    return UserScramCredentialRecord(wish.user, wish.mechanism, *credential)
