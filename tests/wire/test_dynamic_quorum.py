"""Controllers and brokers apart; voters that come and go while the cluster works (KIP-853)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import trio

from raftka.client.admin import Admin, Alteration, Resource, ResourceType
from raftka.local_cluster import LocalCluster
from raftka.storage.meta_properties import FILE_NAME
from tests.support.processes import Load, in_sync, until

SETTINGS = {
    "default.replication.factor": "2",
    "offsets.topic.num.partitions": "3",
    "metadata.log.max.record.bytes.between.snapshots": "5000",
    "controller.quorum.voters": "",
}


def raftka(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "raftka", *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def voters(cluster: LocalCluster) -> list[int]:
    """The voters that a broker's DescribeQuorum reports."""
    address = f"127.0.0.1:{cluster.ports[5]}"
    told = raftka("metadata-quorum", "--bootstrap-server", address, "describe", "--status")
    found = re.search(r"CurrentVoters:\s+(.*)", told)
    assert found is not None, told
    return [voter["id"] for voter in json.loads(found[1])]


def directory_id(cluster: LocalCluster, node_id: int) -> str:
    text = (cluster.data(node_id) / FILE_NAME).read_text().replace("\\", "")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)["directory.id"]


def checkpoints(cluster: LocalCluster, node_id: int) -> list[Path]:
    return sorted((cluster.data(node_id) / "__cluster_metadata-0").glob("*.checkpoint"))


def test_voters_come_and_go(tmp_path: Path, topic: str) -> None:
    with LocalCluster(tmp_path, nodes=1, settings=SETTINGS) as cluster:
        controllers = f"127.0.0.1:{cluster.controller_ports[1]}"
        for node_id, role in enumerate(("controller",) * 3 + ("broker",) * 2, 1):
            wanted = {"process.roles": role, "controller.quorum.bootstrap.servers": controllers}
            cluster.configure(node_id, wanted)
        cluster.format(1, "--standalone")
        for node_id in (2, 3):
            cluster.format(node_id, "--no-initial-controllers")
        for node_id in (4, 5):
            cluster.format(node_id)
        for node_id in cluster.node_ids:
            cluster.launch(node_id)
        for node_id in (4, 5):
            cluster.await_ready(node_id, 60)
        assert voters(cluster) == [1]
        for node_id in (2, 3):
            where = ("--bootstrap-controller", controllers)
            config = ("--command-config", str(cluster.config_path(node_id)))
            raftka("metadata-quorum", *where, *config, "add-controller")
        assert voters(cluster) == [1, 2, 3]

        servers = ("--bootstrap-server", f"127.0.0.1:{cluster.ports[4]}")
        raftka("topics", *servers, "--create", "--topic", topic, "--partitions", "3")
        with Load(cluster.bootstrap, topic) as load:
            # The first voter, which leads and which alone was named in the settings, dies.
            cluster.kill(1)
            gone = ("--controller-id", "1", "--controller-directory-id", directory_id(cluster, 1))
            raftka("metadata-quorum", *servers, "remove-controller", *gone)
            assert voters(cluster) == [2, 3]
            for number in range(3):
                name = f"{topic}-{number}"
                raftka("topics", *servers, "--create", "--topic", name, "--partitions", "30")
            until(lambda: checkpoints(cluster, 2), "a snapshot")
            load.progress()
            # It comes back as an observer, which may become a voter again.
            cluster.launch(1)
            config = ("--command-config", str(cluster.config_path(1)))
            raftka("metadata-quorum", *servers, *config, "add-controller")
            assert voters(cluster) == [1, 2, 3]
            load.progress()
        assert load.errors == []
        assert load.lost() == []


def journal_bytes(cluster: LocalCluster, node_id: int) -> int:
    directory = cluster.data(node_id) / "__cluster_metadata-0"
    return sum(file.stat().st_size for file in directory.glob("*.journal"))


async def write_much(bootstrap: str, topic: str) -> None:
    """Some megabytes of metadata."""
    resource = Resource(ResourceType.TOPIC, topic)
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        for number in range(80):
            throttled = ",".join(f"{partition}:{number}" for partition in range(10_000))
            wanted = Alteration("leader.replication.throttled.replicas", throttled)
            await admin.incremental_alter_configs({resource: [wanted]})


def test_who_was_away_for_long_catches_up_by_snapshot(tmp_path: Path, topic: str) -> None:
    settings = {"metadata.log.max.record.bytes.between.snapshots": "500000"}
    with LocalCluster(tmp_path, settings=settings) as cluster:
        cluster.start(60)
        servers = ("--bootstrap-server", f"127.0.0.1:{cluster.ports[1]}")
        raftka("topics", *servers, "--create", "--topic", topic, "--partitions", "3")
        replicas = ("--partitions", "3", "--replication-factor", "3")
        cluster.kill(3)
        trio.run(write_much, f"127.0.0.1:{cluster.ports[1]}", topic)
        # Twice the log kept for nodes that lag a little, and less than was written.
        assert all(journal_bytes(cluster, node_id) < 5_000_000 for node_id in (1, 2))
        cluster.start_node(3, 60)
        assert "metadata snapshot loaded" in cluster.log(3)
        assert journal_bytes(cluster, 3) < 1_000_000
        raftka("topics", *servers, "--create", "--topic", f"{topic}-2", *replicas)
        in_sync(cluster, f"{topic}-2", (1, 2, 3), port=cluster.ports[3])
