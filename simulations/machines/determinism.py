"""Running trio so that one seed gives one history.

The private names of trio that this needs are in this file and nowhere else. trio shuffles the tasks
that become runnable together; here the shuffle comes from the seed. The clock jumps to the next
event as soon as every task waits.

While a simulation runs, the ways around the ports fail loudly (simulations/machines/real_world.py).
"""

from __future__ import annotations

import gc
import heapq
import logging
import random
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from math import inf
from types import SimpleNamespace
from typing import Any, Final, Generic, TypeVar

import trio
import trio._core._run as _trio_run
import trio._core._traps as _trio_traps

from raftka.simulations.machines.real_world import out_of_reach
from raftka.simulations.machines.virtual_clock import VirtualClock

T = TypeVar("T")
R = TypeVar("R")

_run: Any = _trio_run
_traps: Any = _trio_traps
_TURNS_A_MOMENT = 500_000
"""This many turns without progress of time are an endless loop."""
_TURNS_A_LOOK = 4096
"""After how many steps the loop checks for an interrupt from the keyboard."""


def virtual_clock() -> VirtualClock | None:
    """The clock of the running simulation; None in other tests that use the simulated ports."""
    runner = getattr(_run.GLOBAL_RUN_CONTEXT, "runner", None)
    clock = runner.clock if runner is not None else None
    return clock if isinstance(clock, VirtualClock) else None


def current_clock() -> VirtualClock:
    """The clock of the simulation that runs now."""
    clock = virtual_clock()
    assert clock is not None
    return clock


async def sleep(seconds: float) -> None:
    """As `trio.sleep`, without a cancel scope and an exception each time."""
    clock = virtual_clock()
    if clock is None:
        await trio.sleep(max(0.0, seconds))
        return
    waiting: list[Any] = [trio.lowlevel.current_task()]

    def wake() -> None:
        if waiting:
            trio.lowlevel.reschedule(waiting.pop())

    def stop_waiting(_: object) -> trio.lowlevel.Abort:
        waiting.clear()
        return trio.lowlevel.Abort.SUCCEEDED

    clock.at(clock.now + max(0.0, seconds), wake)
    await trio.lowlevel.wait_task_rescheduled(stop_waiting)


class _Nothing:
    """Wakes a task that gets no value: one object for all tasks."""

    def unwrap(self) -> None:
        """As with a `Value(None)`, which may be used only once."""


_NOTHING: Final = _Nothing()
_NUMBERS: Final = count()
_EXPLICIT: Final = _run.CancelReason(source="explicit")


def _reschedule(runner: Any, task: Any, next_send: Any = _run._NO_SEND) -> None:
    """Replaces trio's, which makes a new `Value(None)` each time."""
    task._next_send_fn = task.coro.send
    task._next_send = _NOTHING if next_send is _run._NO_SEND else next_send
    task._abort_func = None
    task.custom_sleep_data = None
    runner.runq.append(task)


class _Wait:
    """Replaces `wait_task_rescheduled`: a waiting task gives the loop the function that aborts its
    wait. trio makes three objects for it.
    """

    __slots__ = ("abort",)

    def __init__(self, abort: Callable[[Any], trio.lowlevel.Abort]) -> None:
        self.abort = abort

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self).unwrap()


def _now() -> Any:
    """Replaces `current_time`, which asks three objects in turn."""
    return _run.GLOBAL_RUN_CONTEXT.runner.clock.now


def _wake(task: Any, next_send: Any = _NOTHING) -> None:
    """Replaces `reschedule`."""
    _reschedule(_run.GLOBAL_RUN_CONTEXT.runner, task, next_send)


def _add_deadline(deadlines: Any, deadline: float, scope: Any) -> None:
    """Replaces trio's, which orders equal deadlines by the memory addresses of scopes."""
    heapq.heappush(deadlines._heap, (deadline, next(_NUMBERS), scope))
    deadlines._active += 1


def _cancel(scope: Any, reason: str | None = None) -> None:
    """Replaces `CancelScope.cancel`, which formats a description of the calling task."""
    scope._cancel(_EXPLICIT)


def _unsaid(cancelled: trio.Cancelled) -> str:
    """Replaces `Cancelled.__repr__`: trio's text is costly and unread."""
    return "Cancelled"


