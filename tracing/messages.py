"""Selects the few fields of a message for its event: those that explain its effects.

Partitions are named topic-index; the topic id replaces an unknown name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import uuid_text
from raftka.model.ports import Buffer
from raftka.model.record_batch import iter_batches

Fields = dict[str, Any]
Names = Callable[[bytes], str | None]
"""A topic's name by its id."""

_RAFT: Final = {
    "append_entries": ("append-entries", "request"),
    "acknowledgement": ("append-entries", "response"),
    "request_vote": ("vote", "request"),
    "response_vote": ("vote", "response"),
    "pre_vote": ("pre-vote", "request"),
    "pre_vote_response": ("pre-vote", "response"),
    "end_epoch": ("end-epoch", "request"),
}

_PLAIN: Final = (
    "group_id",
    "generation_id",
    "generation_id_or_member_epoch",
    "member_id",
    "leader",
    "protocol_name",
    "broker_id",
    "broker_epoch",
    "previous_broker_epoch",
    "current_metadata_offset",
    "want_fence",
    "want_shut_down",
    "is_fenced",
    "is_caught_up",
    "should_shut_down",
    "acks",
    "replica_id",
    "producer_id",
    "producer_epoch",
    "controller_id",
    "leader_epoch",
    "election_type",
    "voter_id",
)
"""Fields that are copied unchanged from any message."""

_OF_PARTITIONS: Final = (
    "fetch_offset",
    "current_leader_epoch",
    "last_fetched_epoch",
    "high_watermark",
    "base_offset",
    "leader_id",
    "leader_epoch",
    "partition_epoch",
    "end_offset",
    "offset",
    "committed_offset",
    "new_isr",
    "isr",
    "replicas",
    "replica_nodes",
    "isr_nodes",
)
"""Fields of their partitions."""

_ERRORS: Final = {int(code): code.name for code in ErrorCode}
_UNSET: Final = (None, -1, (1 << 63) - 1)
"""Values that carry no information."""

_LISTS: Final = ("topics", "topic_data", "responses", "replica_election_results", "offsets")
_PARTITIONS: Final = (
    "partitions",
    "partition_data",
    "partition_responses",
    "partition_result",
    "partition_indexes",
)
ALTER_CONFIGS: Final = ("AlterConfigs", "IncrementalAlterConfigs")
_RESOURCES: Final = {2: "topic", 4: "broker"}
_TOPICS_OF_METADATA: Final = frozenset({"Metadata", "DescribeTopicPartitions"})


def error_name(code: int) -> str:
    """KAFKA_NAME of an error."""
    found = _ERRORS.get(code)
    return f"ERROR_{code}" if found is None else found


def of_kafka(api: str, message: Any, names: Names) -> Fields:
    """The fields of a request or response for its event."""
    fields: Fields = {}
    for name in _PLAIN:
        value = getattr(message, name, None)
        if value not in _UNSET:
            fields[name] = value
    state = getattr(message, "replica_state", None)
    if state is not None and state.replica_id >= 0:
        fields["replica_id"] = state.replica_id
    if getattr(message, "error_code", 0):
        fields["error"] = error_name(message.error_code)
    if api in _TOPICS_OF_METADATA:
        return fields
    if api in ALTER_CONFIGS and hasattr(message, "resources"):
        fields["resources"] = [
            {_RESOURCES.get(each.resource_type, "resource"): each.resource_name}
            for each in message.resources
        ]
    if directories := getattr(message, "offline_log_dirs", None):
        fields["offline_log_dirs"] = [uuid_text(each) for each in directories]
    partitions = [found for name in _LISTS for found in _topics(message, name, names)]
    if partitions:
        fields["partitions"] = partitions
    return fields


def _topics(message: Any, list_name: str, names: Names) -> list[Fields]:
    found: list[Fields] = []
    topics = getattr(message, list_name, None)
    for topic in topics if isinstance(topics, list) else ():
        name = _topic_name(topic, names)
        if name is None:
            continue
        inner = next((getattr(topic, each) for each in _PARTITIONS if hasattr(topic, each)), None)
        if not isinstance(inner, list):
            fields: Fields = {"topic": name}
            if getattr(topic, "error_code", 0):
                fields["error"] = error_name(topic.error_code)
            found.append(fields)
            continue
        found += [_partition(name, each) for each in inner]
    return found


def _topic_name(topic: Any, names: Names) -> str | None:
    if isinstance(topic, str):
        return topic
    name = getattr(topic, "name", None) or getattr(topic, "topic", None)
    if name:
        return str(name)
    topic_id = getattr(topic, "topic_id", None)
    return None if topic_id is None else names(bytes(topic_id)) or bytes(topic_id).hex()


def _partition(topic: str, partition: Any) -> Fields:
    if isinstance(partition, int):
        return {"partition": f"{topic}-{partition}"}
    index = next(
        getattr(partition, name)
        for name in ("partition_index", "partition", "index", "partition_id")
        if hasattr(partition, name)
    )
    fields: Fields = {"partition": f"{topic}-{index}"}
    for name in _OF_PARTITIONS:
        value = getattr(partition, name, None)
        if isinstance(value, int | list) and value not in _UNSET and value != []:
            fields[name] = value
    if epochs := getattr(partition, "new_isr_with_epochs", None):
        fields["new_isr"] = [each.broker_id for each in epochs]
        fields["broker_epochs"] = [each.broker_epoch for each in epochs]
    diverging = getattr(partition, "diverging_epoch", None)
    if diverging is not None and diverging.epoch >= 0:
        fields |= {"diverging_epoch": diverging.epoch, "diverging_end_offset": diverging.end_offset}
    if getattr(partition, "error_code", 0):
        fields["error"] = error_name(partition.error_code)
    if isinstance(records := getattr(partition, "records", None), Buffer) and len(records):
        fields |= _records(records)
    return fields


def _records(records: Buffer) -> Fields:
    """The number of records; a fetch may end in the middle of a batch."""
    fields: Fields = {"bytes": len(records)}
    headers = []
    try:
        headers = [header for header, _ in iter_batches(records)]
    except KafkaError:
        fields["malformed"] = True
    if headers:
        fields["records"] = sum(header.record_count for header in headers)
        fields["first_offset"] = headers[0].base_offset
        fields["last_offset"] = headers[-1].last_offset
    return fields


def of_raft(message: Fields) -> tuple[str, str, Fields]:
    """(API, side, fields) of a message of the quorum."""
    api, side = _RAFT[message["type"]]
    fields: Fields = {"term": message["term"]}
    if "serialized" in message:
        return "snapshot", side, fields | {"bytes": len(message["serialized"][0])}
    for name in ("commit_index", "last_log_index", "last_log_term", "granted", "success", "reset"):
        if name in message:
            fields[name] = message[name]
    if side == "response" and api == "vote":
        fields["granted"] = True  # A voter does not answer if it refuses.
    if "next_index" in message:
        fields["next_index"] = message["next_index"]
    if "previous_index" in message:
        fields |= {
            "previous_index": message["previous_index"],
            "previous_term": message["previous_term"],
        }
        if entries := message["entries"]:
            fields |= {"entries": len(entries), "last_index": entries[-1][1]}
    return api, side, fields
