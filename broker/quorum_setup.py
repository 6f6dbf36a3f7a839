"""Creates the quorum from a node's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.kraft.raft.port import QuorumSettings
from raftka.kraft.raft.quorum import Quorum
from raftka.model.ids import Endpoint
from raftka.model.settings import Config
from raftka.model.settings.listeners import bootstrap_servers, quorum_voters

if TYPE_CHECKING:
    from raftka.broker.directories import Directories
    from raftka.broker.node import Node

METADATA_LOG = "__cluster_metadata-0"


def controller_endpoints(config: Config) -> dict[int, Endpoint]:
    """The endpoints of the controllers by id, as far as the settings contain them."""
    return {voter.id: voter.endpoint for voter in quorum_voters(config).values()}


def _retained_bytes(allowed: int) -> int:
    """The log stays short, even if it may be larger: a snapshot loads faster."""
    most = QuorumSettings().retained_bytes
    return most if allowed < 0 else min(allowed, most)


def make_quorum(node: Node, directories: Directories) -> Quorum:
    """This node's replica of the metadata log, as a voter or an observer."""
    config = node.config
    return Quorum(
        cluster_id=node.cluster_id,
        node_id=node.node_id,
        directory_id=node.directory_id,
        directory=f"{directories.metadata_directory}/{METADATA_LOG}",
        listener=node.loader,
        clock=node.clock,
        dice=node.dice,
        disk=node.disk,
        network=node.controller_network,
        can_vote=node.is_controller,
        voters=controller_endpoints(config),
        bootstrap_servers=bootstrap_servers(config),
        take_snapshot=node.loader.take_snapshot,
        link_broken=node.suspects.suspect,
        rules_off=node.rules_off,
        settings=QuorumSettings(
            election_timeout_s=config.int("controller.quorum.election.timeout.ms") / 1000,
            heartbeat_at_most_s=config.int("raftka.quorum.heartbeat.ms") / 1000,
            fetch_timeout_s=config.int("controller.quorum.fetch.timeout.ms") / 1000,
            snapshot_after_bytes=config.int("metadata.log.max.record.bytes.between.snapshots"),
            snapshot_after_s=config.int("metadata.log.max.snapshot.interval.ms") / 1000,
            segment_bytes=config.int("metadata.log.segment.bytes"),
            retained_bytes=_retained_bytes(config.int("metadata.max.retention.bytes")),
        ),
    )
