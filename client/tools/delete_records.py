"""kafka-delete-records: delete the records of partitions before given offsets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from raftka.client.admin import Admin, SomeFailed
from raftka.client.tools.json_files import partition_entries
from raftka.client.tools.options import (
    Options,
    ToolError,
    admin_settings,
    require,
    whole_number,
)
from raftka.client.tools.running import run, words
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition

options = Options(
    "kafka-delete-records",
    "This tool helps to delete records of the given partitions down to the specified offset.",
)
options.servers()
options.text(
    "--offset-json-file",
    metavar="FILE",
    help='{"partitions": [{"topic": "foo", "partition": 1, "offset": 1}], "version": 1}',
)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "bootstrap-server", "offset-json-file")
    return found


async def _work(found: argparse.Namespace) -> int:
    offsets: dict[TopicPartition, int] = {}
    for target, entry in partition_entries(found.offset_json_file):
        try:
            offsets[target] = whole_number(str(entry["offset"]), 64)
        except (KeyError, TypeError, ValueError):
            raise ToolError(f"{found.offset_json_file}: {target} has no offset") from None
    async with Admin(admin_settings(found)) as admin:
        print("Executing records delete operation")
        try:
            outcomes: dict[TopicPartition, object] = dict(await admin.delete_records(offsets))
        except SomeFailed as error:
            outcomes = dict(error.outcomes)
        print("Records delete operation completed:")
        for target, outcome in outcomes.items():
            if isinstance(outcome, KafkaError):
                print(f"partition: {target}\terror: {words(outcome)}")
            else:
                print(f"partition: {target}\tlow_watermark: {outcome}")
    return 0
