"""DescribeLogDirs (key 35): the sizes of partitions in log directories (KIP-113, KIP-827).

A null list of topics selects all. The lag of a replica is the distance from its log end offset to
the high watermark that it knows, or for a future replica (KIP-113) to the end of the log that it
will replace. Offline directories are listed with KAFKA_STORAGE_ERROR. Replicas of compacted topics
include the state of their cleaner, in a tagged field of raftka's own that other clients ignore
(KIP-482).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from raftka.broker.directories import cordoned
from raftka.broker.request import Context, handles
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.describe_log_dirs import (
    DescribeLogDirsCleaner,
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.storage.log import Log

Wanted = dict[str, Collection[int]]


@handles(DescribeLogDirsRequest, versions=(1, 5), access=Cluster.DESCRIBE)
def describe_log_dirs(context: Context, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
    node = context.node
    wanted: Wanted | None = None
    if request.topics is not None:
        wanted = {each.topic: frozenset(each.partitions) for each in request.topics}
    results = [_directory(node, path, wanted) for path in node.logs.online]
    results += [
        DescribeLogDirsResult(error_code=int(ErrorCode.KAFKA_STORAGE_ERROR), log_dir=path)
        for path in node.logs.offline
    ]
    return DescribeLogDirsResponse(results=results)


def _logs(node: Node, path: str) -> Iterator[tuple[Log, int]]:
    """The logs in a directory, each with the offset that it should reach: the high watermark that a
    replica knows, or for a future replica the end of the log that it will replace."""
    for log in node.logs:
        if log.directory.startswith(path + "/"):
            replica = node.replicas.get(*log.topic_partition)
            yield log, 0 if replica is None else replica.state.high_watermark
    for target, future in node.logs.futures:
        if future.home.path == path:
            current = node.logs.get(target)
            yield future.log, 0 if current is None else current.log_end_offset


def _directory(node: Node, path: str, wanted: Wanted | None) -> DescribeLogDirsResult:
    result = DescribeLogDirsResult(log_dir=path, is_cordoned=path in cordoned(node.config))
    topics: dict[str, DescribeLogDirsTopic] = {}
    for log, end in _logs(node, path):
        name, index = log.topic_partition
        if wanted is not None and index not in wanted.get(name, ()):
            continue
        topic = topics.get(name)
        if topic is None:
            topic = topics[name] = DescribeLogDirsTopic(name=name)
            result.topics.append(topic)
        topic.partitions.append(
            DescribeLogDirsPartition(
                partition_index=index,
                partition_size=log.size,
                offset_lag=max(0, end - log.log_end_offset),
                is_future_key=node.logs.get(log.topic_partition) is not log,
                cleaner=_cleaner(node, log),
            )
        )
    try:
        result.total_bytes, result.usable_bytes = node.disk.free_bytes(path)
    except OSError as error:
        node.logs.fail(path, str(error))
        return DescribeLogDirsResult(error_code=int(ErrorCode.KAFKA_STORAGE_ERROR), log_dir=path)
    return result


def _cleaner(node: Node, log: Log) -> list[DescribeLogDirsCleaner]:
    """The cleaner's state of a compacted log; None for others, and before the first cleaning."""
    state = node.cleaner.states.get(log.topic_partition)
    if state is None or not log.config.compacts:
        return []
    return [
        DescribeLogDirsCleaner(
            dirty_bytes=state.dirty_bytes,
            blocked_bytes=state.blocked_bytes,
            dirty_percent=round(100 * state.dirty_ratio),
            cleaned_to=-1 if state.cleaned_to is None else state.cleaned_to,
            last_run=-1 if state.last_run_ms is None else state.last_run_ms,
            blocked_by=state.blocked_by,
            uncleanable=state.uncleanable,
        )
    ]
