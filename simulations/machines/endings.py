"""What a process ended with: by itself, by a kill, or because its surroundings let it down."""

from __future__ import annotations

from typing import Final

import trio

from raftka.kraft.raft.journal import CorruptJournal
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.simulations.machines.life import Killed
from raftka.storage.meta_properties import BadDirectory

_EXPECTED: Final = (OSError, KafkaError, BadDirectory, CorruptJournal, BrokenConnection)


def split(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """(what trio needs to have back, what went wrong) of what a process ended with."""
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(trio.Cancelled)
        if rest is not None:
            rest = rest.split(Killed)[1]
        return cancelled, rest
    if isinstance(error, trio.Cancelled):
        return error, None
    return None, None if isinstance(error, Killed) else error


def leaves(error: BaseException) -> list[BaseException]:
    """The errors inside of groups of groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


def describe(error: BaseException) -> str:
    """What a process ended with, in one line."""
    return "; ".join(f"{type(leaf).__name__}: {leaf}" for leaf in leaves(error))


def is_refusal(error: BaseException) -> bool:
    """Whether a process ended because the world let it down, and it said so."""
    return all(isinstance(leaf, _EXPECTED) for leaf in leaves(error))


def is_gone(error: BaseException) -> bool:
    """Whether a process ended because the cluster does not know its broker any more."""
    found = leaves(error)
    unknown = ErrorCode.BROKER_ID_NOT_REGISTERED
    return all(isinstance(leaf, KafkaError) and leaf.code == unknown for leaf in found)
