"""OffsetCommit (key 8): store how far a group has read, with a note of the client's.

Answered when all in-sync replicas have it. Versions 2 to 4 may ask for a retention of their own.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE
from raftka.net.protocol.messages.offset_commit import OffsetCommitRequest
from raftka.net.router import Pending


@handles(OffsetCommitRequest, versions=(2, 9), access=PER_RESOURCE)
def offset_commit(context: Context, request: OffsetCommitRequest) -> Pending:
    node = context.node
    return node.groups.commit_offsets(request, context.api_version)
