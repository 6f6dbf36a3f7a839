"""Where the logs of share-partition states may begin: at or before a snapshot of each state.

__share_group_state is not compacted; its coordinator writes snapshots and deletes the records
before them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from raftka.broker.coordinators.share import records
from raftka.broker.coordinators.share.state import ShareState
from raftka.broker.share.key import SharePartitionKey
from raftka.model.ids import SHARE_STATE_TOPIC
from raftka.simulations.observers.batch_contents import CONTROL, entries
from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs, ReplicaMirror

_START: Final = 0


class Epochs(NamedTuple):
    """By whom a state was written: the larger one is the later one."""

    state_epoch: int
    leader_epoch: int


class Follows(Protocol):
    """Is called when a state follows another in a replica's log, with its offset."""

    def __call__(
        self, replica: ReplicaMirror, offset: int, key: SharePartitionKey, old: Epochs, new: Epochs
    ) -> None: ...


class ShareStates:
    """The last snapshot of each state, and who wrote that last, in the log of each replica."""

    def __init__(
        self, logs: PartitionLogs, may_begin_at: Callable[[Key, int], None], follows: Follows
    ) -> None:
        """`may_begin_at` is called with the first offset that a log still needs."""
        self._may_begin_at = may_begin_at
        self._follows = follows
        self._snapshots: dict[tuple[str, Key], dict[SharePartitionKey, int]] = {}
        self._epochs: dict[tuple[str, Key], dict[SharePartitionKey, Epochs]] = {}
        logs.on_append.append(self._appended)
        logs.on_shrink.append(self._shrunk)

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        if replica.key[0] != SHARE_STATE_TOPIC:
            return
        place = (replica.host, replica.key)
        start = batches[0].base_offset if place in self._snapshots else _START
        snapshots = self._snapshots.setdefault(place, {})
        epochs = self._epochs.setdefault(place, {})
        for batch, data in replica.contents(start):
            for entry in entries(data) if not batch.attributes & CONTROL else ():
                if entry.key is None:
                    continue
                match records.decode(entry.key, entry.value):
                    case records.Snapshot(where, None):
                        snapshots.pop(where, None)
                        epochs.pop(where, None)
                    case records.Snapshot(where, state) if state is not None:
                        snapshots[where] = entry.offset
                        if _is_initial(state):
                            epochs.pop(where, None)
                        new = Epochs(state.state_epoch, state.leader_epoch)
                        self._written(replica, entry.offset, where, epochs, new)
                    case records.Update(where, _, change) if where in epochs:
                        new = Epochs(epochs[where].state_epoch, change.leader_epoch)
                        self._written(replica, entry.offset, where, epochs, new)
        if snapshots:
            self._may_begin_at(replica.key, min(snapshots.values()))

    def _written(
        self,
        replica: ReplicaMirror,
        offset: int,
        key: SharePartitionKey,
        epochs: dict[SharePartitionKey, Epochs],
        new: Epochs,
    ) -> None:
        if (old := epochs.get(key)) is not None:
            self._follows(replica, offset, key, old, new)
        epochs[key] = new

    def _shrunk(self, replica: ReplicaMirror) -> None:
        self._snapshots.pop((replica.host, replica.key), None)
        self._epochs.pop((replica.host, replica.key), None)


def _is_initial(state: ShareState) -> bool:
    """Whether the group coordinator has initialized the state, as it may again after its log lost
    the note of that: it was written by no leader yet, which its leader epoch of 0 stands for."""
    return not state.leader_epoch and not state.batches and state.created_ms == state.written_ms
