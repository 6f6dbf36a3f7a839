"""Members of one group, each a process, that join, leave, crash and are paused."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import trio

from benchmarks.group_cases.lines import Member, parse

_CROWD: Final = (2, 5)
"""The fewest and the most members that run at a time."""


class _Process:
    """One member's process; what it prints goes to files."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.member = Member(name)
        self._out = folder / f"{name}.out"
        self._complaints = folder / f"{name}.err"
        with self._out.open("wb") as out, self._complaints.open("wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    @property
    def complaints(self) -> str:
        return self._complaints.read_text(errors="replace").strip()

    def read(self) -> Member:
        """The member with all that it has printed so far."""
        with self._out.open(errors="replace") as lines:
            self.member.events = list(parse(lines))
        return self.member


class Crowd:
    """The processes between `with` and its end, where all of them are killed."""

    def __init__(self, command: Sequence[str], folder: Path, dice: random.Random) -> None:
        """`command`: a member's, but for COMMITS, which alternates, and SESSION_MS after it."""
        self.faults: dict[str, int] = {}
        self._command = list(command)
        self._folder = folder
        self._dice = dice
        self._running: list[_Process] = []
        self._all: list[_Process] = []

    def __enter__(self) -> Crowd:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for each in self._all:
            if each.process.poll() is None:
                each.process.kill()
                each.process.wait()

    def members(self) -> list[Member]:
        """Everybody who ever was in the group, with all that was printed so far."""
        return [each.read() for each in self._all]

    def deaths(self) -> list[str]:
        """Members that ended by an error of their own."""
        return [
            f"{each.member.name} ended with {each.process.returncode}: {each.complaints[-300:]}"
            for each in self._all
            if each.process.poll() is not None
            # A JVM always ends like this on SIGTERM, others while their program is being loaded.
            and each.process.returncode not in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
            and each.member.died_us is None
        ]

    def join(self) -> None:
        """Another member; every second one commits by hand."""
        number = len(self._all)
        commits = "hand" if number % 2 else "auto"
        command = [*self._command[:-1], commits, self._command[-1]]
        started = _Process(f"m{number}", command, self._folder)
        self._running.append(started)
        self._all.append(started)

    async def act(self) -> None:
        """One of the things that happen to members; a pause takes its time."""
        self._running = [each for each in self._running if each.process.poll() is None]
        fewest, most = _CROWD
        what = self._dice.choice(("join", "leave", "crash", "pause", "pause"))
        if len(self._running) < fewest or (
            len(self._running) == fewest and what in ("leave", "crash")
        ):
            what = "join"
        if len(self._running) >= most and what == "join":
            what = "leave"
        self.faults[what] = self.faults.get(what, 0) + 1
        if what == "join":
            self.join()
            return
        victim = self._dice.choice(self._running)
        if what == "pause":
            await self._pause(victim)
            return
        self._running.remove(victim)
        if what == "leave":
            victim.send(signal.SIGTERM)
        else:
            # Before the signal: what is printed later than this was not held back by the death.
            victim.member.died_us = time.time_ns() // 1000
            victim.send(signal.SIGKILL)

    async def _pause(self, victim: _Process) -> None:
        victim.member.pauses_us.append(time.time_ns() // 1000)
        victim.send(signal.SIGSTOP)
        try:
            await trio.sleep(self._dice.uniform(1, 8))
        finally:
            victim.send(signal.SIGCONT)

    async def leave(self, timeout_s: float = 30.0) -> list[str]:
        """All that run end in good order; which did not."""
        stragglers = []
        for each in self._running:
            each.send(signal.SIGTERM)
        end = time.monotonic() + timeout_s
        for each in self._running:
            left_s = max(0.0, end - time.monotonic())
            try:
                await trio.to_thread.run_sync(each.process.wait, left_s)
            except subprocess.TimeoutExpired:
                stragglers.append(f"{each.member.name} does not end on SIGTERM in {timeout_s:g} s")
        return stragglers
