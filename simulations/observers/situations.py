"""Rare situations that a batch of runs should reach, and how to recognize them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from raftka.kraft.image import PartitionImage


def of_partition(before: PartitionImage, after: PartitionImage) -> Iterator[str]:
    """The situations that a change of a partition shows."""
    if len(after.isr) == 1 and len(after.replicas) > 1 and len(before.isr) > 1:
        yield "ISR of one"
    if before.has_leader and not after.has_leader:
        yield "partition without a leader"
    if after.elr and not before.elr:
        yield "ELR in use"
    if not before.has_leader and after.has_leader and after.leader in before.elr:
        yield "leader from the ELR"
    if after.leader_epoch > before.leader_epoch and before.is_reassigning:
        yield "election during reassignment"
    if before.is_reassigning and not after.is_reassigning:
        yield "reassignment finished"


def of_log_line(words: str, is_leaderless: Callable[[], bool]) -> Iterator[str]:
    """The situations that a log line shows; `is_leaderless`: some partition has no leader."""
    if words.startswith("truncating"):
        yield "follower truncated"
        if is_leaderless():
            yield "truncation during an election"
    elif "metadata snapshot loaded" in words:
        yield "metadata snapshot loaded"
    elif "wrote a snapshot" in words:
        yield "metadata snapshot written"
    elif "are not in the queue, and are archived" in words:
        yield "dead letter given up"
    elif "starting again" in words:
        yield "follower started again"
