"""Replaces segments with cleaned ones, and recovers from a crash in between.

    1. The job has written X.log.cleaned and its indexes, durably. A crash now: they are removed.
    2. They are renamed to .swap, the log last. While any .cleaned is left: both kinds are removed.
    3. The old segments are renamed to .deleted, and the .swap files to their final names, the log
       last. Once X.log.swap exists, a restart resumes here.

Until 3 begins, all old files exist; once the names of 2 are durable, all new ones do. Source: the
names, and which of two generations wins, are Apache Kafka's, so that either program can start with
the other's files.
"""

from __future__ import annotations

import re
from typing import Final

from raftka.model.ports import Disk
from raftka.model.record_batch import HEADER, HEADER_BYTES, BatchHeader
from raftka.storage.segment import file_name

CLEANED: Final = ".cleaned"
SWAP: Final = ".swap"

_KINDS: Final = (".index", ".timeindex", ".txnindex", ".log")
"""The log is last: once it exists, so do the others."""

_NAME: Final = re.compile(r"(\d{20})(\.log|\.index|\.timeindex|\.txnindex)(\.cleaned|\.swap)")


def prepare(disk: Disk, directory: str, base_offset: int) -> None:
    """Do step 2, without making the names durable."""
    _rename(disk, directory, base_offset, CLEANED, SWAP)


def finish(disk: Disk, directory: str, base_offset: int) -> None:
    """Do the end of step 3: the old segment of that name is removed already."""
    _rename(disk, directory, base_offset, SWAP, "")


def abandon(disk: Disk, directory: str, base_offset: int) -> None:
    """Remove the prepared files, the log first, so that no restart resumes the swap."""
    for kind in reversed(_KINDS):
        for ending in (SWAP, CLEANED):
            path = f"{directory}/{file_name(base_offset, kind)}{ending}"
            if disk.exists(path):
                disk.remove(path)


def _rename(disk: Disk, directory: str, base_offset: int, old: str, new: str) -> None:
    for kind in _KINDS:
        path = f"{directory}/{file_name(base_offset, kind)}"
        if disk.exists(path + old):
            disk.rename(path + old, path + new)


def recover(disk: Disk, directory: str, *, finishes: bool = True) -> list[str]:
    """Finish the swaps that a crash interrupted, remove the others, and return a message for each.

    `finishes=False` removes them all, including the segments to replace: only in simulations.
    """
    found = [
        (int(matched[1]), matched[2], matched[3])
        for name in disk.list_dir(directory)
        if (matched := _NAME.fullmatch(name)) is not None
    ]
    if not found:
        return []
    unfinished = min((base for base, _, ending in found if ending == CLEANED), default=None)
    said: list[str] = []
    for base in sorted({base for base, _, _ in found}):
        if unfinished is not None and base >= unfinished:
            abandon(disk, directory, base)
            continue
        if not finishes or not disk.exists(f"{directory}/{file_name(base, '.log')}{SWAP}"):
            abandon(disk, directory, base)  # its log was renamed already, or given up
            continue
        gone = _remove_replaced(disk, directory, base)
        finish(disk, directory, base)
        said.append(
            f"put the cleaned segment {base} in the place of {gone}: a crash had interrupted that"
        )
    disk.sync_dir(directory)
    return said


def _remove_replaced(disk: Disk, directory: str, base_offset: int) -> list[int]:
    """Remove the segments that a .swap file replaces: those whose base offsets are in its range."""
    end = _end_of(disk, f"{directory}/{file_name(base_offset, '.log')}{SWAP}", base_offset)
    gone = []
    for name in disk.list_dir(directory):
        stem, _, suffix = name.partition(".")
        if suffix != "log" or not stem.isdigit():
            continue
        base = int(stem)
        if base == base_offset or base_offset < base < end:
            gone.append(base)
    for base in gone:
        for kind in _KINDS:
            path = f"{directory}/{file_name(base, kind)}"
            if disk.exists(path):
                disk.remove(path)
    return gone


def _end_of(disk: Disk, path: str, base_offset: int) -> int:
    """The offset after the last batch in a segment's file."""
    file = disk.open(path)
    try:
        size, position, end = file.size(), 0, base_offset
        while position + HEADER_BYTES <= size:
            header = BatchHeader._make(HEADER.unpack(file.read(HEADER_BYTES, position)))
            if header.size < HEADER_BYTES:
                break
            end = header.next_offset
            position += header.size
        return end
    finally:
        file.close()


def discard(disk: Disk, directory: str) -> None:
    """Remove the files of an aborted cleaning."""
    if disk.exists(directory):
        for name in disk.list_dir(directory):
            if name.endswith(CLEANED):
                disk.remove(f"{directory}/{name}")
