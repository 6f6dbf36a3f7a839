"""`raftka learn --attach H:P,...`: running nodes in the page.

The console shows answers of Kafka's own APIs, so it works with any cluster; the stage shows the
merged flight recorders of nodes that have one. Nothing here writes to the cluster. Requests of a
page, one JSON object a line, as docs/session.md has them:

    {"id":1,"op":"look"}                        brokers, controller, topics, groups with their lag
    {"id":2,"op":"trace","have":"..."}          the recorders' events, unless they are still those
    {"id":3,"op":"configs","broker":1}          settings of a broker, or of a "topic"
    {"id":4,"op":"messages","partition":"t-0"}  the last records of a partition, at most 50

Every answer is bounded, whatever the cluster has; bytes are shown as harmless text.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

import trio

from raftka.client.admin import Admin
from raftka.client.admin.configs import ConfigSource, Resource, ResourceType
from raftka.client.admin.recorders import RecorderContent, recorder_contents
from raftka.client.config import ADMIN, CONSUMER
from raftka.client.consumer import Consumer
from raftka.client.tools.options import known_settings
from raftka.learn.harmless import harmless
from raftka.model.errors import KafkaError
from raftka.model.ids import Endpoint, TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.top.sample import Sample, take
from raftka.trace_command import recording_of
from raftka.tracing.recordings import merge

Answer = dict[str, Any]
PARTITIONS_MAX: Final = 2000
GROUPS_MAX: Final = 200
EVENTS_MAX: Final = 6000
MESSAGES_MAX: Final = 50
SETTINGS_MAX: Final = 1000
_TEXT_MAX: Final = 2000
_HEADERS_MAX: Final = 20
_RECORDER_PATIENCE_S: Final = 2.0
_SHARED_S: Final = 0.9
"""How long a sample is fresh enough for other pages; each asks once a second."""
_MESSAGES_PATIENCE_S: Final = 5.0
_PARTITION: Final = re.compile(r"([a-zA-Z0-9._-]{1,249})-(\d{1,9})")


class Attached:
    """One cluster, sampled for all pages of this server."""

    def __init__(self, servers: str, settings: Mapping[str, str]) -> None:
        """`settings`: a client's properties (security). Raises ConfigError."""
        self._servers = [each.strip() for each in servers.split(",") if each.strip()]
        self._properties = {
            **settings,
            "bootstrap.servers": ",".join(self._servers),
            "default.api.timeout.ms": "5000",
        }
        self._settings = known_settings(ADMIN, self._properties)
        self._named = [endpoint_of(each) for each in self._servers]
        self._admin = Admin(self._settings)
        self._turn = trio.Lock()
        self._known: set[Endpoint] = set()
        self._contents: dict[int, RecorderContent] = {}
        """Each node's newest answer: a dead node's events stay."""
        self._looked: Answer | None = None
        self._looked_at = 0.0
        self._recorders_turn = trio.Lock()
        self._asked: frozenset[Endpoint] = frozenset()
        self._asked_at = 0.0
        self._silent: Mapping[str, str] = {}
        self._began_unix_s: float | None = None
        self._merged_of: str | None = None
        self._trace_known: Answer = {}
        """The events of the recorders whose stamp is `_merged_of`."""

    async def handle(self, request: object) -> Answer:
        """The answer to one request; it never raises because of a page or the cluster."""
        if not isinstance(request, Mapping):
            return _refusal(None, "bad-request", "a request is one JSON object")
        id_ = request.get("id")
        if not isinstance(id_, str | int | float | None):
            id_ = None
        op = request.get("op")
        try:
            if op == "look":
                return {"id": id_, "ok": True, "look": await self._look()}
            if op == "trace":
                return {"id": id_, "ok": True, **await self._trace(request.get("have"))}
            if op == "configs":
                return {"id": id_, "ok": True, **await self._configs(request)}
            if op == "messages":
                return {"id": id_, "ok": True, **await self._messages(request)}
        except (KafkaError, BrokenConnection) as error:
            words = error.message if isinstance(error, KafkaError) else str(error)
            return _refusal(id_, "unreachable", harmless(words.encode(), _TEXT_MAX))
        except ValueError as error:
            return _refusal(id_, "bad-request", str(error))
        known = "look, trace, configs, messages"
        return _refusal(id_, "unknown-op", f"there is no such op; there are: {known}")

    async def __aenter__(self) -> Attached:
        await self._admin.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self._admin.__aexit__(*raised)

    # The console.

    async def _look(self) -> Answer:
        async with self._turn:  # Pages share one sample per second.
            if self._looked is None or trio.current_time() >= self._looked_at + _SHARED_S:
                found = await take(self._admin, trio.current_time())
                self._known = {Endpoint(each.host, each.port) for each in found.brokers}
                self._looked, self._looked_at = look_of(found), trio.current_time()
            return self._looked

    async def _configs(self, request: Mapping[str, Any]) -> Answer:
        broker, topic = request.get("broker"), request.get("topic")
        if isinstance(broker, int) and not isinstance(broker, bool):
            resource = Resource(ResourceType.BROKER, str(broker))
        elif isinstance(topic, str) and len(topic) < 250:
            resource = Resource(ResourceType.TOPIC, topic)
        else:
            raise ValueError("configs needs the field 'broker' (a number) or 'topic'")
        found = (await self._admin.describe_configs([resource]))[resource]
        rows = [
            {
                "name": harmless(each.name.encode(), 250),
                "value": None if each.value is None else harmless(each.value.encode(), _TEXT_MAX),
                "sensitive": each.sensitive,
                "set": each.source is not ConfigSource.DEFAULT_CONFIG,
            }
            for each in sorted(found.values(), key=lambda each: each.name)
        ]
        return {"configs": rows[:SETTINGS_MAX]}

    async def _messages(self, request: Mapping[str, Any]) -> Answer:
        found = _PARTITION.fullmatch(str(request.get("partition")))
        if found is None:
            raise ValueError("messages needs the field 'partition', such as \"orders-0\"")
        target = TopicPartition(found[1], int(found[2]))
        settings = {
            **known_settings(CONSUMER, self._properties),
            "fetch.max.bytes": "1000000",
            "max.partition.fetch.bytes": "1000000",
            "enable.auto.commit": "false",
            "auto.offset.reset": "earliest",
        }
        records: list[Answer] = []
        async with Consumer(settings) as consumer:
            consumer.assign([target])
            end = (await consumer.end_offsets([target]))[target]
            start = (await consumer.beginning_offsets([target]))[target]
            first = max(start, end - MESSAGES_MAX)
            consumer.seek(target, first)
            at = first
            with trio.move_on_after(_MESSAGES_PATIENCE_S):
                while at < end:
                    for each in await consumer.poll(1.0, max_records=MESSAGES_MAX):
                        at = each.offset + 1
                        records.append(_message(each))
                    at = max(at, await consumer.position(target))
        return {"partition": str(target), "start": start, "end": end, "messages": records[-50:]}

    # The recorders.

    async def _trace(self, have: object) -> Answer:
        async with self._recorders_turn:  # A whole recorder is large: pages share it, too.
            asked = frozenset({*self._named, *self._known})
            if asked != self._asked or trio.current_time() >= self._asked_at + _SHARED_S:
                await self._ask_recorders(asked)
            contents = self._contents
            stamp = ",".join(
                f"{node}:{each.events[-1][0] if each.events else 0}"
                for node, each in sorted(contents.items())
            )
            known = {"stamp": stamp, "silent": _bounded(self._silent)}
            if not contents or stamp == have:
                return known
            if stamp != self._merged_of:
                # In a thread, since thousands of events take a while, and pages wait for other
                # answers.
                self._trace_known = await trio.to_thread.run_sync(self._merged, contents)
                self._merged_of = stamp
            return {**known, "now_unix_s": time.time(), **self._trace_known}

    async def _ask_recorders(self, asked: frozenset[Endpoint]) -> None:
        endpoints = sorted(asked, key=str)
        found = await recorder_contents(self._settings, endpoints, patience_s=_RECORDER_PATIENCE_S)
        for answer in found.values():
            if isinstance(answer, RecorderContent):
                self._contents[answer.node_id] = answer
        self._silent = {str(at): each for at, each in found.items() if isinstance(each, str)}
        self._asked, self._asked_at = asked, trio.current_time()

    def _merged(self, contents: Mapping[int, RecorderContent]) -> Answer:
        merged = merge([recording_of(each) for each in contents.values()])
        if self._began_unix_s is None:
            self._began_unix_s = merged.began_unix_s
        shift = merged.began_unix_s - self._began_unix_s
        events = [{**each, "t": round(each["t"] + shift, 6)} for each in merged.events]
        left = len(events) - EVENTS_MAX
        if left > 0:
            # The stage needs roles, terms and leaders first, which later events have.
            events = events[left:]
            self._began_unix_s += events[0]["t"]
            events = [{**each, "t": round(each["t"] - events[0]["t"], 6)} for each in events]
        return {"began_unix_s": self._began_unix_s, "trace": events}


