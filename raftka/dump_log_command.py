"""`raftka dump-log` (kafka-dump-log): prints log files, with Kafka's options and layout."""

from __future__ import annotations

import argparse
import os
import struct
import sys
from typing import Final

from raftka.model.errors import KafkaError
from raftka.offsets_decoder import decode_offsets
from raftka.storage.dump import decode_text, dump
from raftka.storage.dump_entries import Decoder, DumpOptions, Findings
from raftka.storage.posix import PosixDisk
from raftka.transactions_decoder import decode_transactions

_NOT_HERE: Final = {
    "cluster_metadata_decoder": "the metadata log has a format of its own: use raftka metadata",
    "remote_log_metadata_decoder": "there is no tiered storage",
    "share_group_state_decoder": "share groups are not served yet",
}


def main(argv: list[str]) -> int:
    """Dump the files; the exit code."""
    options = _parser().parse_args(argv)
    for name, reason in _NOT_HERE.items():
        if getattr(options, name):
            print(f"--{name.replace('_', '-')}: {reason}", file=sys.stderr)
            return 1
    decoder: Decoder = decode_text
    if options.transaction_log_decoder:
        decoder = decode_transactions
    elif options.offsets_decoder:
        decoder = decode_offsets
    wanted = DumpOptions(
        deep=options.deep_iteration,
        data=decoder is not decode_text or options.print_data_log,
        record_metadata=not options.skip_record_metadata,
        verify_only=options.verify_index_only,
        sanity_check=options.index_sanity_check,
        max_bytes=options.max_bytes,
        decoder=decoder,
        folder=os.getcwd(),
    )
    findings, disk = Findings(), PosixDisk()
    for path in filter(None, options.files.split(",")):
        try:
            for line in dump(disk, path, wanted, findings):
                print(line)
        except BrokenPipeError:
            raise
        except OSError as error:
            findings.fail(f"{error.filename or path}: {error.strerror}")
        except KafkaError as error:
            findings.fail(f"{path}: {error.message}")
        except (ArithmeticError, LookupError, ValueError, struct.error) as error:
            # The bytes may be anything: whatever error they cause, go on with the other files.
            findings.fail(f"{path}: its bytes are not what its name says ({error})")
    for line in findings.lines:
        print(line, file=sys.stderr)
    return 1 if findings.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kafka-dump-log",
        description="Print log segments, indexes and snapshots, to see what is wrong with them.",
    )
    parser.add_argument("--files", required=True, help="the files, separated by commas")
    parser.add_argument("--print-data-log", action="store_true", help="keys and payloads too")
    parser.add_argument(
        "--deep-iteration", action="store_true", help="each record, not only batches"
    )
    parser.add_argument(
        "--skip-record-metadata", action="store_true", help="only keys and payloads of records"
    )
    parser.add_argument(
        "--offsets-decoder", action="store_true", help="records of __consumer_offsets, as JSON"
    )
    parser.add_argument(
        "--transaction-log-decoder",
        action="store_true",
        help="records of __transaction_state, as JSON",
    )
    parser.add_argument(
        "--verify-index-only", action="store_true", help="compare indexes with logs, print nothing"
    )
    parser.add_argument(
        "--index-sanity-check", action="store_true", help="the check of an index that a start does"
    )
    parser.add_argument("--max-bytes", type=int, default=2**31 - 1, help="read at most this much")
    parser.add_argument("--max-message-size", type=int, help=argparse.SUPPRESS)
    for ignored in ("--key-decoder-class", "--value-decoder-class"):
        parser.add_argument(ignored, help=argparse.SUPPRESS)
    for name in _NOT_HERE:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, action="store_true", help=argparse.SUPPRESS)
    return parser
