"""Gauges of this node's view of the cluster's metadata: KafkaController, brokers, topics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from raftka.broker.metrics.families import Family, Sample, counter, gauge, labels
from raftka.model.ids import NO_BROKER
from raftka.model.version import __version__

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.kraft.image import MetadataImage


def controller(node: Node) -> Iterator[Family]:
    """KafkaController and ControllerStats: every controller reports them, as with KRaft."""
    image, of = node.image, "kafka_controller_kafkacontroller_"
    yield gauge(
        (of + "activecontrollercount",),
        "1 on the active controller.",
        int(node.is_active_controller),
    )
    fenced = sum(broker.fenced for broker in image.brokers.values())
    yield gauge(
        (of + "activebrokercount",), "Brokers that are not fenced.", len(image.brokers) - fenced
    )
    yield gauge((of + "fencedbrokercount",), "Brokers that are fenced.", fenced)
    yield gauge((of + "globaltopiccount",), "Topics.", len(image.topics))
    partitions = offline = imbalanced = 0
    for _, _, partition in image.partitions():
        partitions += 1
        offline += partition.leader == NO_BROKER
        imbalanced += partition.leader != partition.replicas[0]
    yield gauge((of + "globalpartitioncount",), "Partitions.", partitions)
    yield gauge((of + "offlinepartitionscount",), "Partitions without a leader.", offline)
    yield gauge(
        (of + "preferredreplicaimbalancecount",),
        "Partitions that their first replica does not lead.",
        imbalanced,
    )
    yield gauge(
        (of + "lastappliedrecordoffset",), "Last batch of metadata in effect.", image.offset
    )
    yield gauge(
        (of + "lastcommittedrecordoffset",),
        "Last batch of metadata committed.",
        node.quorum.last_committed,
    )
    # A node stops if it cannot apply a record, so a node that answers has applied all.
    yield gauge((of + "metadataerrorcount",), "Batches of metadata that could not be applied.", 0)
    elections = node.controller.elections
    yield counter(
        (
            "kafka_controller_controllerstats_uncleanleaderelections_total",
            "kafka_controller_controllerstats_uncleanleaderelectionspersec_total",
        ),
        "Elections of a replica outside of the ISR, by this controller.",
        elections.unclean_count,
    )
    yield counter(
        ("raftka_controller_leader_elections_total",),
        "Partitions that were given another leader by this controller.",
        elections.count,
    )


def brokers(image: MetadataImage) -> Iterator[Family]:
    """The cluster's metrics of the common exporter, reported by the active controller."""
    alive = image.alive_brokers()
    yield gauge(("kafka_brokers",), "Brokers that are not fenced.", len(alive))
    info: list[Sample] = []
    for broker in alive:
        endpoint = broker.endpoints[0] if broker.endpoints else None
        address = "" if endpoint is None else f"{endpoint.host}:{endpoint.port}"
        info.append((labels(address=address, id=broker.broker_id), 1))
    yield Family(("kafka_broker_info",), "gauge", "1 for each broker that is not fenced.", info)
    yield Family(
        ("kafka_topic_partitions",),
        "gauge",
        "Partitions of a topic.",
        [(labels(topic=name), len(topic.partitions)) for name, topic in image.topics.items()],
    )


def disks(node: Node) -> Iterator[Family]:
    """The volumes of the log directories, and the failed directories."""
    online = [(labels(directory=path), node.disk.free_bytes(path)) for path in node.logs.online]
    yield Family(
        ("raftka_log_directory_total_bytes",),
        "gauge",
        "Size of a log directory's volume.",
        [(where, total) for where, (total, _) in online],
    )
    yield Family(
        ("raftka_log_directory_usable_bytes",),
        "gauge",
        "What is free there.",
        [(where, usable) for where, (_, usable) in online],
    )
    failed = len(node.logs.offline)
    yield gauge(
        ("kafka_log_logmanager_offlinelogdirectorycount",),
        "Log directories that have failed.",
        failed,
    )


def node_state(node: Node) -> Iterator[Family]:
    """The identity and state of this node."""
    yield Family(
        ("kafka_server_app_info",),
        "gauge",
        "1, with what runs here.",
        [(labels(version=__version__, node_id=node.node_id, cluster_id=node.cluster_id), 1)],
    )
    if node.is_broker:
        yield gauge(
            ("kafka_server_kafkaserver_brokerstate",),
            "1 starting, 2 recovering, 3 running, 6 and 7 shutting down.",
            node.lifecycle.state.value,
        )
