"""Topics that a request names by id: sets their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from raftka.broker.request import Context


class Named(Protocol):
    """A topic of a request that has an id in newer versions, and a name in older ones."""

    name: str
    topic_id: bytes


T = TypeVar("T", bound=Named)


def name_topics(context: Context, topics: Iterable[T]) -> list[T]:
    """Set each topic's name by its id; return those whose ids this node does not know."""
    names = context.node.image.topic_names
    unknown = []
    for topic in topics:
        name = names.get(topic.topic_id)
        if name is None:
            unknown.append(topic)
        else:
            topic.name = name
    return unknown
