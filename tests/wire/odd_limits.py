"""Quotas, log directories and the settings of a topic that change or refuse batches.

    python -m tests.wire.odd_limits PORT

asks the broker at 127.0.0.1:PORT and prints a line for each answer, as odd_transactions.py does.
golden/odd_limits.txt is what Apache Kafka 4.4.0 printed (one broker, on 2026-11-30).
"""

from __future__ import annotations

import sys
import time
from typing import Any

from raftka.model.compression import NAMES
from raftka.model.record_batch import parse_header
from raftka.model.records import Record, encode_batch
from raftka.net.protocol.messages import alter_client_quotas as alter
from raftka.net.protocol.messages import alter_replica_log_dirs as move
from raftka.net.protocol.messages import create_topics as create
from raftka.net.protocol.messages import describe_client_quotas as describe
from raftka.net.protocol.messages import describe_log_dirs as dirs
from raftka.net.protocol.messages import fetch, metadata, produce
from tests.wire.talk import Talk

Entity = tuple[tuple[str, str | None], ...]


def altered(
    entity: Entity, *ops: tuple[str, float | None], only_validates: bool = False
) -> alter.AlterClientQuotasRequest:
    """A change of one entity's quotas; None removes one."""
    entry = alter.EntryData(
        entity=[alter.EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
        ops=[
            alter.OpData(key=key, value=0.0 if value is None else value, remove=value is None)
            for key, value in ops
        ],
    )
    return alter.AlterClientQuotasRequest(entries=[entry], validate_only=only_validates)


def described(
    *components: tuple[str, int, str | None], strict: bool = False
) -> describe.DescribeClientQuotasRequest:
    """Quotas of entities: (type, 0 for a name, 1 for the default or 2 for any, name)."""
    return describe.DescribeClientQuotasRequest(
        components=[
            describe.ComponentData(entity_type=kind, match_type=how, match=name)
            for kind, how, name in components
        ],
        strict=strict,
    )


def quotas(talk: Talk) -> None:
    """Valid and invalid changes, and every kind of filter."""
    ann, app = ("user", "odd-ann"), ("client-id", "odd-app")
    entities: dict[str, Entity] = {
        "user": (ann,),
        "client": (app,),
        "both": (ann, app),
        "default user": (("user", None),),
        "default client": (("client-id", None),),
        "user and default client": (ann, ("client-id", None)),
        "ip": (("ip", "127.0.0.77"),),
        "default ip": (("ip", None),),
        "ip and user": (("ip", "127.0.0.77"), ann),
        "nothing": (),
        "unknown type": (("group", "g"),),
        "twice": (ann, ann),
        "empty name": (("user", ""),),
    }
    keys = (
        *("producer_byte_rate", "consumer_byte_rate", "request_percentage"),
        *("controller_mutation_rate", "connection_creation_rate", "nonsense"),
    )
    for name, entity in entities.items():
        for key in keys:
            wanted = altered(entity, (key, 1000.0), only_validates=True)
            talk.say(f"quotas: {name}, {key}", wanted, 1)
    for value in (0.0, -1.0, 0.5, 1.5, 1e300, float("inf"), float("nan")):
        for key in keys[:5]:
            entity = entities["ip" if key.startswith("connection") else "user"]
            talk.say(f"quotas: {key}={value}", altered(entity, (key, value)), 1)
    talk.say("quotas: key twice", altered((ann,), (keys[0], 1.0), (keys[0], 2.0)), 1)
    talk.say("quotas: taken that is not there", altered((app,), (keys[0], None)), 1)
    talk.say("quotas: no ops", altered((ann,)), 1)
    for name in ("both", "client", "default client", "user and default client", "ip"):
        key = keys[4] if name == "ip" else keys[0]
        talk.say(f"quotas: set {name}", altered(entities[name], (key, 123456.0)), 1)
    time.sleep(1)
    looks: dict[str, tuple[tuple[str, int, str | None], ...]] = {
        "ann": (("user", 0, "odd-ann"),),
        "ann's clients": (("user", 0, "odd-ann"), ("client-id", 2, None)),
        "app": (("client-id", 0, "odd-app"),),
        "default client": (("client-id", 1, None),),
        "ann, default client": (("user", 0, "odd-ann"), ("client-id", 1, None)),
        "ips": (("ip", 2, None),),
        "ip": (("ip", 0, "127.0.0.77"),),
        "ip and user": (("ip", 2, None), ("user", 2, None)),
        "unknown type": (("group", 2, None),),
        "twice": (("user", 2, None), ("user", 2, None)),
        "unknown match": (("user", 9, None),),
        "name without match": (("user", 0, None),),
        "default with name": (("user", 1, "x"),),
        "any with name": (("user", 2, "x"),),
        "empty type": (("", 2, None),),
    }
    for name, components in looks.items():
        for strict in (False, True):
            talk.say(f"quotas of {name}, {strict}", described(*components, strict=strict), 1)
    for name in ("user", "both", "client", "default client", "user and default client", "ip"):
        ops = [(key, None) for key in (keys[4:5] if name == "ip" else keys[:4])]
        talk.say(f"quotas: take back {name}", altered(entities[name], *ops), 1)


def _put(
    talk: Talk, topic: str, codec: str, time_ms: int, size: int, key: bytes | None = b"k"
) -> tuple[Any, Any]:
    """(the answer to a batch, the header of what is stored)"""
    batch = encode_batch([Record(0, time_ms, key, bytes(size))] * 2, compression=codec)
    data = produce.PartitionProduceData(index=0, records=batch)
    where = produce.TopicProduceData(name=topic, partition_data=[data])
    request = produce.ProduceRequest(acks=-1, timeout=5000, topic_data=[where])
    answer = talk.raw(request, 9).responses[0].partition_responses[0]
    if answer.error_code:
        return answer, None
    one = fetch.FetchPartition(
        partition=0, fetch_offset=answer.base_offset, partition_max_bytes=1 << 20
    )
    asked = fetch.FetchRequest(
        max_wait=0,
        min_bytes=1,
        topics=[fetch.FetchTopic(topic=topic, partitions=[one])],
    )
    stored = talk.raw(asked, 11).responses[0].partitions[0].records
    return answer, parse_header(bytes(stored))


def _all_are_led(answer: metadata.MetadataResponse) -> bool:
    """The broker has replayed the creation of each topic, and each partition has a leader: a broker
    may answer UNKNOWN_TOPIC_OR_PARTITION for a moment after the controller created the topic."""
    return all(
        not topic.error_code and all(not each.error_code for each in topic.partitions)
        for topic in answer.topics
    )


def batches(talk: Talk) -> None:
    """Topics whose settings check batches, and the stored batches."""
    now = int(time.time() * 1000)
    hour = 3_600_000
    settings: dict[str, dict[str, str]] = {
        "plain": {},
        "append": {"message.timestamp.type": "LogAppendTime"},
        "before": {"message.timestamp.before.max.ms": str(hour)},
        "after": {"message.timestamp.after.max.ms": str(hour)},
        "small": {"max.message.bytes": "2000"},
        "compact": {"cleanup.policy": "compact"},
        **{f"as {name}": {"compression.type": name} for name in (*NAMES[1:], "uncompressed")},
        "small gzip": {"compression.type": "gzip", "max.message.bytes": "2000"},
        "small none": {"compression.type": "uncompressed", "max.message.bytes": "2000"},
    }
    names = {name: f"odd-{name.replace(' ', '-')}-{talk.run}" for name in settings}
    wanted = [
        create.CreatableTopic(
            name=names[name],
            num_partitions=1,
            replication_factor=1,
            configs=[create.CreatableTopicConfig(name=k, value=v) for k, v in configs.items()],
        )
        for name, configs in settings.items()
    ]
    talk.raw(create.CreateTopicsRequest(topics=wanted, timeout=10_000), 7)
    all_topics = metadata.MetadataRequest(
        topics=[metadata.MetadataRequestTopic(name=name) for name in names.values()]
    )
    until = time.monotonic() + 20
    while not _all_are_led(talk.raw(all_topics, 9)) and time.monotonic() < until:
        time.sleep(0.1)

    for name in settings:
        for codec in ("none", "gzip", "zstd"):
            for when, time_ms in {
                "now": now,
                "two hours ago": now - 2 * hour,
                "in two hours": now + 2 * hour,
                "in 1970": 0,
                "never": -1,
            }.items():
                answer, header = _put(talk, names[name], codec, time_ms, 100)
                said = f"{answer.error_code} {answer.log_append_time >= 0}"
                said += f" {len(answer.record_errors)} {answer.error_message is not None}"
                if header is not None:
                    kept = "kept" if header.max_timestamp == time_ms else "new"
                    said += f" {header.compression} {header.timestamp_type} {kept}"
                talk.lines[f"batch: {name}, {codec}, {when}"] = said
        for codec in ("none", "gzip"):
            answer, header = _put(talk, names[name], codec, now, 1500)
            said = f"{answer.error_code}" + (f" {header.compression}" if header else "")
            talk.lines[f"batch: {name}, {codec}, 3 KB"] = said
        answer, _ = _put(talk, names[name], "none", now, 10, None)
        talk.lines[f"batch: {name}, without a key"] = (
            f"{answer.error_code} {sorted(each.batch_index for each in answer.record_errors)}"
        )


def directories(talk: Talk) -> None:
    """AlterReplicaLogDirs and DescribeLogDirs."""

    def moved(path: str, name: str, *indexes: int) -> move.AlterReplicaLogDirsRequest:
        topic = move.AlterReplicaLogDirTopic(name=name, partitions=list(indexes))
        return move.AlterReplicaLogDirsRequest(
            dirs=[move.AlterReplicaLogDir(path=path, topics=[topic])]
        )

    name = f"odd-plain-{talk.run}"
    for version in (1, 2):
        for path in ("/nowhere", "relative", ""):
            said = f"move: to {path or 'nothing'}, {version}"
            talk.say(said, moved(path, name, 0), version)
        talk.say(f"move: unknown topic, {version}", moved("/nowhere", "no", 0), version)
        talk.say(f"move: unknown partition, {version}", moved("/nowhere", name, 9), version)
        nothing = move.AlterReplicaLogDirsRequest(dirs=[])
        talk.say(f"move: nothing, {version}", nothing, version)
    for which, topics in {
        "unknown topic": [dirs.DescribableLogDirTopic(topic="no", partitions=[0])],
        "unknown partition": [dirs.DescribableLogDirTopic(topic=name, partitions=[9])],
        "no topics": [],
        "one": [dirs.DescribableLogDirTopic(topic=name, partitions=[0])],
    }.items():
        answer = talk.raw(dirs.DescribeLogDirsRequest(topics=topics), 4)
        talk.lines[f"directories: {which}"] = str(
            [
                (
                    found.error_code,
                    sorted(
                        (len(each.partitions), each.partitions[0].is_future_key)
                        for each in found.topics
                    ),
                )
                for found in answer.results
            ]
        )


def outcomes(port: int) -> dict[str, str]:
    """The broker's answers, by request."""
    talk = Talk(port)
    quotas(talk)
    batches(talk)
    directories(talk)
    return talk.lines


def main() -> None:
    for name, found in outcomes(int(sys.argv[1])).items():
        print(f"{name}: {found}")


if __name__ == "__main__":
    main()