def endpoint_of(server: str) -> Endpoint:
    """HOST:PORT. Raises ValueError."""
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"--attach takes HOST:PORT,HOST:PORT ..., not {server!r}")
    return Endpoint(host.strip("[]"), int(port))


def look_of(sample: Sample) -> Answer:
    """A sample for the page, bounded."""
    whole = sum(len(each.partitions) for each in sample.topics.values())
    topics = sorted(sample.topics.values(), key=lambda each: (each.internal, each.name))
    every = ((topic, each) for topic in topics for each in topic.partitions)
    partitions = [
        {
            "topic": topic.name,
            "internal": topic.internal,
            "index": each.index,
            "leader": -1 if each.leader is None else each.leader.id,
            "epoch": each.leader_epoch,
            "replicas": list(each.replicas),
            "isr": list(each.isr),
            "elr": None if each.elr is None else list(each.elr),
            "offline": list(each.offline),
            "end": sample.ends.get(TopicPartition(topic.name, each.index)),
        }
        for topic, each in islice(every, PARTITIONS_MAX)
    ]
    return {
        "cluster": harmless(sample.cluster_id.encode(), 100),
        "controller": sample.controller_id,
        "epoch": sample.controller_epoch,
        "brokers": [
            {
                "id": each.id,
                "address": harmless(f"{each.host}:{each.port}".encode(), 300),
                "rack": None if each.rack is None else harmless(each.rack.encode(), 100),
                "fenced": each.fenced,
            }
            for each in sample.brokers[:GROUPS_MAX]
        ],
        "topics": len(sample.topics),
        "partitions": partitions,
        "left_out": whole - len(partitions),
        "groups": [_group(name, sample) for name in sorted(sample.groups)[:GROUPS_MAX]],
        "groups_left_out": max(0, len(sample.groups) - GROUPS_MAX),
    }


