"""What brokers report of their logs: log start <= last stable offset <= high watermark <= end.

The high watermark is a promise: every running in-sync replica has all records below it, it never
goes back while one process leads in one epoch, and no consumer gets a record beyond it.
The ends of the logs are those on the disks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from raftka.kraft.image import PartitionImage
from raftka.model.record_batch import iter_batches
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Key, PartitionLogs
from raftka.simulations.violation import About, Report


class AnswerChecker:
    """Checks responses to Fetch requests, and requests to change an ISR."""

    def __init__(
        self,
        watched: Watched,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        report: Report,
        *,
        life_of: Callable[[str], int | None],
        is_excused: Callable[[Key, int], bool],
        claimed: Callable[[str, Key, int, str], None],
        note: Callable[[str], None],
        later: Callable[[Callable[[], None]], None],
        min_isr: Callable[[str], int],
        may_begin_at: Callable[[Key], int],
    ) -> None:
        """`life_of`: the registered process that runs on a host. `is_excused`: whether a broker's
        replica of a partition may lack records after what its disks lost. `claimed` gets each high
        watermark that a consumer receives, also from a follower; `note` gets rare situations.
        `later` defers a call by a few milliseconds. `min_isr`: a topic's min.insync.replicas.
        `may_begin_at`: the offset up to which records were deleted on purpose.
        """
        self.looks = Looks()
        self._metadata = metadata
        self._logs = logs
        self._report = report
        self._life_of = life_of
        self._is_excused = is_excused
        self._claimed = claimed
        self._note = note
        self._later = later
        self._min_isr = min_isr
        self._may_begin_at = may_begin_at
        self._high_watermarks: dict[tuple[str, Key], tuple[tuple[int, int], int]] = {}
        """The last value a host reported: ((process, leader epoch), high watermark)."""
        self._proposed: dict[Key, tuple[int, set[int]]] = {}
        """The ISR that the leader last requested: (leader epoch, brokers)."""
        self._sessions: dict[tuple[str, int], tuple[int | None, int]] = {}
        """(leader's host, follower) -> (process, broker epoch) that began to fetch last."""
        watched.request("Fetch", self._session_begins)
        watched.answer("Fetch", self._fetched)
        watched.request("AlterPartition", self._isr_proposed)
        metadata.on_change.append(self._isr_changed)

    def forget(self, topic: str) -> None:
        """The topic was deleted."""
        for place in [place for place in self._high_watermarks if place[1][0] == topic]:
            del self._high_watermarks[place]
        for key in [key for key in self._proposed if key[0] == topic]:
            del self._proposed[key]

    def told_high_watermark(self, server: str, key: Key) -> int:
        """The last high watermark of a leader's present process in the present epoch, or -1."""
        partition = self._metadata.image.partition(*key)
        found = self._high_watermarks.get((server, key))
        if partition is None or found is None:
            return -1
        reign, high_watermark = found
        return high_watermark if reign == (self._life_of(server), partition.leader_epoch) else -1

    # Fetch responses.

    def _fetched(self, client: str, server: str, request: Any, response: Any) -> None:
        if response.error_code or not response.responses:
            return
        life = self._life_of(server)
        if life is None:
            return
        image = self._metadata.image
        is_follower = request.replica_id >= 0 or request.replica_state.replica_id >= 0
        for topic in response.responses:
            name = image.topic_names.get(topic.topic_id, topic.topic)
            for data in topic.partitions:
                partition = image.partition(name, data.partition_index) if name else None
                if partition is None or data.error_code or data.high_watermark < 0:
                    continue
                key = (name, data.partition_index)
                if f"n{partition.leader}" == server:
                    self._check_leader(key, partition, server, life, data)
                if not is_follower:
                    self._claimed(server, key, data.high_watermark, f"answers {client} with offset")
                    if data.records:
                        self._check_records(key, server, client, data)
                        if f"n{partition.leader}" != server:
                            self._note("consumer read from a follower")

    def _check_leader(
        self, key: Key, partition: PartitionImage, server: str, life: int, data: Any
    ) -> None:
        self.looks("offsets-out-of-order", "high-watermark-went-back")
        high_watermark = data.high_watermark
        mirror = self._logs.replica(server, key)
        end = mirror.end_offset if mirror is not None else 0
        stable = data.last_stable_offset
        if not max(0, data.log_start_offset) <= stable <= high_watermark <= end:
            self._report(
                "offsets-out-of-order",
                f"{server}, leader of {_name(key)} in epoch {partition.leader_epoch}, answers with"
                f" log start {data.log_start_offset}, last stable offset {stable}, high watermark"
                f" {high_watermark}, and its log ends at {end}",
                about=About(key, node=server),
            )
        self.check_start(key, server, data.log_start_offset)
        reign = (life, partition.leader_epoch)
        before = self._high_watermarks.get((server, key))
        if before is not None and before[0] == reign and high_watermark < before[1]:
            self._report(
                "high-watermark-went-back",
                f"{server}, leader of {_name(key)} in epoch {partition.leader_epoch}, has told the"
                f" high watermark {before[1]} and now answers {high_watermark}",
                about=About(key, high_watermark, node=server),
            )
        if before is None or before != (reign, high_watermark):
            self._high_watermarks[server, key] = (reign, high_watermark)
            self.check_committed(key, partition, server, high_watermark)
            if before is not None and before[0] == reign:
                self._check_copies(key, partition, server, high_watermark)

    def check_start(self, key: Key, server: str, log_start_offset: int) -> None:
        """The log start leaves out only records that were deleted."""
        self.looks.at("log-begins-too-late")
        allowed = self._may_begin_at(key)
        if log_start_offset > allowed and not self._is_excused(key, int(server[1:])):
            self._report(
                "log-begins-too-late",
                f"{server}, leader of {_name(key)}, says that its log begins at"
                f" {log_start_offset}, but nothing was deleted from {allowed} on",
                about=About(key, allowed, node=server),
            )

    def _check_copies(
        self, key: Key, partition: PartitionImage, leader: str, high_watermark: int
    ) -> None:
        """A record committed in this epoch is on at least min.insync.replicas disks."""
        self.looks.at("committed-on-too-few")
        needed = min(self._min_isr(key[0]), len(partition.replicas))
        copies = []
        for broker_id in partition.replicas:
            mirror = self._logs.replica(f"n{broker_id}", key)
            # A machine that has lost part of its disk since may have had it.
            has_it = mirror is not None and mirror.end_offset >= high_watermark
            if has_it or self._is_excused(key, broker_id):
                copies.append(broker_id)
        if len(copies) < needed:
            self._report(
                "committed-on-too-few",
                f"{leader}, leader of {_name(key)} in epoch {partition.leader_epoch}, raised its"
                f" high watermark to {high_watermark}, and only brokers {copies} have that much;"
                f" min.insync.replicas is {needed}",
                about=About(key, high_watermark - 1, node=leader),
            )

    def check_committed(
        self, key: Key, partition: PartitionImage, leader: str, offset: int, what: str = ""
    ) -> None:
        """Every running in-sync replica has the records before `offset`, the high watermark or
        another offset that a leader has just reported as committed."""
        self.looks.at("isr-member-below-high-watermark")
        for broker_id in partition.isr:
            host = f"n{broker_id}"
            if host == leader or self._life_of(host) is None or self._is_excused(key, broker_id):
                continue
            mirror = self._logs.replica(host, key)
            end = mirror.end_offset if mirror is not None else 0
            if end < offset:
                words = (
                    f"{leader}, leader of {_name(key)} in epoch {partition.leader_epoch},"
                    f" {what or f'answered with the high watermark {offset}'}, but broker"
                    f" {broker_id} of the"
                    f" ISR {list(partition.isr)} had a log that ended at {end}"
                )
                about = About(key, end, node=host, other=leader)
                # A leader may learn of a smaller ISR a moment before the observer does.
                self._later(partial(self._still_member, about, partition, broker_id, words))

    def _still_member(
        self, about: About, partition: PartitionImage, broker_id: int, words: str
    ) -> None:
        key = about.partition
        assert key is not None
        now = self._metadata.image.partition(*key)
        if now is None or now.partition_epoch != partition.partition_epoch:
            return
        if not self._is_excused(key, broker_id):
            self._report("isr-member-below-high-watermark", words, about=about)

    def _check_records(self, key: Key, server: str, client: str, data: Any) -> None:
        self.looks("record-beyond-high-watermark")
        for header, _ in iter_batches(data.records):
            if header.last_offset >= data.high_watermark:
                self._report(
                    "record-beyond-high-watermark",
                    f"{server} gives {client} the record at offset {header.last_offset} of"
                    f" {_name(key)} with the high watermark {data.high_watermark}",
                    about=About(key, header.last_offset, node=server, other=client),
                )

    # Replicas that may join the ISR.

    def _isr_proposed(self, client: str, server: str, request: Any) -> None:
        for topic in request.topics:
            name = self._metadata.image.topic_names.get(topic.topic_id)
            for data in topic.partitions:
                if name is None:
                    continue
                key = (name, data.partition_index)
                members = {each.broker_id for each in data.new_isr_with_epochs} | set(data.new_isr)
                known = self._proposed.get(key)
                if known is not None and known[0] > data.leader_epoch:
                    continue  # A former leader that does not know its successor yet.
                if known is not None and known[0] == data.leader_epoch:
                    members |= known[1]
                self._proposed[key] = (data.leader_epoch, members)

    def _session_begins(self, client: str, server: str, request: Any) -> None:
        """A follower's process, or a consumer, has sent its first fetch to that broker."""
        follower = request.replica_state
        if follower.replica_id >= 0:
            life = (self._life_of(client), follower.replica_epoch)
            self._sessions[server, follower.replica_id] = life

    def _isr_changed(self, key: Key, before: PartitionImage | None, after: PartitionImage) -> None:
        """The ISR that a leader counts on contains the controller's: no replica joins unasked."""
        if before is None:
            self._proposed.pop(key, None)
            return
        if before.leader_epoch != after.leader_epoch or not set(after.isr) - set(before.isr):
            return
        self.looks("isr-grew-unasked", "isr-member-of-a-former-life")
        epoch, members = self._proposed.get(key, (-1, set()))
        unasked = set(after.isr) - set(before.isr) - members
        if epoch != after.leader_epoch or unasked:
            self._report(
                "isr-grew-unasked",
                f"the ISR of {_name(key)} went from {list(before.isr)} to {list(after.isr)} in"
                f" leader epoch {after.leader_epoch}, and its leader {after.leader} had not asked"
                f" for {sorted(unasked) or list(after.isr)}",
                about=About(key, node=f"n{after.leader}"),
            )
        for joined in sorted(set(after.isr) - set(before.isr)):
            self._check_life(key, after, joined)
        leader = f"n{after.leader}"
        self.check_committed(key, after, leader, self.told_high_watermark(leader, key))

    def _check_life(self, key: Key, after: PartitionImage, joined: int) -> None:
        """A replica that joins the ISR has fetched from its leader in this life (KIP-903)."""
        life = self._life_of(f"n{joined}")
        fetched = self._sessions.get((f"n{after.leader}", joined))
        broker = self._metadata.image.brokers.get(joined)
        if life is None or broker is None:
            return  # The controller does not know yet whether it runs, nor as which process.
        if fetched is not None and (fetched[0] == life or fetched[1] == broker.epoch):
            return
        last = "no process" if fetched is None else f"a process that is gone (epoch {fetched[1]})"
        self._report(
            "isr-member-of-a-former-life",
            f"broker {joined} joined the ISR {list(after.isr)} of {_name(key)} in leader epoch"
            f" {after.leader_epoch}. Its process, registered with epoch {broker.epoch}, has not"
            f" fetched from the leader {after.leader} yet: {last} did, and the log may have been"
            " lost since (KIP-903)",
            about=About(key, node=f"n{joined}", other=f"n{after.leader}"),
        )


def _name(key: Key) -> str:
    return f"{key[0]}-{key[1]}"
