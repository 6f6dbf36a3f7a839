"""Logs that a broker finds at its start, and that the metadata knows nothing of."""

from __future__ import annotations

from raftka.kraft.image import MetadataImage
from raftka.model.logs import get_logger
from raftka.storage.log_manager import LogManager

log = get_logger(__name__)


def set_strays_aside(logs: LogManager, image: MetadataImage, node_id: int) -> None:
    """Keep logs from before our restart whose topics are gone, or other ones of the same name,
    under another name.

    One that has lost its topic's id in a crash may be either. What it has was never flushed,
    since a flush makes the id durable first.
    """
    for topic_partition, topic_id in logs.hosted():
        topic = image.topics.get(topic_partition.topic)
        view = None if topic is None else topic.partition(topic_partition.partition)
        if (
            topic is None
            or view is None
            or topic_id != topic.topic_id
            or node_id not in view.replicas
        ):
            path = logs.set_stray(topic_partition)
            log.warning(f"{topic_partition} is no longer ours: its log is kept in {path}")
