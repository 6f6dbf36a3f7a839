"""Logs that a broker finds when it starts and that are not in the metadata."""

from __future__ import annotations

from raftka.kraft.image import MetadataImage
from raftka.model.logs import get_logger
from raftka.storage.log_manager import LogManager

log = get_logger(__name__)


def set_strays_aside(logs: LogManager, image: MetadataImage, node_id: int) -> None:
    """Rename logs from before the restart whose topics were deleted, or recreated under the same
    name.

    A log that has lost its topic id in a crash may be either. Its records were never flushed, since
    a flush makes the id durable first.
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
