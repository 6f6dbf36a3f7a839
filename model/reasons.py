"""Why something was decided: a code with its parameters, and the same in words.

    Why("broker-silent", broker=3, timeout_ms=9000)

is the text "broker 3 was fenced: not heard for 9000 ms", and knows what it was made of, so that
another program can say it in another language. The code is also how a trace finds the line that
decides and the rule that it follows.

A reason of two is a cause and what follows from it: its code is "broker-silent.first-of-isr".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from raftka.model.named_tuple import NamedTuple

Packed = tuple[Any, ...]
"""A reason in records: (code, ((name, value), ...)), or () for none."""
NO_REASON: Final[Packed] = ()


class Sentence(NamedTuple):
    """The text of a code, and the source of its rule."""

    words: str
    rule: str


SENTENCES: Final[Mapping[str, Sentence]] = {
    # Causes of the controller's decisions.
    "new-partition": Sentence("new partition", "KIP-631"),
    "broker-silent": Sentence(
        "broker {broker} was fenced: not heard for {timeout_ms} ms", "KIP-631"
    ),
    "broker-gone": Sentence(
        "broker {broker} was fenced: its connection broke and nothing listens at {where}", "KIP-631"
    ),
    "broker-absent": Sentence(
        "broker {broker} was fenced: it is not connected and nothing listens at {where}", "KIP-631"
    ),
    "broker-asked": Sentence("broker {broker} asked to be fenced", "KIP-631"),
    "broker-shut-down": Sentence("broker {broker} has shut down", "KIP-631"),
    "broker-shutting-down": Sentence("broker {broker} is shutting down", "KIP-631"),
    "broker-back": Sentence("broker {broker} is back", "KIP-631"),
    "broker-restarted": Sentence("broker {broker} restarted", "KIP-631"),
    "broker-restarted-uncleanly": Sentence(
        "broker {broker} restarted after an unclean shutdown", "KIP-966"
    ),
    "broker-has-another-disk": Sentence(
        "broker {broker} restarted with another disk", "KIP-858, KIP-966"
    ),
    "broker-unregistered": Sentence("broker {broker} was unregistered", "KIP-631"),
    "directory-offline": Sentence("a log directory of broker {broker} is offline", "KIP-858"),
    "directory-changed": Sentence(
        "broker {broker} has put its replica into another log directory", "KIP-858"
    ),
    "asked-preferred": Sentence("preferred election was asked for", "KIP-460"),
    "asked-unclean": Sentence("unclean election was asked for", "KIP-460"),
    "rebalance": Sentence(
        "preferred leader rebalance", "Kafka's documentation, section Balancing leadership"
    ),
    "unclean-allowed": Sentence("unclean.leader.election.enable is set", "KIP-106"),
    "min-isr-changed": Sentence("min.insync.replicas is now {min_isr}", "KIP-966"),
    "reassignment-began": Sentence("a reassignment began", "KIP-455"),
    "reassignment-cancelled": Sentence("the reassignment was cancelled", "KIP-455"),
    "reassignment-complete": Sentence("its reassignment is complete", "KIP-455"),
    "isr-changed-by-leader": Sentence("its leader changed the ISR", "KIP-497"),
    "isr-shrunk-by-leader": Sentence(
        "its leader {by} has taken {removed} out: not caught up for replica.lag.time.max.ms",
        "KIP-16, KIP-497",
    ),
    "isr-expanded-by-leader": Sentence(
        "its leader {by} has let {added} in: caught up to the high watermark", "KIP-497, KIP-903"
    ),
    # Their consequences.
    "preferred-new": Sentence("{leader} is the preferred replica", "KIP-631"),
    "live-new": Sentence("{leader} is the first live replica", "KIP-631"),
    "preferred-in-sync": Sentence("{leader} is the preferred replica, and in sync", "KIP-460"),
    "goes-on": Sentence("{leader} goes on leading", "KIP-631"),
    "preferred-of-isr": Sentence("{leader} is the preferred replica of the ISR {isr}", "KIP-631"),
    "first-of-isr": Sentence("{leader} is the first live replica of the ISR {isr}", "KIP-631"),
    "of-elr": Sentence(
        "the ISR is empty; {leader}, of the ELR {elr}, has every committed record", "KIP-966"
    ),
    "last-known": Sentence(
        "ISR and ELR are empty after unclean shutdowns; {leader} is the last that is known to have"
        " had everything (what it had not synced may be lost)",
        "KIP-966",
    ),
    "any-live": Sentence(
        "unclean election: {leader} is alive but may lack committed records", "KIP-106"
    ),
    "fewer-replicas": Sentence("a new epoch for fewer replicas", "KIP-455"),
    "nobody-live": Sentence(
        "no live replica has every committed record; waiting for one of {waiting}", "KIP-966"
    ),
    "nobody-known": Sentence(
        "ISR and ELR are empty after unclean shutdowns; waiting for {waiting}", "KIP-966"
    ),
    "nobody-left": Sentence(
        "no replica is left that had every committed record; only an unclean election"
        " (kafka-leader-election --election-type unclean) can bring the partition back",
        "KIP-966",
    ),
    # The quorum.
    "link-broke": Sentence("the leader's link broke", "Raft, section 5.2"),
    "leader-resigned": Sentence("its leader, {leader}, resigned", "KIP-595"),
    "leader-silent": Sentence("no word from a leader", "Raft, section 5.2"),
    "majority": Sentence("{votes} are a majority of the voters", "Raft, section 5.2"),
    "vote-granted": Sentence(
        "{candidate} asked first in term {term}, and its log lacks nothing",
        "Raft, sections 5.2 and 5.4.1",
    ),
    # Logs.
    "diverged": Sentence(
        "the leader's log has no records of leader epoch {leader_epoch} from {offset} on",
        "KIP-101, KIP-279",
    ),
    "torn-end": Sentence(
        "this node was not closed cleanly, and its log has no whole batch at {offset}",
        "Kafka's documentation, section Log, Guarantees",
    ),
    "quorum-diverged": Sentence(
        "the quorum's leader has another entry at {index}", "Raft, section 5.3"
    ),
}


class Why(str):
    """A reason in words, with its code and parameters."""

    code: str
    values: Mapping[str, Any]

    __slots__ = ("code", "values")

    def __new__(cls, code: str, **values: Any) -> Why:
        """Raises KeyError for an unknown code, or a missing parameter."""
        shown = {name: _shown(value) for name, value in values.items()}
        self = super().__new__(cls, SENTENCES[code].words.format_map(shown))
        self.code, self.values = code, values
        return self

    def therefore(self, verdict: Why) -> Why:
        """Combine this cause with a consequence."""
        both = str.__new__(Why, f"{self}: {verdict}")
        both.code, both.values = f"{self.code}.{verdict.code}", {**self.values, **verdict.values}
        return both

    def packed(self) -> Packed:
        """As records hold it."""
        return (self.code, tuple(self.values.items()))


def _shown(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def unpacked(packed: Packed) -> Why | None:
    """The reason in a record; None if it has none, or one of another release."""
    if not packed:
        return None
    code, pairs = packed
    first, _, second = code.partition(".")
    try:
        found = Why(first, **dict(pairs))
        return found.therefore(Why(second, **dict(pairs))) if second else found
    except KeyError:
        return None


def rule_of(code: str) -> str:
    """The KIP or paper behind a decision: for a combined reason, that of the consequence."""
    sentence = SENTENCES.get(code.rpartition(".")[2])
    return "" if sentence is None else sentence.rule
