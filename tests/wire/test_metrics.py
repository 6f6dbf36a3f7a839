"""Three real nodes as Prometheus sees them, and every query of the dashboards answered by it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from raftka.commands import main
from raftka.local_cluster import LocalCluster
from raftka.local_ports import free_ports
from tests.raftka.test_dashboards import QUERIES
from tests.support.processes import until

pytestmark = pytest.mark.wire

TOPIC = "songs"
GROUP = "listeners"
READ = 40
RECORDS = 70
PORT = re.compile(r"are for Prometheus on port (\d+)")
SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "5",
    "num.partitions": "3",
    "default.replication.factor": "3",
    "prometheus.metrics.reporter.listener": "http://127.0.0.1:0",
}


def url(cluster: LocalCluster, node_id: int, path: str = "/metrics") -> str:
    found = PORT.findall(cluster.log(node_id))
    return f"http://127.0.0.1:{found[-1]}{path}"


def get(where: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(where, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def scrape(cluster: LocalCluster, node_id: int) -> dict[str, Metric]:
    status, text = get(url(cluster, node_id))
    assert status == 200
    return {each.name: each for each in text_string_to_metric_families(text)}


def total(cluster: LocalCluster, name: str, **labels: str) -> float:
    """The sum over all nodes of the samples with these labels."""
    return sum(
        sample.value
        for node_id in cluster.node_ids
        for family in scrape(cluster, node_id).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def produce(producer: Producer, numbers: range) -> None:
    for i in numbers:
        producer.produce(TOPIC, f"song {i}", str(i))
    assert producer.flush(30) == 0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three nodes, a topic with records, and a group that has read the first of them."""
    with LocalCluster(tmp_path_factory.mktemp("metrics"), nodes=3, settings=SETTINGS) as cluster:
        cluster.start(60)
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
        produce(producer, range(READ))
        consumer = Consumer(
            {
                "bootstrap.servers": cluster.bootstrap,
                "group.id": GROUP,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        consumer.subscribe([TOPIC])
        read = 0
        while read < READ:
            message = consumer.poll(30)
            assert message is not None
            assert message.error() is None
            read += 1
        consumer.commit(asynchronous=False)
        produce(producer, range(READ, RECORDS))
        yield cluster
        consumer.close()


def test_counts_over_the_cluster_are_those_of_the_client(cluster: LocalCluster) -> None:
    of = "kafka_server_brokertopicmetrics_"
    for name in ("messagesin_total", "messagesinpersec_total"):
        assert total(cluster, of + name, topic=TOPIC) == RECORDS
    assert total(cluster, "kafka_topic_partition_current_offset", topic=TOPIC) == RECORDS
    assert total(cluster, of + "bytesout_total", topic=TOPIC) > 0
    assert total(cluster, of + "replicationbytesin_total") > 0
    assert total(cluster, "kafka_controller_kafkacontroller_activecontrollercount") == 1
    # 3 of the topic, 5 of the offsets topic.
    assert total(cluster, "kafka_server_replicamanager_leadercount") == 8
    assert total(cluster, "kafka_server_replicamanager_partitioncount") == 24
    assert total(cluster, "kafka_cluster_partition_replicascount", topic=TOPIC) == 9
    for name in ("in_sync_replica", "replicas"):
        assert total(cluster, f"kafka_topic_partition_{name}", topic=TOPIC) == 9


def test_lag_is_known_wherever_the_partitions_are_led(cluster: LocalCluster) -> None:
    left = RECORDS - READ
    assert total(cluster, "kafka_consumergroup_lag", consumergroup=GROUP, topic=TOPIC) == left
    assert total(cluster, "kafka_consumergroup_lag_sum", consumergroup=GROUP) == left
    assert total(cluster, "kafka_consumergroup_members", consumergroup=GROUP) == 1
    offsets = total(cluster, "kafka_consumergroup_current_offset", consumergroup=GROUP)
    assert offsets == READ


def test_requests_have_latencies_and_errors(cluster: LocalCluster) -> None:
    of = "kafka_network_requestmetrics_"
    assert total(cluster, of + "requests_total", request="Produce") > 0
    assert total(cluster, of + "totaltimems", request="Fetch", quantile="0.99") > 0
    assert total(cluster, "raftka_request_seconds_count", request="Produce", stage="total") > 0
    assert total(cluster, of + "errors_total", request="Produce", error="NONE") > 0


def test_the_process_and_the_quorum(cluster: LocalCluster) -> None:
    assert total(cluster, "process_resident_memory_bytes") > 30_000_000
    assert total(cluster, "process_open_fds") > 30
    states = total(cluster, "kafka_server_raftmetrics_current_state", current_state="leader")
    assert states == 1
    epochs = {
        scrape(cluster, node_id)["kafka_server_raftmetrics_current_epoch"].samples[0].value
        for node_id in cluster.node_ids
    }
    assert len(epochs) == 1


def test_health(cluster: LocalCluster) -> None:
    for node_id in cluster.node_ids:
        assert get(url(cluster, node_id, "/health/live")) == (200, '{"status": "UP"}\n')
        assert get(url(cluster, node_id, "/health/ready"))[0] == 200


def ask_prometheus(port: int, query: str) -> list[Any]:
    wanted = urllib.parse.urlencode({"query": query})
    status, text = get(f"http://127.0.0.1:{port}/api/v1/query?{wanted}")
    assert status == 200, text
    found: list[Any] = json.loads(text)["data"]["result"]
    return found


def test_prometheus_answers_every_query_of_the_dashboards(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        pytest.skip("prometheus is not installed (Debian: apt-get install prometheus)")
    (port,) = free_ports(1)
    targets = [url(cluster, node_id, "").removeprefix("http://") for node_id in cluster.node_ids]
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: raftka, static_configs: [{{targets: {targets}}}]}}]\n"
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                prometheus,
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: is_ready(port), "Prometheus is ready", 30)
        # Rates need two scrapes.
        scraped = "min(count_over_time(up[1m])) > 2 and sum(up) == 3"
        until(lambda: ask_prometheus(port, scraped), "three nodes are scraped", 30)
        empty = [
            query
            for query in QUERIES
            if not ask_prometheus(port, query) and 'error!="NONE"' not in query
        ]
        assert empty == []
    finally:
        process.terminate()
        process.wait(30)


