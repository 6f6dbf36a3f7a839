"""A cluster of an earlier release is upgraded node by node under load, and downgraded.

The earlier release is the commit before ACLs, SCRAM, quotas, several log directories and reasons in
the metadata: later records wait for the feature raftka.version.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from raftka.kraft.controller.features import Change
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest
from raftka.net.protocol.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from raftka.testing.wire import ask
from tests.support.processes import Load, in_sync, until
from tests.support.releases import MixedCluster, commit_before, install

pytestmark = pytest.mark.wire
FIRST_AFTER = "acls: keep them in the metadata, and decide by them as Kafka does"
SETTINGS = {
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "300",
    "min.insync.replicas": "2",
    "default.replication.factor": "3",
    "num.partitions": "3",
}
NEWEST, DEFAULT = 33, 30
"""Levels of metadata.version."""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release before security and metrics, installed."""
    return install(commit_before(FIRST_AFTER), tmp_path_factory.mktemp("earlier"))


@pytest.fixture(scope="module")
def this(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The present checkout, installed from its wheel."""
    return install(None, tmp_path_factory.mktemp("this"))


def test_upgrade_node_by_node_and_back(
    earlier: Path, this: Path, tmp_path: Path, topic: str
) -> None:
    with MixedCluster(tmp_path, SETTINGS, earlier) as cluster:
        cluster.start(60)
        port = cluster.ports[1]
        with Load(cluster.bootstrap, topic) as load:
            commit(cluster.bootstrap, topic, 7)
            move(cluster, this, load, topic)

            # Every node is new, and none writes records yet that the old release cannot read.
            assert level(port, "raftka.version") == 0
            refused = tool(this, "configs", cluster, *("--alter", *ALICE), code=1)
            assert "features upgrade --feature raftka.version=1" in refused
            assert committed(cluster.bootstrap, topic) == 7

            told = tool(this, "features", cluster, "upgrade", "--feature", "raftka.version=1")
            assert "raftka.version was upgraded to 1" in told
            assert change(port, "metadata.version", NEWEST, Change.UPGRADE) == (0, "")
            transact(cluster.bootstrap, topic)
            tool(this, "configs", cluster, "--alter", *ALICE)
            load.progress()

            code, words = change(port, "raftka.version", 0, Change.SAFE_DOWNGRADE)
            assert code == ErrorCode.INVALID_UPDATE_VERSION and "passwords of users" in words
            gone = ("--alter", *ALICE[:-2], "--delete-config", "SCRAM-SHA-256")
            tool(this, "configs", cluster, *gone)
            assert change(port, "metadata.version", DEFAULT, Change.SAFE_DOWNGRADE) == (0, "")
            assert change(port, "raftka.version", 0, Change.SAFE_DOWNGRADE) == (0, "")
            for node_id in cluster.node_ids:
                until(partial(snapshot, cluster, node_id), f"a snapshot of node {node_id}")
            move(cluster, earlier, load, topic)
            assert committed(cluster.bootstrap, topic) == 7
        assert load.errors == []
        assert load.lost() == []


ALICE = (
    *("--entity-type", "users", "--entity-name", "alice"),
    *("--add-config", "SCRAM-SHA-256=[iterations=4096,password=alice-secret]"),
)


def move(cluster: MixedCluster, release: Path, load: Load, topic: str) -> None:
    """Restart node by node with another release while the load goes on; the last one crashes."""
    for node_id in cluster.node_ids:
        if node_id == cluster.node_ids[-1]:
            cluster.kill(node_id)
        else:
            assert cluster.stop_node(node_id) == 0
        cluster.sites[node_id] = release
        cluster.start_node(node_id, 60)
        in_sync(cluster, topic, cluster.node_ids, port=cluster.ports[node_id])
        load.progress()


def snapshot(cluster: MixedCluster, node_id: int) -> bool:
    return "raftka.version went down" in cluster.log(node_id) and bool(
        list((cluster.data(node_id) / "__cluster_metadata-0").glob("*.checkpoint"))
    )


def tool(release: Path, name: str, cluster: MixedCluster, *words: str, code: int = 0) -> str:
    server = ("--bootstrap-server", cluster.bootstrap)
    done = subprocess.run(
        [*(sys.executable, "-P", "-m", "raftka", name), *server, *words],
        env=MixedCluster.environment(release),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def level(port: int, feature: str) -> int:
    question = ApiVersionsRequest(client_software_name="t", client_software_version="1")
    answer = ask(port, question, 3)
    return next((e.max_version_level for e in answer.finalized_features if e.name == feature), 0)


def change(port: int, feature: str, to: int, kind: Change) -> tuple[int, str]:
    wish = FeatureUpdateKey(feature=feature, max_version_level=to, upgrade_type=kind)
    answer = ask(port, UpdateFeaturesRequest(feature_updates=[wish]), 1)
    failed = [answer, *answer.results]
    return next(((e.error_code, e.error_message or "") for e in failed if e.error_code), (0, ""))


def commit(bootstrap: str, topic: str, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g"})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def committed(bootstrap: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g"})
    (found,) = consumer.committed([TopicPartition(topic, 0)], timeout=20)
    consumer.close()
    return int(found.offset)


def transact(bootstrap: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "x"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"in a transaction")
    producer.commit_transaction(30)
