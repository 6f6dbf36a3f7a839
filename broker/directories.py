"""A node's directories at its start: checks that they are formatted for this node, locks them, and
reads their files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from raftka.kraft.controller.features import BOOTSTRAP
from raftka.model.dataclass import dataclass
from raftka.model.ids import NO_EPOCH, ZERO_UUID, Uuid
from raftka.model.logs import get_logger
from raftka.model.ports import Clock, Dice, Disk, FileLock
from raftka.model.rules import RulesOff
from raftka.model.scram import ScramCredential
from raftka.model.settings import Config
from raftka.storage import bootstrap, clean_shutdown, meta_properties
from raftka.storage.config import LogConfig
from raftka.storage.log_directory import LOCK
from raftka.storage.log_manager import LogManager
from raftka.storage.meta_properties import BadDirectory, MetaProperties

ALL_DIRECTORIES: Final = "*"
"""In cordoned.log.dirs: stands for all log directories."""

log = get_logger(__name__)


@dataclass
class Directories:
    """The directories of one node, locked until `release`."""

    disk: Disk
    cluster_id: str
    paths: tuple[str, ...]
    metadata_directory: str
    identities: dict[str, Uuid]
    """Each directory's directory.id, by path."""
    previous_broker_epoch: int
    """The epoch of the broker's last process if it was shut down cleanly, else -1."""
    locks: list[FileLock]
    failed: Mapping[str, str]
    """The unreadable log directories, with reasons: the node serves the others."""
    first_levels: Mapping[str, int]
    """The feature levels with which this node would bootstrap a cluster."""
    first_scram: Mapping[tuple[str, int], ScramCredential]
    """The SCRAM credentials with which it would bootstrap a cluster."""

    @property
    def metadata_directory_id(self) -> Uuid:
        return self.identities[self.metadata_directory]

    @property
    def directory_ids(self) -> tuple[Uuid, ...]:
        """The ids of the readable log directories."""
        return self.ids_of(self.paths)

    def ids_of(self, paths: Iterable[str]) -> tuple[Uuid, ...]:
        """The directory.id of each path whose meta.properties is readable."""
        return tuple(self.identities[path] for path in paths if path in self.identities)

    def log_manager(
        self,
        config: Config,
        clock: Clock,
        dice: Dice,
        rules_off: RulesOff,
        verifies: Callable[[], bool] = lambda: True,
        cordoned: Callable[[], Collection[str]] = lambda: (),
    ) -> LogManager:
        """The logs in these directories, not loaded yet. `verifies` returns whether transactions
        must be verified with their coordinator, `cordoned` which directories get no new logs, both
        from the current settings."""
        made = LogManager(
            self.disk,
            self.paths,
            clock,
            dice,
            defaults=LogConfig.from_overrides(config.topic_defaults()),
            take_locks=False,
            producer_expiration_ms=config.int("producer.id.expiration.ms"),
            rules_off=rules_off,
            verifies=verifies,
            cordoned=cordoned,
        )
        for path, reason in self.failed.items():
            log.error(f"log directory {path} is offline: {reason}")
            made.fail(path, reason)
        return made

    def release(self) -> None:
        for lock in self.locks:
            lock.release()
        self.locks.clear()


def open_directories(disk: Disk, config: Config) -> Directories:
    """Check and lock the directories that the settings name.

    One of several log directories may be unreadable, as in Apache Kafka: it is offline, and the
    others are served. The directory of the metadata log must be readable.

    Raises BadDirectory: not formatted, of another cluster or node, used by another process, or none
    is readable.
    """
    paths = tuple(config.names("log.dirs"))
    metadata_directory = config.optional_text("metadata.log.dir") or paths[0]
    found: dict[str, MetaProperties] = {}
    failed: dict[str, str] = {}
    epochs: list[int] = []
    locks: list[FileLock] = []
    try:
        for path in dict.fromkeys((metadata_directory, *paths)):
            try:
                found[path] = _identity(disk, path, next(iter(found.values()), None), config)
                locks.append(_lock(disk, path))
                if path in paths:
                    epochs.append(clean_shutdown.read_broker_epoch(disk, path))
            except OSError as error:
                if path == metadata_directory:
                    raise BadDirectory(
                        f"{path}, which has the metadata log, cannot be used: {error}"
                    ) from error
                found.pop(path, None)
                failed[path] = str(error)
        if failed.keys() >= set(paths):
            raise BadDirectory(f"no log directory can be used: {failed}")
    except BaseException:
        for lock in locks:
            lock.release()
        raise
    return Directories(
        disk=disk,
        cluster_id=found[metadata_directory].cluster_id,
        paths=paths,
        metadata_directory=metadata_directory,
        identities={path: meta.directory_id or ZERO_UUID for path, meta in found.items()},
        # One directory that was not closed cleanly, or is missing, may have lost records.
        previous_broker_epoch=NO_EPOCH if failed else min(epochs, default=NO_EPOCH),
        locks=locks,
        failed=failed,
        first_levels=bootstrap.read(disk, metadata_directory) or BOOTSTRAP,
        first_scram=bootstrap.read_scram(disk, metadata_directory),
    )


def _identity(
    disk: Disk, path: str, first: MetaProperties | None, config: Config
) -> MetaProperties:
    """The identity in a meta.properties, which must agree with the `first` directory's."""
    meta = meta_properties.read(disk, path)
    if meta is None:
        raise BadDirectory(
            f"{path} is not formatted. Run: raftka storage format"
            " --cluster-id ID --config FILE (raftka storage random-uuid makes an ID)"
        )
    cluster_id = None if first is None else first.cluster_id
    meta_properties.check(path, meta, cluster_id, config.int("node.id"))
    return meta


def _lock(disk: Disk, path: str) -> FileLock:
    try:
        return disk.lock(f"{path}/{LOCK}")
    except BlockingIOError as error:
        raise BadDirectory(
            f"{path} is in use by another process: stop that one, or give this node log.dirs of"
            " its own"
        ) from error


def cordoned(config: Config) -> list[str]:
    """The log directories that get no new replicas (cordoned.log.dirs, KIP-1066)."""
    named, paths = config.names("cordoned.log.dirs"), config.names("log.dirs")
    return paths if ALL_DIRECTORIES in named else [path for path in paths if path in named]
