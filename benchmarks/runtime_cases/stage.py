"""A cluster of raftka with what a case needs: records in, records out, a broker killed."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import trio

from benchmarks.java_process import JavaProcess, Runtime
from raftka.client.admin import Admin, NewTopic, Resource, ResourceType
from raftka.client.consumer import Consumer
from raftka.client.consumer.state import ConsumerRecord
from raftka.client.producer import Producer
from raftka.local_cluster import LocalCluster
from raftka.model.ids import TopicPartition

_POLL_S: Final = 0.3
_SURPLUS_S: Final = 2.0
TIMEOUT_S: Final = 150.0
"""How long a case waits for its records: JVMs start slowly beside others."""


class Unlike(Exception):
    """The result differs from that of Apache Kafka's own brokers; the message has it."""


class Missing(Exception):
    """A class or a port that the case needs is not there."""


class Stage:
    """One case's cluster, folder and runtime."""

    def __init__(
        self, cluster: LocalCluster, runtime: Runtime, folder: Path, script: str, *, killing: bool
    ) -> None:
        self.cluster = cluster
        self.folder = folder
        self.script = script
        self.killing = killing
        self.bootstrap = cluster.bootstrap
        self._runtime = runtime
        self._dice = random.Random(1)

    def java(self, name: str, main: str, *arguments: str) -> JavaProcess:
        """A main class of Kafka's, for a with block."""
        return self._runtime.start(name, main, self.folder, *arguments)

    @contextmanager
    def broker_killed(self) -> Iterator[None]:
        """In a run that kills: a broker dies by SIGKILL before the body, and is back after it."""
        if not self.killing:
            yield
            return
        victim = self._dice.choice(self.cluster.node_ids)
        self.cluster.kill(victim)
        yield
        self.cluster.start_node(victim, 60)

    def make(
        self, *topics: str, partitions: int = 2, bootstrap: str = "", replicas: int = 3
    ) -> None:
        """Create topics."""

        async def make() -> None:
            async with Admin({"bootstrap.servers": bootstrap or self.bootstrap}) as admin:
                await admin.create_topics([NewTopic(t, partitions, replicas) for t in topics])

        trio.run(make)

    def write(self, topic: str, values: Sequence[str], *, bootstrap: str = "") -> None:
        """Write records without keys, in their order, by turns into two partitions."""

        async def write() -> None:
            async with Producer({"bootstrap.servers": bootstrap or self.bootstrap}) as producer:
                for number, value in enumerate(values):
                    await producer.send(topic, value.encode(), partition=number % 2)
                await producer.flush()

        trio.run(write)

    def read(
        self,
        topic: str,
        enough: Callable[[list[ConsumerRecord]], bool],
        java: JavaProcess,
        *,
        partitions: int = 2,
        bootstrap: str = "",
    ) -> list[ConsumerRecord]:
        """The committed records of a topic, read until they are enough and nothing more comes.

        Raises Unlike when they are not enough in time, or when the JVM ends, and Missing when that
        has no such class.
        """
        return trio.run(self._read, bootstrap or self.bootstrap, topic, enough, java, partitions)

    async def _read(
        self,
        bootstrap: str,
        topic: str,
        enough: Callable[[list[ConsumerRecord]], bool],
        java: JavaProcess,
        partitions: int,
    ) -> list[ConsumerRecord]:
        settings = {
            "bootstrap.servers": bootstrap,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
        found: list[ConsumerRecord] = []
        deadline = trio.current_time() + TIMEOUT_S
        async with Consumer(settings) as consumer:
            consumer.assign([TopicPartition(topic, index) for index in range(partitions)])
            quiet_since = trio.current_time()
            while trio.current_time() < deadline:
                polled = await consumer.poll(_POLL_S)
                found += polled
                if polled or not enough(found):
                    quiet_since = trio.current_time()
                    must_run(java)
                elif trio.current_time() - quiet_since > _SURPLUS_S:
                    return found
        raise Unlike(f"{topic} has {len(found)} records after {TIMEOUT_S:g} s, which is not enough")

    def is_compacted(self, topic: str) -> None:
        """Raises Unlike unless the cleanup.policy of a topic that a runtime has made is compact."""

        async def policy() -> str | None:
            async with Admin({"bootstrap.servers": self.bootstrap}) as admin:
                found = await admin.describe_configs([Resource(ResourceType.TOPIC, topic)])
                return next(iter(found.values()))["cleanup.policy"].value

        if (policy_is := trio.run(policy)) != "compact":
            raise Unlike(f"{topic} has cleanup.policy={policy_is}")


def must_run(java: JavaProcess) -> None:
    """Raises Missing when the JVM found no such class, and Unlike when it has ended otherwise."""
    if java.runs:
        return
    printed = java.printed
    if "ClassNotFoundException" in printed or "Could not find or load main class" in printed:
        raise Missing("the class path has no such class (--libraries)")
    raise Unlike(f"the JVM has ended: {printed[-600:]}")


def rest(java: JavaProcess, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
    """Ask a Connect worker, until it answers with success; raises Unlike when it does not."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        must_run(java)
        try:
            request = urllib.request.Request(url, data, headers, method=method)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if time.monotonic() > deadline:
                more = error.read() if isinstance(error, urllib.error.HTTPError) else b""
                raise Unlike(f"{method} {url}: {error} {more[:300]!r}") from error
        time.sleep(0.5)


def wait_for(what: str, holds: Callable[[], bool], java: JavaProcess) -> None:
    """Until something holds; raises Unlike when it does not in time."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        must_run(java)
        if time.monotonic() > deadline:
            raise Unlike(f"not within {TIMEOUT_S:g} s: {what}")
        time.sleep(0.3)
