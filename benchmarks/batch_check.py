"""The cost of validating batches before they are stored: the leader's checks with and without.

    python -m benchmarks.batch_check

"checks" is all work of `storage/leader_checks.py` on a batch, "looks" its validation of records,
"CRC" the checksum alone: measured in turns in one process, CPU only. The checksum is the yardstick,
since machines and times differ: it is a twentieth of a broker's whole work for a batch of 128 KB.
Calls are counted, too, which are the same everywhere.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final
from unittest import mock

from raftka.model import record_check
from raftka.model.crc import crc32c
from raftka.model.ids import TopicPartition
from raftka.model.record_check import Shape
from raftka.model.records import Record, encode_batch
from raftka.storage import leader_checks
from raftka.storage.admission import Admission
from raftka.storage.config import LogConfig
from raftka.storage.leader_checks import LeaderChecks

NOW_MS: Final = 1_700_000_000_000
ROUNDS: Final = 7
HEADERS: Final = [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-01"), ("kind", b"7")]

LAYOUTS: Final[dict[str, tuple[int, int, str, bool]]] = {
    "one record of 100 B": (1, 100, "none", False),
    "one record, two headers": (1, 100, "none", True),
    "128 KB of 1 KB records": (128, 1012, "none", False),
    "128 KB of 1 KB records, headers": (120, 1012, "none", True),
    "128 KB of 100 B records": (1190, 100, "none", False),
    "128 KB of 10 B records": (7000, 10, "none", False),
    "128 KB lz4": (128, 1012, "lz4", False),
    "128 KB zstd": (128, 1012, "zstd", False),
    "128 KB gzip": (128, 1012, "gzip", False),
    "128 KB snappy": (128, 1012, "snappy", False),
}


def made(count: int, size: int, codec: str, with_headers: bool) -> memoryview:
    """A batch of random letters, which compress to three quarters."""
    return memoryview(
        bytearray(
            encode_batch(
                [
                    Record(0, NOW_MS, b"k%d" % n, os.urandom(size // 2).hex().encode())
                    if not with_headers
                    else Record(0, NOW_MS, None, os.urandom(size // 2).hex().encode(), HEADERS)
                    for n in range(count)
                ],
                compression=codec,
            )
        )
    )


def cpu_us(action: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - began) / times * 1e6


def calls_of(action: Callable[[], object]) -> int:
    """Python and C functions that one call of `action` calls."""
    found = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal found
        found += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return found - 2  # the action itself and the end of the profile


@contextmanager
def without_a_look() -> Iterator[None]:
    """Checks that believe the header."""
    with (
        mock.patch.object(Admission, "admit", _believe),
        mock.patch.object(leader_checks, "newest_delta", _none_newer),
        mock.patch.object(leader_checks, "SHAPES", _AnyShape()),
    ):
        yield


def _believe(_: object, view: memoryview, header: object, now_ms: int) -> tuple[object, int, int]:
    return view, NOW_MS, -1


def _none_newer(batch: memoryview) -> int:
    return 0


class _AnyShape(dict[bytes, Shape]):
    """A shape whose bytes all are the first of the batch's base offset, which is 0."""

    def __missing__(self, head: bytes) -> Shape:
        return -1, 0, 0, 0, 0, 0


def main() -> None:
    checks = LeaderChecks(TopicPartition("t", 0), LogConfig())
    print(f"compiled pass: {'yes' if record_check.compiled_walk() else 'no'}")
    print(f"{'':34} {'checks':>10} {'looks':>10} {'per record':>11} {'CRC':>9} {'calls':>6}")
    for name, (count, size, codec, with_headers) in LAYOUTS.items():
        data = made(count, size, codec, with_headers)

        def check(batch: memoryview = data) -> object:
            return checks.accept(batch, NOW_MS + 1000, True)

        times = 20_000 if count == 1 else 300
        cpu_us(check, times)
        whole, bare, sums = [], [], []
        for _ in range(ROUNDS):
            whole.append(cpu_us(check, times))
            sums.append(cpu_us(lambda batch=data: crc32c(batch), times))  # type: ignore[misc]
            with without_a_look():
                bare.append(cpu_us(check, times))
        looks = min(whole) - min(bare)
        # The stand-in for the check of one record costs as much as the check.
        share = (
            f"{looks:7.2f} µs {looks / count * 1000:8.0f} ns" if count > 1 else f"{'in line':>22}"
        )
        print(f"{name:34} {min(whole):7.2f} µs {share} {min(sums):6.2f} µs {calls_of(check):6}")


if __name__ == "__main__":
    main()
