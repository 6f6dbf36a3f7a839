"""kafka-delegation-tokens: create, renew, expire and describe delegation tokens (KIP-48)."""

from __future__ import annotations

import argparse
import binascii
import time
from base64 import b64decode
from collections.abc import Iterable, Sequence
from typing import Final

from raftka.client.admin import Admin
from raftka.client.admin.tokens import Token
from raftka.client.tools.options import (
    Options,
    UsageError,
    admin_settings,
    exclude,
    given,
    require,
)
from raftka.client.tools.running import run
from raftka.model.access import Principal

_ACTIONS: Final = ("create", "renew", "expire", "describe")
_NEEDS: Final = {
    "create": ("max-life-time-period",),
    "renew": ("hmac", "renew-time-period"),
    "expire": ("hmac", "expiry-time-period"),
    "describe": (),
}
_EXCLUDES: Final = {
    "create": ("hmac", "renew-time-period", "expiry-time-period"),
    "renew": (
        *("renewer-principal", "max-life-time-period", "expiry-time-period", "owner-principal"),
    ),
    "expire": ("renew-time-period", "max-life-time-period", "owner-principal"),
    "describe": ("renew-time-period", "max-life-time-period", "hmac", "expiry-time-period"),
}
_ROW: Final = "\n%-15s %-30s %-15s %-15s %-25s %-15s %-15s %-15s"
_TITLES: Final = (
    *("TOKENID", "HMAC", "OWNER", "REQUESTER", "RENEWERS", "ISSUEDATE", "EXPIRYDATE", "MAXDATE"),
)
_HIGHEST_BITS: Final = 64

options = Options(
    "kafka-delegation-tokens",
    "This tool helps to create, renew, expire, or describe delegation tokens.",
)
options.servers()
options.flag("--create", help="Create a token.")
options.flag("--renew", help="Make a token last longer.")
options.flag("--expire", help="End a token, at once or sooner than it would.")
options.flag("--describe", help="Show tokens: yours, and those that you may see.")
options.many("--owner-principal", metavar="TYPE:NAME", help="Whose token, or whose tokens.")
options.many(
    "--renewer-principal", metavar="TYPE:NAME", help="Another principal that may renew the token."
)
options.number(
    "--max-life-time-period",
    bits=_HIGHEST_BITS,
    metavar="MS",
    help="How long it can be renewed; -1 for as long as the cluster allows.",
)
options.number(
    "--renew-time-period",
    bits=_HIGHEST_BITS,
    metavar="MS",
    help="How long from now; -1 for as long as the cluster gives.",
)
options.number(
    "--expiry-time-period",
    bits=_HIGHEST_BITS,
    metavar="MS",
    help="How long from now; -1 ends it at once.",
)
options.text("--hmac", metavar="BASE64", help="The HMAC of the token, as --create shows it.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    actions = given(found, *_ACTIONS)
    if len(actions) != 1:
        raise UsageError(
            "Command must include exactly one action: --create, --renew, --expire or --describe"
        )
    (action,) = actions
    require(found, "bootstrap-server", "command-config")
    require(found, *_NEEDS[action])
    exclude(found, action, *_EXCLUDES[action])
    found.owner_principal = [_principal(each) for each in found.owner_principal]
    found.renewer_principal = [_principal(each) for each in found.renewer_principal]
    if found.hmac is not None:
        try:
            found.hmac_bytes = b64decode(found.hmac, validate=True)
        except (binascii.Error, ValueError) as error:
            raise UsageError("--hmac is not base64: give the HMAC that --create showed") from error
    return found


def _principal(text: str) -> Principal:
    kind, colon, name = text.strip().partition(":")
    if not colon or not kind:
        raise UsageError(f"expected a string in format principalType:principalName but got {text}")
    return Principal(kind, name)


async def _work(found: argparse.Namespace) -> None:
    async with Admin(admin_settings(found)) as admin:
        if found.create:
            await _create(admin, found)
        elif found.describe:
            await _describe(admin, found.owner_principal)
        elif found.renew:
            period_ms = found.renew_time_period
            print(
                f"Calling renew token operation with hmac :{found.hmac} , renew-time-period"
                f" :{period_ms}"
            )
            until_ms = await admin.renew_delegation_token(found.hmac_bytes, period_ms)
            print(f"Completed renew operation. New expiry date : {_date(until_ms)}")
        else:
            period_ms = found.expiry_time_period
            print(
                f"Calling expire token operation with hmac :{found.hmac} , expire-time-period"
                f" :{period_ms}"
            )
            until_ms = await admin.expire_delegation_token(found.hmac_bytes, period_ms)
            print(f"Completed expire operation. New expiry date : {_date(until_ms)}")


async def _create(admin: Admin, found: argparse.Namespace) -> None:
    renewers, longest_ms = found.renewer_principal, found.max_life_time_period
    print(
        f"Calling create token operation with renewers :{_listed(renewers)} , max-life-time-period"
        f" :{longest_ms}"
    )
    owner = found.owner_principal[0] if found.owner_principal else None
    token = await admin.create_delegation_token(
        owner=owner, renewers=renewers, max_lifetime_ms=longest_ms
    )
    print(f"Created delegation token with tokenId : {token.token_id}")
    _print([token])


async def _describe(admin: Admin, owners: list[Principal]) -> None:
    if owners:
        print(f"Calling describe token operation for owners: {_listed(owners)}")
    else:
        print("Calling describe token operation for current user.")
    tokens = await admin.describe_delegation_tokens(owners or None)
    print(f"Total number of tokens : {len(tokens)}", end="")
    _print(tokens)


def _print(tokens: Iterable[Token]) -> None:
    print(_ROW % _TITLES)
    for token in tokens:
        print(
            _ROW
            % (
                token.token_id,
                token.password,
                token.owner,
                token.requester,
                _listed(token.renewers),
                _date(token.issued_ms),
                _date(token.expires_ms),
                _date(token.max_ms),
            )
        )


def _listed(principals: Iterable[Principal]) -> str:
    return f"[{', '.join(map(str, principals))}]"


def _date(at_ms: int) -> str:
    """A time in the layout of Kafka's tool, in this machine's time zone."""
    return time.strftime("%Y-%m-%dT%H:%M", time.localtime(at_ms / 1000))
