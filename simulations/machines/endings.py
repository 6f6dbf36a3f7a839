"""Why a process ended: by itself, killed, or because its disk or network failed."""

from __future__ import annotations

from typing import Final

import trio

from raftka.kraft.raft.journal import CorruptJournal
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection
from raftka.simulations.machines.life import Killed
from raftka.storage.meta_properties import BadDirectory

_EXPECTED: Final = (OSError, KafkaError, BadDirectory, CorruptJournal, BrokenConnection)


def split(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """(exceptions for trio, other errors) of a process's end."""
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(trio.Cancelled)
        if rest is not None:
            rest = rest.split(Killed)[1]
        return cancelled, rest
    if isinstance(error, trio.Cancelled):
        return error, None
    return None, None if isinstance(error, Killed) else error


def leaves(error: BaseException) -> list[BaseException]:
    """The errors inside nested exception groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


def describe(error: BaseException) -> str:
    """Why a process ended, in one line."""
    return "; ".join(f"{type(leaf).__name__}: {leaf}" for leaf in leaves(error))


def is_refusal(error: BaseException) -> bool:
    """Whether a process ended because of a fault around it, and logged that."""
    return all(isinstance(leaf, _EXPECTED) for leaf in leaves(error))
