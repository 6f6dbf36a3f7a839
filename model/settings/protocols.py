"""Settings of unsupported protocols, accepted so that Apache Kafka's files work unchanged."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
    INT,
    READ_ONLY,
    at_least,
    without_effect,
)
from raftka.model.settings.setting import Setting

# fmt: off
PROTOCOL_SETTINGS: Final[tuple[Setting, ...]] = (
    *without_effect("each transaction has a timer of its own, so there is no periodic scan", (
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms", INT,
         10000, at_least(1), READ_ONLY),
    )),
    *without_effect("a coordinator reads its log in pieces of 256 KB", (
        ("transaction.state.log.load.buffer.size", INT, 5242880, at_least(1), READ_ONLY),
    )),
    *without_effect("two-phase commit (KIP-939) is not served", (
        ("transaction.two.phase.commit.enable", BOOLEAN, False, None, READ_ONLY),
    )),
)
# fmt: on
