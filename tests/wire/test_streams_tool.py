"""kafka-streams-groups and kafka-streams-application-reset against a broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from raftka.client.admin import Admin
from raftka.client.consumer import OffsetAndMetadata
from raftka.client.producer import Producer
from raftka.client.tools import groups, streams_application_reset, streams_groups, topics
from raftka.local_cluster import LocalCluster
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages.find_coordinator import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from raftka.net.protocol.messages.streams_group_heartbeat import StreamsGroupHeartbeatResponse
from raftka.simulations.load.streams_member import StreamsMember, Task, TopologyText
from raftka.testing.wire import Wire

pytestmark = pytest.mark.wire

_PATIENCE_S = 30


class _Silent:
    """Implements streams_member.Witness."""

    def took(self, member: StreamsMember, role: str, task: Task) -> None:
        pass

    def dropped(self, member: StreamsMember, task: Task) -> None:
        pass


class _Thread:
    """A member of a group that counts a topic's words; its heartbeats are sent by hand."""

    def __init__(self, port: int, group: str, topic: str) -> None:
        self.wire = Wire(port)
        topology = TopologyText({"0": (topic,)}, frozenset({"0"}))
        self.member = StreamsMember(group, "m1", "process", topology, _Silent())

    def run_until(self, tasks: int) -> None:
        # The first lookup of a coordinator creates the topic of groups.
        self.wire.send(FindCoordinatorRequest(key=self.member.group_id), 0)
        self.wire.receive(FindCoordinatorResponse, 0)
        end_s = time.monotonic() + _PATIENCE_S
        while len(self.member.tasks) != tasks:
            assert time.monotonic() < end_s, (self.member.tasks, self.member.errors)
            self.wire.send(self.member.request(), 1)
            self.member.answered(self.wire.receive(StreamsGroupHeartbeatResponse, 1))
            self.member.work()
            time.sleep(0.1)

    def leave(self) -> None:
        self.wire.send(self.member.leaving(), 1)
        self.wire.receive(StreamsGroupHeartbeatResponse, 1)


