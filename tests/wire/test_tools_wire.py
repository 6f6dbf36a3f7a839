"""The console tools against real nodes: what they print and how they end.

The expected lines are what Apache Kafka's tools of version 4.3 print.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Tool = Callable[..., Ended]


@pytest.fixture
def tool(
    single: LocalCluster, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Tool:
    """Runs a tool against the single node, with text on its standard input."""

    def run(name: str, *arguments: str, text: str = "") -> Ended:
        module = importlib.import_module(f"raftka.client.tools.{name.replace('-', '_')}")
        capfd.readouterr()
        path = Path(single.directory) / "stdin"
        path.write_text(text)
        with path.open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            code = module.main([*arguments, "--bootstrap-server", single.bootstrap])
        captured = capfd.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


def written(path: Path, document: object) -> str:
    path.write_text(json.dumps(document))
    return str(path)


def test_topics_from_birth_to_death(tool: Tool, topic: str) -> None:
    assert tool("topics", "--create", "--topic", topic, "--partitions", "2") == Ended(
        0, f"Created topic {topic}.\n", ""
    )
    again = tool("topics", "--create", "--topic", topic)
    assert again.code == 1
    assert f"Topic '{topic}' already exists." in again.err
    assert tool("topics", "--create", "--topic", topic, "--if-not-exists").code == 0
    assert topic in tool("topics", "--list").out.splitlines()

    described = tool("topics", "--describe", "--topic", topic).out.splitlines()
    assert re.fullmatch(
        rf"Topic: {topic}\tTopicId: [\w-]{{22}}\tPartitionCount: 2\tReplicationFactor: 1"
        r"\tConfigs: .*",
        described[0],
    )
    assert described[1] == (
        f"\tTopic: {topic}\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: "
    )
    assert tool("topics", "--alter", "--topic", topic, "--partitions", "3").code == 0
    assert "PartitionCount: 3" in tool("topics", "--describe", "--topic", topic).out
    assert tool("topics", "--delete", "--topic", topic) == Ended(0, "", "")
    missing = tool("topics", "--delete", "--topic", topic)
    assert (missing.code, missing.out) == (1, "")
    assert f"Topic '{topic}' does not exist as expected" in missing.err


def test_lines_in_are_lines_out(tool: Tool, topic: str) -> None:
    tool("topics", "--create", "--topic", topic)
    assert tool("console-producer", "--topic", topic, text="one\ntwo\n") == Ended(0, "", "")
    keyed = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    assert tool("console-producer", "--topic", topic, *keyed, text="k:three\n").code == 0
    shown = tool(
        "console-consumer",
        "--topic",
        topic,
        "--from-beginning",
        "--max-messages",
        "3",
        "--formatter-property",
        "print.key=true",
    )
    assert shown.out == "null\tone\nnull\ttwo\nk\tthree\n"
    assert shown.err == "Processed a total of 3 messages\n"
    alone = ("--partition", "0", "--offset", "1", "--max-messages", "1")
    assert tool("console-consumer", "--topic", topic, *alone).out == "two\n"


def test_a_consumer_that_waits_in_vain_ends(tool: Tool, topic: str) -> None:
    tool("topics", "--create", "--topic", topic)
    ended = tool("console-consumer", "--topic", topic, "--partition", "0", "--timeout-ms", "200")
    assert ended == Ended(0, "", "Processed a total of 0 messages\n")


def test_offsets_of_partitions(tool: Tool, topic: str) -> None:
    tool("topics", "--create", "--topic", topic, "--partitions", "2")
    tool("console-producer", "--topic", topic, text="a\n" * 5)
    lines = tool("get-offsets", "--topic", topic).out.splitlines()
    assert sum(int(line.rpartition(":")[2]) for line in lines) == 5
    earliest = tool("get-offsets", "--topic", topic, "--time", "earliest")
    assert earliest.out == f"{topic}:0:0\n{topic}:1:0\n"
    only = tool("get-offsets", "--topic-partitions", f"{topic}:1-", "--time", "-2")
    assert only.out == f"{topic}:1:0\n"
    nothing = tool("get-offsets", "--topic", "no-such-topic")
    assert nothing.code == 1
    assert "Could not match any topic-partitions" in nothing.err


def test_settings_of_a_topic(tool: Tool, topic: str) -> None:
    tool("topics", "--create", "--topic", topic)
    changed = tool(
        "configs",
        "--alter",
        "--topic",
        topic,
        "--add-config",
        "retention.ms=1000,cleanup.policy=[compact,delete]",
    )
    assert changed.out == f"Completed updating config for topic {topic}.\n"
    lines = tool("configs", "--describe", "--topic", topic).out.splitlines()
    assert lines[0] == f"Dynamic configs for topic {topic} are:"
    assert lines[1].startswith(
        "  cleanup.policy=compact,delete sensitive=false"
        " synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete"
    )
    assert lines[2].startswith("  retention.ms=1000 ")
    wrong = tool("configs", "--alter", "--topic", topic, "--add-config", "retention.msec=1")
    assert wrong.code == 1
    assert "retention.msec" in wrong.err
    assert tool("configs", "--alter", "--topic", topic, "--delete-config", "retention.ms").code == 0
    left = tool("configs", "--describe", "--topic", topic).out
    assert "retention.ms=1000" not in left


def test_settings_of_brokers(tool: Tool) -> None:
    everything = tool("configs", "--describe", "--broker", "1", "--all").out.splitlines()
    assert everything[0] == "All configs for broker 1 are:"
    assert any(line.startswith("  node.id=1 sensitive=false") for line in everything)
    missing = tool("configs", "--describe", "--topic", "no-such-topic")
    assert missing == Ended(
        0, "The topic 'no-such-topic' doesn't exist and doesn't have dynamic config.\n", ""
    )


def test_a_groups_offsets_are_shown_reset_and_deleted(tool: Tool, topic: str) -> None:
    group = f"g-{topic}"
    tool("topics", "--create", "--topic", topic)
    tool("console-producer", "--topic", topic, text="a\nb\nc\n")
    read = ("--from-beginning", "--group", group, "--max-messages", "2")
    assert tool("console-consumer", "--topic", topic, *read).out == "a\nb\n"

    described = tool("consumer-groups", "--describe", "--group", group)
    assert f"Consumer group '{group}' has no active members." in described.err
    header, row = described.out.strip("\n").split("\n")
    assert header.split() == [
        "GROUP",
        "TOPIC",
        "PARTITION",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]
    assert row.split() == [group, topic, "0", "2", "3", "1", "-", "-", "-"]
    assert group in tool("consumer-groups", "--list").out.splitlines()
    states = tool("consumer-groups", "--list", "--state", "empty").out
    assert re.search(rf"^{group} +Empty +$", states, re.MULTILINE)

    scope = ("--reset-offsets", "--group", group, "--topic", topic)
    planned = tool("consumer-groups", *scope, "--to-earliest", "--dry-run")
    assert planned.out.splitlines()[-1].split() == [group, topic, "0", "0"]
    shifted = tool("consumer-groups", *scope, "--shift-by", "-1", "--execute")
    assert shifted.out.splitlines()[-1].split() == [group, topic, "0", "1"]
    exported = tool("consumer-groups", *scope, "--to-current", "--export", "--dry-run")
    assert exported.out == f"{topic},0,1\n\n"

    forgotten = tool("consumer-groups", "--delete-offsets", "--group", group, "--topic", topic)
    assert forgotten.out.startswith(f"Request succeeded for deleting offsets from group {group}.\n")
    gone = tool("consumer-groups", "--delete", "--group", group)
    if gone.code == 0:
        assert gone.out == f"Deletion of requested consumer groups ('{group}') was successful.\n"
    unknown = tool("consumer-groups", "--describe", "--group", group)
    assert unknown.code == 1
    assert f"Group {group} not found." in unknown.err


def test_groups_of_all_types(tool: Tool) -> None:
    assert tool("groups", "--list").out.splitlines()[0].split() == ["GROUP", "TYPE", "PROTOCOL"]


def test_records_are_deleted_up_to_an_offset(tool: Tool, topic: str, tmp_path: Path) -> None:
    tool("topics", "--create", "--topic", topic)
    tool("console-producer", "--topic", topic, text="a\nb\nc\n")
    entry = {"topic": topic, "partition": 0, "offset": 2}
    path = written(tmp_path / "records.json", {"partitions": [entry], "version": 1})
    ended = tool("delete-records", "--offset-json-file", path)
    assert ended.out.splitlines() == [
        "Executing records delete operation",
        "Records delete operation completed:",
        f"partition: {topic}-0\tlow_watermark: 2",
    ]
    assert tool("get-offsets", "--topic", topic, "--time", "-2").out == f"{topic}:0:2\n"


def test_elections_and_reassignments_that_change_nothing(
    tool: Tool, topic: str, tmp_path: Path
) -> None:
    tool("topics", "--create", "--topic", topic)
    one = ("--election-type", "preferred", "--topic", topic, "--partition", "0")
    assert tool("leader-election", *one).out == (
        f"Valid replica already elected for partitions {topic}-0\n"
    )
    entry = {"topic": topic, "partition": 0, "replicas": [1]}
    path = written(tmp_path / "moves.json", {"partitions": [entry], "version": 1})
    begun = tool("reassign-partitions", "--execute", "--reassignment-json-file", path)
    assert begun.out.splitlines()[-1] == (
        f"Successfully started partition reassignment for {topic}-0"
    )
    verified = tool("reassign-partitions", "--verify", "--reassignment-json-file", path)
    assert f"Reassignment of partition {topic}-0 is completed.\n" in verified.out
    assert tool("reassign-partitions", "--list").out == "No partition reassignments found.\n"


def test_the_cluster_and_its_quorum(tool: Tool, single: LocalCluster) -> None:
    assert tool("cluster", "cluster-id").out == f"Cluster ID: {single.cluster_id}\n"
    endpoints = tool("cluster", "list-endpoints").out.splitlines()
    assert endpoints[1].split() == [
        "1",
        "127.0.0.1",
        str(single.ports[1]),
        "null",
        "unfenced",
        "broker",
    ]
    status = tool("metadata-quorum", "describe", "--status").out
    assert re.search(rf"^ClusterId: +{single.cluster_id}$", status, re.MULTILINE)
    assert re.search(r"^LeaderId: +1$", status, re.MULTILINE)
    replication = tool("metadata-quorum", "describe", "--replication").out.splitlines()
    assert replication[0].split() == [
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ]
    assert replication[1].split()[-1] == "Leader"


def test_what_a_broker_speaks_and_holds(tool: Tool, single: LocalCluster, topic: str) -> None:
    versions = tool("broker-api-versions").out.splitlines()
    assert versions[0].endswith("(id: 1 rack: null isFenced: false) -> (")
    assert any(re.match(r"\tProduce\(0\): 0 to \d+ \[usable: \d+\],", line) for line in versions)
    assert versions[-1] == ")"
    tool("topics", "--create", "--topic", topic)
    held = json.loads(tool("log-dirs", "--describe", "--topic-list", topic).out.splitlines()[-1])
    (broker,) = held["brokers"]
    assert broker["broker"] == 1
    (directory,) = broker["logDirs"]
    assert directory["partitions"] == [
        {"partition": f"{topic}-0", "size": 0, "offsetLag": 0, "isFuture": False}
    ]


def test_performance_tools_count_what_they_did(tool: Tool, topic: str) -> None:
    tool("topics", "--create", "--topic", topic)
    sizes = ("--num-records", "500", "--record-size", "100", "--throughput", "-1")
    sent = tool("producer-perf-test", "--topic", topic, *sizes)
    assert re.fullmatch(
        r"500 records sent, [\d.]+ records/sec \([\d.]+ MB/sec\), [\d.]+ ms avg latency, [\d.]+ ms"
        r" max latency, \d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99.9th.\n",
        sent.out,
    )
    read = tool("consumer-perf-test", "--topic", topic, "--num-records", "500")
    header, figures = read.out.splitlines()
    assert header.startswith("start.time, end.time, data.consumed.in.MB, MB.sec")
    assert figures.split(", ")[4] == "500"


def test_a_wrong_separator_stops_the_producer(tool: Tool, topic: str) -> None:
    tool("topics", "--create", "--topic", topic)
    ended = tool(
        "console-producer",
        "--topic",
        topic,
        "--reader-property",
        "parse.key=true",
        text="no separator\n",
    )
    assert ended.code == 1
    assert "No key separator found on line number 1: 'no separator'" in ended.err


def test_quotas_are_set_shown_and_taken_back(tool: Tool) -> None:
    """What the tool of Apache Kafka 4.4.0 prints against a broker of its own."""

    def alter(*words: str) -> str:
        ended = tool("configs", "--alter", *words)
        return ended.out if ended.code == 0 else ended.err.partition("\n")[0]

    def describe(*words: str) -> str:
        return tool("configs", "--describe", *words).out

    add, delete = "--add-config", "--delete-config"
    both = "producer_byte_rate=100000000,consumer_byte_rate=200000"
    user = ("--entity-type", "users", "--entity-name", "ann")
    pair = (*user, "--entity-type", "clients", "--entity-name", "app")
    assert alter(add, both, *pair) == "Completed updating config for user ann.\n"
    assert alter(add, "request_percentage=20.5", "--client-defaults") == (
        "Completed updating default config for clients in the cluster.\n"
    )
    assert alter(add, "connection_creation_rate=2000", "--ip", "127.0.0.9") == (
        "Completed updating config for ip 127.0.0.9.\n"
    )
    assert describe("--entity-type", "users", "--entity-type", "clients") == (
        "Quota configs for user-principal 'ann', client-id 'app' are"
        " consumer_byte_rate=200000.0, producer_byte_rate=1.0E8\n"
    )
    assert describe("--entity-type", "users") == ""
    assert describe("--client-defaults") == (
        "Quota configs for the default client-id are request_percentage=20.5\n"
    )
    assert describe("--entity-type", "ips") == (
        "Quota configs for ip '127.0.0.9' are connection_creation_rate=2000.0\n"
    )
    assert alter(delete, "request_percentage", "--client-defaults")
    assert describe("--client-defaults") == ""
    wrong = alter(delete, "request_percentage", "--client-defaults")
    assert wrong.startswith("Error while executing config command")
    assert alter(add, "producer_byte_rate=1", "--ip", "10.0.0.1") == (
        "Only connection quota configs can be added for 'ips' using --bootstrap-server."
        " Unexpected config names: producer_byte_rate"
    )
    assert alter(add, "producer_byte_rate=x", "--user", "ann") == (
        "Cannot parse quota configuration value for producer_byte_rate: x"
    )
    assert alter(add, "producer_byte_rate=1", "--ip", "10.0.0.1", "--user", "ann") == (
        "Only 'users' and 'clients' entity types may be specified together"
    )
    assert alter(
        delete, "producer_byte_rate,consumer_byte_rate", "--user", "ann", "--client", "app"
    )
    assert describe("--user", "ann", "--client", "app") == ""
