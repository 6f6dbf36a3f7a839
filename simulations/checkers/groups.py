"""Consumer groups, from their members' view: one owner for each partition and generation.

A generation counts once a member received its assignment: from then on it is durable, no later
JoinGroup leads to a smaller one, and no member of an earlier one can commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raftka.net.protocol import codec
from raftka.net.protocol.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.violation import About, Report


class GroupChecker:
    """Checks joins, assignments and commits."""

    def __init__(self, watched: Watched, report: Report, is_excused: Callable[[str], bool]) -> None:
        """`is_excused`: whether the state of a group's coordinator may be lost with its disks."""
        self.looks = Looks()
        self._report = report
        self._is_excused = is_excused
        self._generations: dict[str, int] = {}
        """Each group's newest generation in which a member has its assignment."""
        self._owners: dict[str, dict[Key, str]] = {}
        """The owner of each partition in that generation."""
        self._joins: dict[int, tuple[Any, int]] = {}
        """JoinGroup requests in flight, with the newest generation when each was sent."""
        self._commits: dict[int, tuple[Any, int]] = {}
        """Commits in flight, with the newest generation when each was sent."""
        watched.request("JoinGroup", self._join_sent)
        watched.answer("JoinGroup", self._joined)
        watched.answer("SyncGroup", self._synced)
        watched.request("OffsetCommit", self._commit_sent)
        watched.answer("OffsetCommit", self._commit_answered)

    def _join_sent(self, client: str, server: str, request: Any) -> None:
        self._joins[id(request)] = (request, self._generations.get(request.group_id, 0))

    def _joined(self, client: str, server: str, request: Any, response: Any) -> None:
        # A coordinator that resumes after a pause completes earlier requests of its members, as in
        # Kafka. They gain nothing: a generation has no assignment until it is in the log.
        _, newest = self._joins.pop(id(request), (None, 0))
        if response.error_code or self._is_excused(request.group_id):
            return
        self.looks("generation-went-back")
        if response.generation_id < newest:
            self._report(
                "generation-went-back",
                f"{server} lets {client} join generation {response.generation_id} of group"
                f" {request.group_id}, which was in generation {newest} already",
                about=About(group=request.group_id, node=server, other=client),
            )

    def _synced(self, client: str, server: str, request: Any, response: Any) -> None:
        if response.error_code or request.protocol_type not in (None, "", "consumer"):
            return
        self.looks("two-owners")
        group, generation = request.group_id, request.generation_id
        newest = self._generations.get(group, -1)
        if generation > newest:
            self._generations[group] = generation
            self._owners[group] = {}
        elif generation < newest:
            return  # It came too late to help its member, whose next request gets an error.
        if not response.assignment:
            return
        owners = self._owners[group]
        assigned = codec.decode_versioned(
            ConsumerProtocolAssignment, response.assignment, newest=True
        )
        for topic in assigned.assigned_partitions:
            for index in topic.partitions:
                owner = owners.setdefault((topic.topic, index), request.member_id)
                if owner != request.member_id and not self._is_excused(group):
                    self._report(
                        "two-owners",
                        f"{topic.topic}-{index} belongs to {owner} and to {request.member_id} in"
                        f" generation {generation} of group {group}",
                        about=About((topic.topic, index), group=group, node=server, other=client),
                    )

    def _commit_sent(self, client: str, server: str, request: Any) -> None:
        self._commits[id(request)] = (request, self._generations.get(request.group_id, -1))

    def _commit_answered(self, client: str, server: str, request: Any, response: Any) -> None:
        _, newest = self._commits.pop(id(request), (None, -1))
        generation = request.generation_id_or_member_epoch
        if generation < 0 or generation >= newest or self._is_excused(request.group_id):
            return
        self.looks("commit-of-an-old-generation")
        taken = [
            f"{topic.name}-{partition.partition_index}"
            for topic in response.topics
            for partition in topic.partitions
            if not partition.error_code
        ]
        if taken:
            self._report(
                "commit-of-an-old-generation",
                f"{server} takes offsets of {', '.join(taken)} from {client}, which is in"
                f" generation {generation} of group {request.group_id}, when members of generation"
                f" {newest} had their partitions",
                about=About(group=request.group_id, node=server, other=client),
            )