def is_ready(port: int) -> bool:
    try:
        return get(f"http://127.0.0.1:{port}/-/ready")[0] == 200
    except OSError:
        return False


def test_the_doctor_of_a_cluster(cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--bootstrap-server", cluster.bootstrap, "--json"]) == 1
    found = [each["what"] for each in json.loads(capsys.readouterr().out)["problems"]]
    # Three nodes of one machine, with Kafka's default of min.insync.replicas, and nothing else.
    assert any("3 of 3 voters are on 127.0.0.1" in what for what in found), found
    assert any("min.insync.replicas=1" in what for what in found), found
    machine = ("% full", "lack replicas in their ISR")
    rest = [what for what in found if not any(words in what for words in machine)]
    assert len(rest) == 2, found


def test_top_looks_twice(cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    looks = ["--looks", "2", "--interval-ms", "200"]
    assert main(["top", "--bootstrap-server", cluster.bootstrap, *looks]) == 0
    text = capsys.readouterr().out
    for words in ("Brokers", "Topics (", "Groups (1)", TOPIC, GROUP, "0 without a leader"):
        assert words in text
    assert main(["top", "--bootstrap-server", cluster.bootstrap, "--looks", "0"]) == 1


def is_zero(cluster: LocalCluster, name: str) -> bool:
    return total(cluster, name) == 0


def test_the_cleaner_and_transactions(cluster: LocalCluster) -> None:
    """Last in this file: it makes topics that the others do not expect."""
    producer = Producer(
        {"bootstrap.servers": cluster.bootstrap, "transactional.id": "singer", "log_level": 0}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("hymns", "one")
    producer.flush(30)
    # Three replicas remember the producer, in the topic while its transaction is open.
    assert total(cluster, "kafka_server_replicamanager_produceridcount") >= 3
    producer.commit_transaction(30)
    of = "kafka_coordinator_transaction_transactionmarkerchannelmanager_"
    for name in ("unknowndestinationqueuesize", "logappendretryqueuesize"):
        until(partial(is_zero, cluster, of + name), f"{name} is empty", 30)
    # The parser has its own name for a counter whose name does not end in _total.
    of = "kafka_server_addpartitionstotxnmanager_"
    assert total(cluster, of + "verificationtimems_count_total") >= 1
    assert total(cluster, of + "verificationfailurerate_total") == 0
    assert total(cluster, "kafka_server_replicamanager_partitionswithlatetransactionscount") == 0
    for node_id in cluster.node_ids:
        found = scrape(cluster, node_id)
        for kind in ("group", "transaction"):
            of = f"kafka_server_{kind}_coordinator_metrics_partition_load_time_"
            assert found[of + "max"].samples[0].value >= found[of + "avg"].samples[0].value >= 0
        assert found["kafka_log_logcleaner_deadthreadcount"].samples[0].value == 0
        uncleanable = found["kafka_log_logcleanermanager_uncleanable_partitions_count"]
        assert [each.value for each in uncleanable.samples] == [0]
        assert found["kafka_log_logcleanermanager_time_since_last_run_ms"].samples[0].value < 60_000
