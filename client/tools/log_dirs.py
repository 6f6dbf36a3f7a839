"""kafka-log-dirs: the sizes of replicas in the brokers' log directories, as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from raftka.client.admin import Admin, CleanerInfo, LogDirDescription
from raftka.client.tools.json_files import compact
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    admin_settings,
    require,
    whole_number,
)
from raftka.client.tools.running import run

options = Options(
    "kafka-log-dirs",
    "This tool helps to query log directory usage on the specified brokers.",
)
options.servers()
options.flag("--describe", help="Describe the log directories.")
options.text("--broker-list", metavar="IDS", help="Brokers, as 0,1,2; default: all.")
options.text("--topic-list", metavar="TOPICS", help="Topics, separated by commas; default: all.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "bootstrap-server", "describe")
    return found


def _list(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


async def _work(found: argparse.Namespace) -> None:
    topics = set(_list(found.topic_list))
    try:
        wanted = [whole_number(broker) for broker in _list(found.broker_list)]
    except ValueError:
        raise UsageError(f"--broker-list {found.broker_list}: it must be like 0,1,2") from None
    async with Admin(admin_settings(found)) as admin:
        existing = [node.id for node in (await admin.describe_cluster()).nodes]
        missing = [str(broker) for broker in wanted if broker not in existing]
        if missing:
            raise ToolError(
                f"The given brokers do not exist from --broker-list: {','.join(missing)}."
                f" Current existent brokers: {','.join(map(str, existing))}"
            )
        brokers = wanted or existing
        print("Querying brokers for log directories information")
        described = await admin.describe_log_dirs(brokers)
    print(
        f"Received log directory information from brokers {','.join(map(str, sorted(described)))}"
    )
    shown = [
        {"broker": broker, "logDirs": [_shown(directory, topics) for directory in directories]}
        for broker, directories in sorted(described.items())
    ]
    print(compact({"brokers": shown, "version": 1}))


def _cleaner(cleaner: CleanerInfo | None) -> dict[str, object]:
    """A key of raftka's own, for replicas of compacted topics; -1 and empty as in the answer."""
    if cleaner is None:
        return {}
    shown = {
        "dirtyBytes": cleaner.dirty_bytes,
        "blockedBytes": cleaner.blocked_bytes,
        "dirtyPercent": cleaner.dirty_percent,
        "cleanedTo": cleaner.cleaned_to,
        "lastRunMs": cleaner.last_run_ms,
        "blockedBy": cleaner.blocked_by,
        "uncleanable": cleaner.uncleanable,
    }
    return {"cleaner": shown}


def _shown(directory: LogDirDescription, topics: set[str]) -> dict[str, object]:
    return {
        "partitions": [
            {
                "partition": str(target),
                "size": replica.size,
                "offsetLag": replica.offset_lag,
                "isFuture": replica.is_future,
                **_cleaner(replica.cleaner),
            }
            for target, replica in directory.replicas.items()
            if not topics or target.topic in topics
        ],
        "error": None if directory.error is None else str(directory.error),
        "logDir": directory.path,
    }