class Tools:
    """Runs tools of groups in this process, against one node."""

    def __init__(self, cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
        self._at = ["--bootstrap-server", cluster.bootstrap]
        self._capsys = capsys

    def streams(self, *arguments: str, code: int = 0) -> list[list[str]]:
        return self._words(streams_groups.main([*self._at, *arguments]), code)

    def reset(self, *arguments: str, code: int = 0) -> list[list[str]]:
        return self._words(streams_application_reset.main([*self._at, *arguments]), code)

    def topics(self, *arguments: str) -> list[list[str]]:
        return self._words(topics.main([*self._at, *arguments]), 0)

    def why(self, group: str) -> str:
        lines = self._words(groups.main(["why", *self._at, group]), 0)
        return "\n".join(" ".join(line) for line in lines)

    def _words(self, code: int, expected: int) -> list[list[str]]:
        out = self._capsys.readouterr()
        assert code == expected, out.err
        text = out.err if expected else out.out
        return [line.split() for line in text.splitlines() if line]


@pytest.fixture
def tools(single: LocalCluster, topic: str, capsys: pytest.CaptureFixture[str]) -> Tools:
    """With a topic of two partitions, of seven records each."""
    tools = Tools(single, capsys)
    tools.topics("--create", "--topic", topic, "--partitions", "2")

    async def fill() -> None:
        async with Producer({"bootstrap.servers": single.bootstrap}) as producer:
            for number in range(14):
                await producer.send(topic, b"word", partition=number % 2)

    trio.run(fill)
    return tools


@pytest.fixture
def thread(single: LocalCluster, topic: str) -> Iterator[_Thread]:
    """A member of a group of the topic's name, that has both tasks."""
    thread = _Thread(int(single.bootstrap.rpartition(":")[2]), f"g-{topic}", topic)
    thread.run_until(2)
    yield thread
    thread.wire.close()


def commit(cluster: LocalCluster, topic: str, *offsets: int) -> None:
    async def store() -> None:
        async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
            await admin.alter_group_offsets(
                f"g-{topic}",
                {
                    TopicPartition(topic, index): OffsetAndMetadata(offset)
                    for index, offset in enumerate(offsets)
                },
            )

    trio.run(store)


def test_a_group_is_listed_described_and_deleted(tools: Tools, topic: str, thread: _Thread) -> None:
    group = f"g-{topic}"
    assert [group] in tools.streams("--list")
    assert [group, "Stable"] in tools.streams("--list", "--state")
    state = tools.streams("--describe", "--group", group, "--state")[1]
    assert (state[3:], state[0]) == (["sticky", "Stable", "1"], group)
    members = tools.streams("--describe", "--group", group, "--members")[1]
    assert members == [group, "m1", "process", "test", "ACTIVE:", "0:[0,1];"]
    offsets = tools.streams("--describe", "--group", group)
    assert offsets[1:] == [[group, topic, "0", "7"], [group, topic, "1", "7"]]
    stored = tools.streams("--describe", "--group", group, "--topology", code=1)
    assert (
        " ".join(stored[-1])
        == f"Error: No topology description is stored for streams group '{group}'."
    )
    assert "waits for nothing but records" in tools.why(group)
    refused = tools.streams("--delete", "--group", group, code=1)
    assert ["Streams", "group", f"'{group}'", "is", "not", "EMPTY."] == refused[-1][-6:]
    thread.leave()
    assert "no instance of the application runs" in tools.why(group)
    tools.streams("--delete", "--group", group)
    assert [group] not in tools.streams("--list")
    assert [f"{group}-0-changelog"] in tools.topics("--list")


def test_internal_topics_are_deleted_with_the_group_when_that_is_asked_for(
    tools: Tools, topic: str, thread: _Thread
) -> None:
    thread.leave()
    tools.streams("--delete", "--group", f"g-{topic}", "--delete-all-internal-topics")
    assert [f"g-{topic}-0-changelog"] not in tools.topics("--list")
    assert [topic] in tools.topics("--list")


def test_offsets_are_reset_by_each_scenario(
    tools: Tools, topic: str, thread: _Thread, single: LocalCluster, tmp_path: Path
) -> None:
    """The lines are those of Apache Kafka 4.4.0's tool for the same commands."""
    group = f"g-{topic}"
    reset = ("--reset-offsets", "--group", group)
    active = tools.streams(*reset, "--all-input-topics", "--to-latest", "--execute", code=1)
    assert active[0][-2:] == ["is", "Stable."]
    thread.leave()
    commit(single, topic, 3, 4)

    def planned(*scenario: str) -> list[int]:
        shown = tools.streams(*reset, "--all-input-topics", *scenario, "--dry-run")
        assert shown[0] == ["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"]
        assert [row[:3] for row in shown[1:]] == [[group, topic, "0"], [group, topic, "1"]]
        return [int(row[3]) for row in shown[1:]]

    assert planned("--to-earliest") == [0, 0]
    assert planned("--to-latest") == [7, 7]
    assert planned("--to-current") == [3, 4]
    assert planned("--to-offset", "5") == [5, 5]
    assert planned("--to-offset", "100") == [7, 7]
    assert planned("--shift-by", "-2") == [1, 2]
    assert planned("--by-duration", "PT1H") == [0, 0]
    assert planned("--to-datetime", "2100-01-01T00:00:00.000") == [7, 7]
    one = tools.streams(*reset, "--input-topic", f"{topic}:1", "--to-offset", "6", "--execute")
    assert one[1:] == [[group, topic, "1", "6"]]
    exported = tools.streams(*reset, "--all-input-topics", "--to-current", "--export", "--dry-run")
    assert exported == [[f"{topic},0,3"], [f"{topic},1,6"]]
    file = tmp_path / "offsets.csv"
    file.write_text(f"{topic},0,2\n")
    from_file = tools.streams(*reset, "--from-file", str(file), "--execute")
    assert from_file[1:] == [[group, topic, "0", "2"]]
    assert planned("--to-current") == [2, 6]


def test_a_reset_refuses_what_is_not_the_groups_before_it_changes_anything(
    tools: Tools, topic: str, thread: _Thread, single: LocalCluster
) -> None:
    group = f"g-{topic}"
    thread.leave()
    commit(single, topic, 3, 4)
    reset = ("--reset-offsets", "--group", group, "--to-latest", "--execute")
    tools.topics("--create", "--topic", f"{topic}-other", "--partitions", "1")
    foreign = tools.streams(*reset, "--input-topic", f"{topic}-other", code=1)
    assert " ".join(foreign[0]).startswith("Error: One or more topics are not part of the group")
    wrong = tools.streams(*reset, "--all-input-topics", "--delete-internal-topic", topic, code=1)
    assert "not an internal topic" in " ".join(wrong[0])
    assert tools.streams("--reset-offsets", "--group", "nobody", "--all-input-topics",
                         "--to-latest", "--execute", code=1)  # fmt: skip
    kept = tools.streams("--reset-offsets", "--group", group, "--all-input-topics", "--to-current",
                         "--dry-run")  # fmt: skip
    assert [row[3] for row in kept[1:]] == ["3", "4"]
    changelog = f"{group}-0-changelog"
    assert [changelog] in tools.topics("--list")
    tools.streams(*reset, "--all-input-topics", "--delete-internal-topic", changelog)
    assert [changelog] not in tools.topics("--list")
    assert tools.streams("--delete-offsets", "--group", group, "--all-input-topics")[-1] == [
        topic, "1", "Successful"
    ]  # fmt: skip


def test_an_application_begins_again(
    tools: Tools, topic: str, thread: _Thread, single: LocalCluster
) -> None:
    """The lines are those of Apache Kafka 4.4.0's tool for the same commands."""
    group = f"g-{topic}"
    application = ("--application-id", group)
    running = tools.reset(*application, "--input-topics", topic, code=1)
    assert "is still active and has following members: m1." in " ".join(running[0])
    forced = tools.reset(*application, "--input-topics", topic, "--to-offset", "5", "--force",
                         "--dry-run")  # fmt: skip
    assert forced[0][:2] == ["Force", "deleting"]
    assert len(tools.streams("--describe", "--group", group, "--members")) == 2
    lines = [" ".join(line) for line in tools.reset(
        *application, "--input-topics", f"{topic},missing", "--to-offset", "5", "--force",
        "--internal-topics", "nope", code=1,
    )]  # fmt: skip
    assert lines[0].startswith("ERROR: Invalid topic specified in the --internal-topics option")
    done = [" ".join(line) for line in tools.reset(
        *application, "--input-topics", topic, "--to-offset", "5", "--force",
    )]  # fmt: skip
    assert done == [
        f"Force deleting all active members in the group: {group}",
        f"Reset-offsets for input topics [{topic}]",
        f"Following input topics offsets will be reset to (for consumer group {group})",
        f"Topic: {topic} Partition: 0 Offset: 5",
        f"Topic: {topic} Partition: 1 Offset: 5",
        "Done.",
        f"Deleting inferred internal topics [{group}-0-changelog]",
        "Done.",
    ]
    assert [f"{group}-0-changelog"] not in tools.topics("--list")
    stored = tools.streams("--describe", "--group", group, "--offsets", "--verbose")
    assert [row[3] for row in stored[1:]] == ["5", "5"]
    shifted = tools.reset(*application, "--input-topics", topic, "--shift-by", "-1")
    assert shifted[2][-1] == shifted[3][-1] == "4"


def test_an_application_that_never_ran_begins_at_the_beginning(tools: Tools, topic: str) -> None:
    lines = [" ".join(line) for line in tools.reset(
        "--application-id", f"never-{topic}", "--intermediate-topics", topic,
    )]  # fmt: skip
    assert lines[1:] == [
        f"Seek-to-end for intermediate topics [{topic}]",
        "Following intermediate topics offsets will be reset to end (for consumer group"
        f" never-{topic})",
        f"Topic: {topic}",
        f"Topic: {topic}",
        "Done.",
        "Deleting inferred internal topics []",
        "Done.",
    ]
    skipped = tools.reset("--application-id", f"never-{topic}", "--dry-run")
    assert " ".join(skipped[1]) == "No input or intermediate topics specified. Skipping seek."
