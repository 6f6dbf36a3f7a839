"""Patterns of topics and partitions, as in the tools' options."""

from __future__ import annotations

import re
from collections.abc import Callable

from raftka.client.tools.options import UsageError
from raftka.model.ids import TopicPartition


def topic_pattern(text: str) -> re.Pattern[str]:
    """A list of names or regular expressions, separated by commas; for `fullmatch`.

    Raises UsageError.
    """
    body = text.strip().replace(",", "|").replace(" ", "")
    body = re.sub(r"^[\"']+|[\"']+$", "", body)
    try:
        return re.compile(body)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"{text!r} is not a regular expression: {error}") from None


_PARTITION = re.compile(r"([^:,]*)(?::(?:([0-9]{0,10})|(?:([0-9]{0,10})-([0-9]{0,10}))))?")


def partition_filter(text: str) -> Callable[[TopicPartition], bool]:
    """topic, topic:3, topic:2-5, topic:2- or topic:-5; any topic without one. Raises UsageError."""
    match = _PARTITION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"Invalid rule specification: {text}")
    name, single, low, high = match.groups()
    pattern = topic_pattern(name) if name else re.compile(".*")

    def matches(target: TopicPartition) -> bool:
        if not pattern.fullmatch(target.topic):
            return False
        if single:
            return target.partition == int(single)
        above = not low or target.partition >= int(low)
        return above and (not high or target.partition < int(high))

    return matches