def _group(name: str, sample: Sample) -> Answer:
    group = sample.groups[name]
    lags = {
        str(at): max(0, sample.ends[at] - offset)
        for at, offset in sorted(group.offsets.items())
        if at in sample.ends and offset >= 0
    }
    return {
        "name": harmless(name.encode(), 300),
        "state": harmless(group.state.encode(), 100),
        "members": group.members,
        "lag": sum(lags.values()),
        "lags": dict(list(lags.items())[:GROUPS_MAX]),
    }


def _message(record: Any) -> Answer:
    headers: Sequence[Any] = record.headers
    return {
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key": None if record.key is None else harmless(record.key, _TEXT_MAX),
        "value": None if record.value is None else harmless(record.value, _TEXT_MAX),
        "size": len(record.value or b""),
        "headers": [
            [harmless(str(name).encode(), 250), harmless(value or b"", 250)]
            for name, value in headers[:_HEADERS_MAX]
        ],
    }


def _bounded(silent: Mapping[str, str]) -> dict[str, str]:
    return {
        harmless(at.encode(), 300): harmless(words.encode(), 500)
        for at, words in list(silent.items())[:50]
    }


def _refusal(id_: object, code: str, message: str) -> Answer:
    return {"id": id_, "ok": False, "error": {"code": code, "message": message}}
