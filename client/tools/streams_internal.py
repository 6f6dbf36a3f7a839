"""The internal topics of a Kafka Streams application: their names, and their deletion."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from raftka.client.admin import Admin, SomeFailed, StreamsGroupDescription
from raftka.client.tools.running import words
from raftka.model.errors import ErrorCode, KafkaError

_INTERNAL = re.compile(
    r".+(?:-changelog|-repartition|-subscription-registration-topic|-subscription-response-topic"
    r"|-KTABLE-FK-JOIN-SUBSCRIPTION-(?:REGISTRATION|RESPONSE)-[0-9]+-topic)",
    re.DOTALL,
)


def is_internal(topic: str, application: str) -> bool:
    """Whether the name is one that Kafka Streams gives to an internal topic of this application."""
    return topic.startswith(f"{application}-") and _INTERNAL.fullmatch(topic) is not None


def internal_topics(group: StreamsGroupDescription) -> list[str]:
    """The internal topics of a group's topology that are named after it; others are not its own."""
    sources = {topic for each in group.subtopologies for topic in each.source_topics}
    made = {
        topic
        for each in group.subtopologies
        for topic in (*each.repartition_source_topics, *each.changelog_topics)
    }
    return sorted(topic for topic in made - sources if is_internal(topic, group.group_id))


async def delete_topics(admin: Admin, topics: Iterable[str]) -> dict[str, str]:
    """Delete topics and print failures; returns the errors by topic. Missing topics are no failure.
    Raises KafkaError when the whole request is refused.
    """
    try:
        await admin.delete_topics(sorted(topics))
    except SomeFailed as error:
        failed = {
            topic: words(outcome)
            for topic, outcome in error.outcomes.items()
            if isinstance(outcome, KafkaError)
            and outcome.code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        }
        for topic, reason in failed.items():
            print(f"Failed to delete internal topic: {topic}: {reason}", file=sys.stderr)
        return failed
    return {}
