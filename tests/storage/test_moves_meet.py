"""A move to another directory that ends during a cleaning of the log, or in a transaction."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from raftka.model.ports import bytes_of
from raftka.storage.cleaning.cleaner import Cleaner
from raftka.storage.log import Log
from raftka.storage.log_manager import LogManager
from tests.support.cleaning import COMPACTED, CompactedBroker, contents, latest, put
from tests.support.logs import NOW_MS, PARTITION
from tests.support.transactional_logs import aborted, end, send


class TwoDisks(CompactedBroker):
    """A broker with two directories, whose cleaner can be interrupted at each of its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = LogManager(
            self.disk, ["/data", "/data2"], self.clock, Random(0), defaults=COMPACTED,
            take_locks=False,
        )  # fmt: skip
        self.cleaner = Cleaner(self.logs, self.disk, self.clock)

    async def move(self, log: Log) -> None:
        """Copy a log to the other directory; `finish` has the last step."""
        home = self.logs.directory_of(PARTITION)
        assert self.logs.moves.begin(log, "/data2" if home == "/data" else "/data")
        future = self.logs.futures.get(PARTITION)
        assert future is not None
        while future.log.log_end_offset < log.log_end_offset:
            found = log.read(future.log.log_end_offset, 1 << 20, log.log_end_offset, min_one=True)
            future.log.append_as_follower(b"".join(map(bytes_of, found.pieces)), NOW_MS)
        await future.log.flush_in_background()

    def at_step(
        self, number: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Call a function before a step of the next cleaning."""
        begin = self.disk.begin

        class Work:
            def __init__(self, *arguments: Any) -> None:
                self.work, self.left = begin(*arguments), number

            async def step(self) -> Any:
                if self.left == 0:
                    act()
                self.left -= 1
                return await self.work.step()

            async def close(self) -> None:
                await self.work.close()

        monkeypatch.setattr(self.disk, "begin", Work)


@pytest.mark.parametrize("step", range(6))
async def test_a_move_that_ends_during_a_cleaning(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = TwoDisks()
    log = await broker.start()
    for number in range(40):
        put(log, (f"k{number % 5}", f"v{number}"), (f"only {number}", "x"))
    log.roll(NOW_MS)
    put(log, ("k0", "active"))
    wanted = latest(contents(log))
    await broker.move(log)
    moved: list[Log] = []
    broker.at_step(step, lambda: moved.append(broker.logs.moves.finish(log)), monkeypatch)
    (said,) = await broker.clean()
    assert moved
    assert "broken off" in said
    assert broker.logs.offline == {}, "a log that is gone is no fault of a disk"
    (new,) = moved
    assert broker.logs.get(PARTITION) is new
    assert latest(contents(new)) == wanted
    # The log is cleaned in its new directory, as far as it was not yet.
    monkeypatch.undo()
    size = new.size
    (said,) = await broker.clean()
    assert "cleaned t-0 up to offset 80" in said
    assert new.size < size
    assert latest(contents(new)) == wanted
    names = broker.disk.list_dir(new.directory)
    assert not [name for name in names if name.endswith((".cleaned", ".swap"))]


@pytest.mark.parametrize("commit", [True, False])
async def test_a_move_that_ends_in_an_open_transaction(commit: bool) -> None:
    broker = TwoDisks()
    log = await broker.start()
    put(log, ("a", "before"))
    send(log, 7)
    put(log, ("a", "beside"))
    await broker.move(log)
    new = broker.logs.moves.finish(log)
    end_offset = new.log_end_offset
    assert new.stable_offset(end_offset) == 1, "the transaction is open there, too"
    assert new.producer_state.producers[7].epoch == 0
    send(new, 7, sequence=1, asks=False)
    end(new, 7, commit=commit)
    assert new.stable_offset(new.log_end_offset) == new.log_end_offset
    assert [(each.first_offset, each.last_offset) for each in aborted(new)] == (
        [] if commit else [(1, 4)]
    )