class _Registering:
    """Replaces a generator of trio's that every cancel scope runs twice."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        """The work is done in __exit__."""

    def __exit__(self, *_: object) -> None:
        scope = self._scope
        old = scope._registered_deadline
        ended = scope._cancel_status is None or scope._cancel_called
        new = inf if ended else scope._deadline
        if old != new:
            scope._registered_deadline = new
            deadlines = _run.GLOBAL_RUN_CONTEXT.runner.deadlines
            if old != inf:
                deadlines.remove(old, scope)
            if new != inf:
                deadlines.add(new, scope)


class _Loop:
    """trio's run loop, reduced to the needs of a simulation: no I/O except a check for interrupts,
    no instruments, no idle tasks. It turns a hundred thousand times a second.

    Tasks, nurseries and cancel scopes are trio's own.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def shuffle(self, batch: list[Any]) -> None:
        """The order of tasks that became runnable together comes from the seed."""
        batch.sort(key=_age)
        draw = self._random
        for last in range(len(batch) - 1, 0, -1):
            other = int(draw() * (last + 1))
            batch[last], batch[other] = batch[other], batch[last]

    def __call__(
        self, runner: Any, main: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Generator[float, Any, None]:
        """Yields when trio should check for an interrupt, or the clock holds the run; replaces
        `unrolled_run`. No signal has to wake it, since it never waits."""
        try:
            runner.init_task = runner.spawn_impl(
                runner.init, (main, arguments), None, "<init>", system_task=True
            )
            yield from self._turns(runner)
        finally:
            runner.close()
            _run.GLOBAL_RUN_CONTEXT.__dict__.clear()
            if runner.ki_pending:
                runner.main_task_outcome = _run.Error(KeyboardInterrupt())

    def _turns(self, runner: Any) -> Generator[float, Any, None]:
        clock: VirtualClock = runner.clock
        context, deadlines, runq = _run.GLOBAL_RUN_CONTEXT, runner.deadlines, runner.runq
        turns = turns_then = 0
        then = clock.now
        while runner.tasks:
            turns += 1
            if not runq:
                clock.advance(deadlines.next_deadline())
            if clock.stalled or turns % _TURNS_A_LOOK == 0:
                runner.io_manager.process_events((yield 0.0))
                if clock.now > then:
                    then, turns_then = clock.now, turns
                elif turns - turns_then > _TURNS_A_MOMENT:
                    names = sorted({str(task.name) for task in runq})
                    clock.give_up(f"time stands still at {then} s while these run: {names}")
            heap = deadlines._heap
            if heap and heap[0][0] <= clock.now:
                deadlines.expire(clock.now)
            batch = list(runq)
            runq.clear()
            if len(batch) > 1:
                self.shuffle(batch)
            while batch:
                task = context.task = batch.pop()
                send, value = task._next_send_fn, task._next_send
                task._next_send_fn = task._next_send = None
                ended: Any = None
                try:
                    message = task.context.run(send, value)
                except StopIteration as stop:
                    ended = _run.Value(stop.value)
                except BaseException as error:
                    ended = _run.Error(error)
                if ended is not None:
                    runner.task_exited(task, ended)
                elif type(message) is _Wait:
                    task._abort_func = message.abort
                    if runner.ki_pending and task is runner.main_task:
                        task._attempt_delivery_of_pending_ki()
                    if task._cancel_status.effectively_cancelled:
                        task._attempt_delivery_of_any_pending_cancel()
                elif message is _traps.CancelShieldedCheckpoint:
                    _reschedule(runner, task)
                else:
                    raise RuntimeError(f"a task asked trio for {message!r}")
                ended = message = None
                del context.task


def _age(task: Any) -> int:
    return int(task._counter)


class Running(Generic[T]):
    """A run that stops when its clock holds it, and can be resumed. While it is stopped, trio's own
    functions are back in force, so several runs may take turns in one process.
    """

    def __init__(
        self, main: Callable[[], Awaitable[T]], seed: int, clock: VirtualClock | None = None
    ) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self._main = main
        self._loop = _Loop(seed)
        self._found: list[T] = []
        self._context: dict[str, Any] = {}
        """trio's own functions, while this run is stopped."""
        self._steps: Generator[float, Any, None] | None = None
        self._runner: Any = None

    def go(self) -> bool:
        """Run until the clock holds it or it ends; whether it has ended."""
        with self._in_force(), _in_place(self._loop):
            if self._steps is None:
                self._runner = _run.setup_runner(self.clock, (), False, True)
                self._runner.ki_manager.close()
                self._steps = self._loop(self._runner, self._guarded, ())
                events = None
            else:
                # Runnable tasks resume without asking the clock, which would end the hold.
                self.clock.is_held = False
                events = self._runner.io_manager.get_events(0.0)
            with _interrupts(self._runner), out_of_reach(), _no_stamps():
                while True:
                    try:
                        self._steps.send(events)
                    except StopIteration:
                        return True
                    if self.clock.is_held:
                        return False
                    events = self._runner.io_manager.get_events(0.0)

    def result(self) -> T:
        """What `main` returned. Raises what it raised, RuntimeError when the clock gave up, and
        KeyboardInterrupt when that ended the run."""
        try:
            self._runner.main_task_outcome.unwrap()
        except BaseExceptionGroup as group:
            if group.subgroup(KeyboardInterrupt) is None:
                raise
            raise KeyboardInterrupt from None  # Nurseries have wrapped it.
        if not self._found:
            raise RuntimeError(self.clock.gave_up)
        return self._found[0]

    def ask(self, question: Callable[[], R]) -> R:
        """Call a function that inspects this run at its present moment."""
        with self._in_force(), _in_place(self._loop):
            return question()

    async def _guarded(self) -> None:
        with self.clock.scope:
            self._found.append(await self._main())

    @contextmanager
    def _in_force(self) -> Iterator[None]:
        """Make this run trio's current one, and restore the caller's afterwards."""
        context, library = _run.GLOBAL_RUN_CONTEXT.__dict__, _run.sniffio_library
        outer, hooks, name = dict(context), sys.get_asyncgen_hooks(), library.name
        context.clear()
        context.update(self._context)
        library.name = "trio"
        try:
            yield
        finally:
            self._context = dict(context)
            context.clear()
            context.update(outer)
            sys.set_asyncgen_hooks(*hooks)
            library.name = name


@contextmanager
def _interrupts(runner: Any) -> Iterator[None]:
    """Deliver interrupts (SIGINT) to a run only while it proceeds. A held run would swallow them,
    and keep a process alive that waits for its next request.
    """
    runner.ki_manager.install(runner.deliver_ki, True)
    try:
        yield
    finally:
        runner.ki_manager.close()


@contextmanager
def _in_place(loop: _Loop) -> Iterator[None]:
    """Put our functions in the place of trio's."""
    ours = (
        (_run, "unrolled_run", loop),
        (_run.Runner, "reschedule", _reschedule),
        (_run.CancelScope, "_might_change_registered_deadline", lambda scope: _Registering(scope)),
        (_run.CancelScope, "cancel", _cancel),
        (trio.Cancelled, "__repr__", _unsaid),
        (_run.Deadlines, "add", _add_deadline),
        *((place, "current_time", _now) for place in (_run, trio)),
        *((place, "wait_task_rescheduled", _Wait) for place in (_run, trio._core, trio.lowlevel)),
        (trio.lowlevel, "reschedule", _wake),
        (trio._core, "reschedule", _wake),
    )
    # A collection runs finalizers at a moment that depends on the process's past.
    collecting = gc.isenabled()
    gc.disable()
    saved = [(place, name, getattr(place, name)) for place, name, _ in ours]
    try:
        for place, name, function in ours:
            setattr(place, name, function)
        yield
    finally:
        for place, name, function in saved:
            setattr(place, name, function)
        if collecting:
            gc.enable()


def run(main: Callable[[], Awaitable[T]], seed: int) -> T:
    """Run `main` in virtual time, every choice drawn from `seed`."""
    running = Running(main, seed)
    running.go()
    return running.result()


@contextmanager
def _no_stamps() -> Iterator[None]:
    """Log records would carry their time, process and thread, which are not read here."""
    stamps: Any = logging
    names = ("time", "logProcesses", "logMultiprocessing", "logThreads")
    saved = [(name, getattr(stamps, name)) for name in names]
    stamps.time = SimpleNamespace(time=lambda: 0.0, time_ns=lambda: 0)
    stamps.logProcesses = stamps.logMultiprocessing = stamps.logThreads = False
    try:
        yield
    finally:
        for name, value in saved:
            setattr(stamps, name, value)
