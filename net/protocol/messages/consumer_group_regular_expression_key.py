"""Key of the topics of a consumer group's regular expression in __consumer_offsets, preceded by the
int16 16.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import NEVER, Message


class ConsumerGroupRegularExpressionKey(Message):
    VALID_VERSIONS = (16, 16)
    FLEXIBLE_FROM = NEVER
    LAYOUT = (
        "group_id string",
        "regular_expression string",
    )
    __slots__ = (
        "group_id",
        "regular_expression",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        regular_expression: str = "",
    ) -> None:
        self.group_id = group_id
        self.regular_expression = regular_expression
