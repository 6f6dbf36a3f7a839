"""Key of a transactional id's state in __transaction_state, preceded by the int16 0.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class TransactionLogKey(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = NEVER
    LAYOUT = ("transactional_id string",)
    __slots__ = ("transactional_id",)

    def __init__(
        self,
        *,
        transactional_id: str = "",
    ) -> None:
        self.transactional_id = transactional_id
