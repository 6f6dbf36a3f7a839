"""kafka-share-groups and the verifiable tools against a real node.

The expected lines are what Apache Kafka's tools of version 4.4.0 print.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire


class Tools:
    """Runs tools as people do, each in a process of its own."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._server = cluster.bootstrap

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "raftka", *words, "--bootstrap-server", self._server]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def lines(self, *words: str) -> list[str]:
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stderr
        return [" ".join(line.split()) for line in ended.stdout.splitlines() if line.strip()]

    def events(self, *words: str) -> list[Mapping[str, object]]:
        found = [json.loads(line) for line in self.lines(*words)]
        assert found[0]["name"] == "startup_complete"
        assert all(each.pop("timestamp") > 1_600_000_000_000 for each in found)
        return found


@pytest.fixture
def tools(single: LocalCluster, topic: str) -> Tools:
    tools = Tools(single)
    tools.lines("topics", "--create", "--topic", topic, "--partitions", "1")
    return tools


def send_four(tools: Tools, topic: str) -> list[Mapping[str, object]]:
    return tools.events("verifiable-producer", "--topic", topic, "--max-messages", "4")


def test_what_the_verifiable_clients_print(tools: Tools, topic: str) -> None:
    sent = tools.events(
        "verifiable-producer", "--topic", topic, "--max-messages", "4", "--value-prefix", "7",
        "--repeating-keys", "2",
    )  # fmt: skip
    assert sent[2] == {
        "name": "producer_send_success",
        "key": "1",
        "value": "7.1",
        "offset": 1,
        "topic": topic,
        "partition": 0,
    }
    last = sent[-1]
    assert (last["name"], last["sent"], last["acked"]) == ("tool_data", 4, 4)

    read = tools.events(
        "verifiable-consumer", "--topic", topic, "--group-id", f"c-{topic}", "--max-messages", "4"
    )
    places = [{"topic": topic, "partition": 0}]
    assert read[1] == {"name": "partitions_assigned", "partitions": places}
    assert read[2] == {
        "name": "records_consumed",
        "count": 4,
        "partitions": [
            {"topic": topic, "partition": 0, "count": 4, "minOffset": 0, "maxOffset": 3}
        ],
    }
    assert read[3]["offsets"] == [{"topic": topic, "partition": 0, "offset": 4}]
    assert read[3]["success"] is True


def test_work_of_a_share_group_from_birth_to_death(tools: Tools, topic: str) -> None:
    send_four(tools, topic)
    group = f"s-{topic}"
    done = tools.events(
        "verifiable-share-consumer", "--topic", topic, "--group-id", group, "--max-messages", "4",
        "--acknowledgement-mode", "sync", "--ack-pattern", "accept,renew,accept,accept",
        "--offset-reset-strategy", "earliest", "--verbose",
    )[1:]  # fmt: skip
    consumed = [each for each in done if each["name"] == "records_consumed"]
    assert sum(int(str(each["count"])) for each in consumed) == 4
    acknowledged = [each for each in done if each["name"] == "offsets_acknowledged"]
    assert all(each["success"] for each in acknowledged)

    assert group in tools.lines("share-groups", "--list")
    assert tools.lines("share-groups", "--describe", "--group", group)[-1].startswith(
        f"{group} {topic} 0 "
    )
    state = tools.lines("share-groups", "--describe", "--group", group, "--state")
    assert state[-1].endswith("Empty 0")
    moved = tools.lines(
        "share-groups", "--reset-offsets", "--group", group, "--topic", topic, "--to-offset", "2",
        "--execute",
    )  # fmt: skip
    assert moved == ["GROUP TOPIC PARTITION NEW-OFFSET", f"{group} {topic} 0 2"]
    described = tools.lines("share-groups", "--describe", "--group", group, "--verbose")
    assert described[-1] == f"{group} {topic} 0 0 2 2"
    gone = tools.lines("share-groups", "--delete-offsets", "--group", group, "--topic", topic)
    assert gone == ["TOPIC STATUS", f"{topic} Successful"]
    assert tools.lines("share-groups", "--delete", "--group", group) == [
        f"Deletion of requested share groups ('{group}') was successful."
    ]
    again = tools.run("share-groups", "--delete", "--group", group)
    assert again.returncode == 1
    assert f"'{group}' could not be deleted" in again.stderr


def test_formatters_show_what_share_groups_have_written(tools: Tools, topic: str) -> None:
    send_four(tools, topic)
    group = f"f-{topic}"
    tools.events(
        "verifiable-share-consumer", "--topic", topic, "--group-id", group, "--max-messages", "4",
        "--offset-reset-strategy", "earliest",
    )  # fmt: skip
    tools.lines("share-groups", "--delete", "--group", group)
    shown = tools.lines(
        "console-consumer", "--topic", "__share_group_state", "--from-beginning", "--timeout-ms",
        "3000", "--formatter", "ShareGroupStateMessageFormatter",
    )  # fmt: skip
    records = [json.loads(line) for line in shown]
    mine = [each for each in records if each["key"]["data"]["groupId"] == group]
    assert mine[0]["value"]["data"]["startOffset"] == -1
    assert mine[-1] == {"key": mine[0]["key"], "value": None}
    members = tools.lines(
        "console-consumer", "--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms",
        "3000", "--formatter", "org.apache.kafka.tools.consumer.ShareGroupMessageFormatter",
    )  # fmt: skip
    assert {json.loads(line)["key"]["type"] for line in members} >= {10, 11, 14, 15}
