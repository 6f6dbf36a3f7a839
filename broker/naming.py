"""Topics that a request names by id: put their names beside the ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from raftka.broker.request import Context


class Named(Protocol):
    """A topic of a request that has an id from some version on, and a name before."""

    name: str
    topic_id: bytes


T = TypeVar("T", bound=Named)


def name_topics(context: Context, topics: Iterable[T]) -> list[T]:
    """Name each topic after its id; those whose ids this node does not know."""
    names = context.node.image.topic_names
    unknown = []
    for topic in topics:
        name = names.get(topic.topic_id)
        if name is None:
            unknown.append(topic)
        else:
            topic.name = name
    return unknown
