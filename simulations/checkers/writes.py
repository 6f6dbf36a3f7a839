"""After a disk error: a log that may have a hole or a torn end takes no further appends.

A failed write leaves unknown bytes, and a failed sync may lose its data for good, whatever a later
sync returns. So the log directory is offline until a new process has recovered it (KIP-112).
"""

from __future__ import annotations

from raftka.simulations.checkers.looks import Looks
from raftka.simulations.machines.machine import DATA
from raftka.simulations.observers.partition_log import Batch, PartitionLogs, ReplicaMirror
from raftka.simulations.violation import About, Report


class FailedWrites:
    """Checks appends on a machine whose disk has had an error."""

    def __init__(self, logs: PartitionLogs, report: Report) -> None:
        self.looks = Looks()
        self._report = report
        self._failed: dict[tuple[str, str], str] = {}
        """The first file with an I/O error in the present process, by host and log directory."""
        logs.on_append.append(self._appended)

    def failed(self, host: str, path: str) -> None:
        """A write to a file, or a sync of it, has failed."""
        if path.startswith(DATA) and path.endswith(".log"):
            self._failed.setdefault((host, _log_directory(path)), path)

    def started(self, host: str) -> None:
        """Another process starts, and recovers what is there."""
        for each in [each for each in self._failed if each[0] == host]:
            del self._failed[each]

    def _appended(self, replica: ReplicaMirror, batches: list[Batch]) -> None:
        if not self._failed:
            return
        self.looks("append-after-failed-write")
        path = self._failed.get((replica.host, _log_directory(replica.directory)))
        if path is not None:
            self._report(
                "append-after-failed-write",
                f"{replica.host} adds offset {batches[0].base_offset} to its log of {replica.name},"
                f" after its disk has refused a write or a sync of {path}: it is unknown what of"
                " that is on the disk, and the process goes on as if all were",
                about=About(replica.key, batches[0].base_offset, node=replica.host),
            )


def _log_directory(path: str) -> str:
    """The first component of a path: each of a machine's log directories is a disk of its own."""
    return path.split("/")[1]
