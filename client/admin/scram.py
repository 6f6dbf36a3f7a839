"""SCRAM credentials of users (KIP-554): set, listed and removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import checked, error_of, raise_for
from raftka.client.given import names_in
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.scram import MIN_ITERATIONS, NUMBERS, salted_password
from raftka.net.protocol.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from raftka.net.protocol.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    UserName,
)

_NUMBER_OF: Final = {name: number for number, name in NUMBERS.items()}
_SALT_BYTES: Final = 24


class ScramPassword(NamedTuple):
    """A user's new password for one mechanism, SCRAM-SHA-256 or SCRAM-SHA-512."""

    user: str
    mechanism: str
    password: str
    iterations: int = MIN_ITERATIONS

    def __repr__(self) -> str:
        return f"ScramPassword({self.user!r}, {self.mechanism}, iterations={self.iterations})"


class ScramRemoval(NamedTuple):
    """The removal of a user's password for one mechanism."""

    user: str
    mechanism: str


async def describe_user_scram_credentials(
    admin: Calls, users: Iterable[str] = ()
) -> dict[str, dict[str, int]]:
    """The iterations by user and mechanism, of all users if none is named. Users without a password
    are left out. Raises KafkaError.
    """
    request = DescribeUserScramCredentialsRequest(
        users=[UserName(name=each) for each in names_in(users, "users")]
    )
    answer = await admin.ask(request)
    raise_for(answer.error_code, answer.error_message)
    found: dict[str, dict[str, int] | KafkaError] = {}
    for result in answer.results:
        error = error_of(result.error_code, result.error_message)
        if error is None:
            found[result.user] = {
                NUMBERS.get(each.mechanism, f"mechanism {each.mechanism}"): each.iterations
                for each in result.credential_infos
            }
        elif error.code != ErrorCode.RESOURCE_NOT_FOUND:
            found[result.user] = error
    return checked(found)


async def alter_user_scram_credentials(
    admin: Calls, changes: Iterable[ScramPassword | ScramRemoval]
) -> None:
    """Set and remove passwords; no password itself leaves this process. Raises SomeFailed, with
    outcomes by user; ValueError for an unknown mechanism.
    """
    request = AlterUserScramCredentialsRequest()
    for change in changes:
        number = _NUMBER_OF.get(change.mechanism)
        if number is None:
            raise ValueError(
                f"{change.mechanism} is not a mechanism of SCRAM: it must be one of"
                f" {', '.join(_NUMBER_OF)}"
            )
        if isinstance(change, ScramRemoval):
            request.deletions.append(ScramCredentialDeletion(name=change.user, mechanism=number))
            continue
        salt = admin.cluster.dice.randbytes(_SALT_BYTES)
        salted = salted_password(change.mechanism, change.password, salt, change.iterations)
        request.upsertions.append(
            ScramCredentialUpsertion(
                name=change.user,
                mechanism=number,
                iterations=change.iterations,
                salt=salt,
                salted_password=salted,
            )
        )
    answer = await admin.ask(request)
    outcomes: Mapping[str, KafkaError | None] = {
        result.user: error_of(result.error_code, result.error_message) for result in answer.results
    }
    checked(outcomes)
