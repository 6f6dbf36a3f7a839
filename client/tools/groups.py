"""kafka-groups: list the groups of all types; raftka's own `why GROUP`: what a group waits for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from raftka.client.admin import Admin, GroupListing
from raftka.client.tools.options import Options, UsageError, admin_settings, given, require
from raftka.client.tools.running import run
from raftka.client.tools.tables import Column, lines

_TYPES = ("classic", "consumer", "share", "streams")
_CONSUMER_PROTOCOLS = ("consumer", "")

options = Options("kafka-groups", "This tool helps to list groups of all types.")
options.servers()
options.flag("--list", help="List the groups.")
options.text("--group-type", metavar="TYPE", help=f"Only this type: {', '.join(_TYPES)}.")
options.text("--protocol", metavar="PROTOCOL", help="Only this protocol type.")
options.flag("--consumer", help="Only consumer groups of all kinds, simple ones as well.")
options.flag("--share", help="Only share groups.")
options.flag("--streams", help="Only streams groups.")


def main(argv: Sequence[str]) -> int:
    if argv[:1] == ["why"]:
        from raftka.client.tools import group_reasons

        return group_reasons.main(argv[1:])
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if not found.list:
        raise UsageError("Command must include exactly one action: --list.")
    require(found, "bootstrap-server")
    kinds = given(found, "consumer", "share", "streams")
    if len(kinds) > 1 or (kinds and (found.group_type or found.protocol)):
        raise UsageError(
            "--consumer, --share and --streams go neither together nor with --group-type or"
            " --protocol"
        )
    if found.group_type is not None and found.group_type.lower() not in _TYPES:
        raise UsageError(
            f"{found.group_type} is not a type of group: it must be one of {', '.join(_TYPES)}"
        )
    return found


async def _work(found: argparse.Namespace) -> None:
    async with Admin(admin_settings(found)) as admin:
        rows = [
            [listing.group_id, listing.type.capitalize(), listing.protocol_type]
            for listing in await admin.list_groups()
            if _wanted(listing, found)
        ]
    columns = [Column("GROUP", 20, grows=True), Column("TYPE", 20), Column("PROTOCOL", 20)]
    print("\n".join(lines(columns, rows)))


def _wanted(listing: GroupListing, found: argparse.Namespace) -> bool:
    kind = listing.type.lower() or "classic"
    if found.consumer:
        classic = kind == "classic" and listing.protocol_type in _CONSUMER_PROTOCOLS
        return classic or kind == "consumer"
    if found.share or found.streams:
        return kind == ("share" if found.share else "streams")
    if found.group_type is not None and kind != found.group_type.lower():
        return False
    return found.protocol is None or listing.protocol_type == found.protocol
