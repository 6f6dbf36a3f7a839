"""One run: start the cluster, load it, break it, heal it, and check whether everything held."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from random import Random
from typing import Any, TypeVar

import trio

from raftka.client.admin import Admin
from raftka.client.admin.topics import NewTopic
from raftka.kraft.raft import leader
from raftka.model import timers
from raftka.model.rules import ALL_HOLD, rule_named
from raftka.simulations.aftermath import audit, liveness, transactions
from raftka.simulations.faults.table import FAULTS
from raftka.simulations.load import groups
from raftka.simulations.load.draw import Odds, draw
from raftka.simulations.load.exchange import ExchangerTask
from raftka.simulations.load.intruders import intrude, intruders, permissions
from raftka.simulations.load.operations import OPERATIONS
from raftka.simulations.load.transactions import TransactorTask, TransformerTask
from raftka.simulations.load.workload import (
    CLIENT_ERRORS,
    ConsumerTask,
    ProducerTask,
    abandon_clients,
    make_admin,
)
from raftka.simulations.machines import determinism, logins
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.machines.virtual_clock import VirtualClock
from raftka.simulations.mutations import MUTANTS
from raftka.simulations.observers import logs
from raftka.simulations.plan import Options, Plan, Step, TransactorPlan
from raftka.simulations.runs.controls import CONTROLS
from raftka.simulations.runs.outcome import Outcome, outcome_of
from raftka.simulations.runs.preparation import collect, prepare
from raftka.simulations.trace import Trace
from raftka.simulations.trace_file import Sink
from raftka.simulations.violation import Exit, Stopped
from raftka.simulations.world import World

R = TypeVar("R")
_perf_counter = time.process_time
LOOK_S = 2.0
_LOOKS_AT_DISKS = 5
_LOOKS_A_COLLECTION = 30
START_S = 30.0
"""How long a fresh cluster may take to create its topics."""


Hook = Callable[[World], Any]
Beside = Callable[[World], None] | None
"""What a user adds to a workload, if anything (simulations/runs/user_file.py)."""


def _tell_nobody(_: World) -> None:
    """The default: report to no one."""


def plan_for(options: Options) -> Plan:
    """Draw the plan of a seed."""
    odds = {kind: Odds(each.chance, each.rate, each.at_least_once) for kind, each in FAULTS.items()}
    mutant = None if options.mutation is None else MUTANTS[options.mutation]
    plan = draw(options, odds, needs=None if mutant is None else mutant.needs)
    if mutant is not None and (spoken := mutant.asks_for_logins):
        plan = replace(plan, settings={**plan.settings, **logins.settings(spoken)})
    return plan if options.control is None else CONTROLS[options.control].change(plan)


class Live:
    """A run of a plan, which stops where its clock holds it."""

    def __init__(
        self,
        plan: Plan,
        *,
        sink: Sink | None = None,
        story: Hook | None = None,
        beside: Beside = None,
        tell: Callable[[World], None] = _tell_nobody,
        watch: Callable[[World], None] = _tell_nobody,
        clock: VirtualClock | None = None,
        kinds: Container[str] | None = None,
    ) -> None:
        """The arguments of `run_plan`; `clock` may hold the run. `kinds`: the sink takes only these
        events, and the run has no hash. ValueError: an unknown rule."""
        prepare()
        self.plan = plan
        self.trace = Trace(sink, kinds)
        self.has_ended = False
        rules_off = MUTANTS[plan.mutation].rules_off if plan.mutation is not None else ALL_HOLD
        rules_off |= {rule_named(name) for name in plan.rules_off}
        self._worlds: list[World] = []

        async def main() -> None:
            world = World(plan, self.trace, rules_off)
            self._worlds.append(world)
            watch(world)
            await _run(world, story, partial(workload, world, beside, tell))

        self._running = determinism.Running(main, plan.seed, clock)
        self.wall_s = 0.0
        """Processor time so far."""

    @property
    def world(self) -> World | None:
        """The world of the run; None before it has begun."""
        return self._worlds[0] if self._worlds else None

    def go(self) -> bool:
        """Run until the clock holds it or it ends; whether it has ended."""
        started = _perf_counter()
        with ExitStack() as stack:
            stack.enter_context(_small_batches(self.plan.quorum_batch_entries))
            if (detail := self.trace.detail) is not None and detail.is_whole:
                stack.enter_context(timers.watched(detail.timer_fired))
            stack.enter_context(logs.captured(lambda *line: self._worlds[0].logged(*line)))
            self.has_ended = self._running.go()
        self.wall_s += _perf_counter() - started
        return self.has_ended

    def ask(self, question: Callable[[World], R]) -> R:
        """Evaluate a question about the run at the moment where it stopped."""
        return self._running.ask(lambda: question(self._worlds[0]))

    def outcome(self) -> Outcome:
        """The result, once it has ended; releases the run's machines."""
        crash: BaseException | None = None
        try:
            self._running.result()
        except Exception as error:
            crash = error
        world = self._worlds[0]
        outcome = outcome_of(world, self.trace, crash, self.trace.last_s, self.wall_s)
        self._worlds.clear()
        collect()
        return outcome


def run_plan(
    plan: Plan,
    *,
    sink: Sink | None = None,
    story: Hook | None = None,
    beside: Beside = None,
    tell: Callable[[World], None] = _tell_nobody,
    watch: Callable[[World], None] = _tell_nobody,
) -> Outcome:
    """Run a plan to its end or to the first violation.

    `story` replaces the workload: a scenario's async function of the world. `beside` is called when
    the workload begins, to add a user's own code (simulations/runs/user_file.py). `tell` is called
    every two virtual seconds, to show progress; `watch` is called once before anything happens, to
    observe the run.
    """
    live = Live(plan, sink=sink, story=story, beside=beside, tell=tell, watch=watch)
    live.go()
    return live.outcome()


@contextmanager
def _small_batches(entries: int) -> Iterator[None]:
    """Limit the entries of one message, so that a minute's load reaches the limit."""
    before = leader.ENTRIES_MAX
    leader.ENTRIES_MAX = entries
    try:
        yield
    finally:
        leader.ENTRIES_MAX = before


async def _run(world: World, story: Hook | None, load: Callable[[], Awaitable[None]]) -> None:
    with world.scope:
        async with trio.open_nursery() as nursery:
            world.nursery = nursery
            world.on_violation.append(partial(abandon_clients, world))
            await nursery.start(world.cluster.run)
            for machine in world.cluster.machines.values():
                world.start(machine)
            try:
                if story is not None:
                    await story(world)
                else:
                    await load()
            except Stopped:
                pass  # `World.stop` has reported why.
            world.ended.set()
            abandon_clients(world)
            nursery.cancel_scope.cancel()


async def workload(
    world: World,
    beside: Beside = None,
    tell: Callable[[World], None] = _tell_nobody,
) -> None:
    """What a plan does: its topics, clients, operations and faults, and the checks afterwards."""
    assert world.nursery is not None
    await create_topics(world)
    await groups.prepare(world)
    start_clients(world)
    groups.start(world)
    start_intruders(world)
    if beside is not None:
        beside(world)
    started = trio.current_time()
    async with trio.open_nursery() as faults:
        faults.start_soon(_schedule, world, faults, started)
        with trio.move_on_at(started + world.plan.duration_s):
            for look in count(1):
                await sleep(LOOK_S)
                check_invariants(world)
                world.witnesses.fetches.look()
                tell(world)
                if look % _LOOKS_AT_DISKS == 0:
                    world.witnesses.look()
                if look % _LOOKS_A_COLLECTION == 0:
                    # The collector runs at moments that the seed determines, and never by itself.
                    collect(0)
        faults.cancel_scope.cancel()
    heal(world)
    world.be_quiet()
    await liveness.check(world)
    await transactions.check(world)
    await audit.check_effects(world)
    world.replicas.compare_all(world.image)
    world.raft.compare_all()
    world.witnesses.look()
    world.witnesses.check_members()
    check_invariants(world)


def check_invariants(world: World) -> None:
    """Check the user's invariants."""
    for name, invariant in world.invariants.items():
        words = invariant()
        if words:
            world.stop(name, words, Exit.SAFETY)


async def create_topics(world: World) -> None:
    """Create the plan's topics; a cluster that cannot is a violation by itself."""
    wanted = [
        NewTopic(t.name, t.partitions, t.replication_factor, dict(t.configs))
        for t in world.plan.topics
    ]
    if not wanted:
        return
    done = False
    with trio.move_on_after(START_S):
        while not done:
            async with make_admin(world, "founder", user=logins.NODE) as admin:
                try:
                    if world.cluster.asks_for_logins:
                        await admin.create_acls(permissions())
                    await admin.create_topics(wanted)
                    done = True
                except CLIENT_ERRORS as error:
                    world.trace.event("refused", node="founder", error=str(error))
                    done = all(topic.name in world.image.topics for topic in world.plan.topics)
            await sleep(0.2)
    for topic in world.plan.topics:
        world.ledger.created(topic.name, topic.partitions, topic.configs)
    if not done:
        world.stop("start", f"no topics could be made within {START_S:g} s", Exit.LIVENESS)


def start_clients(world: World) -> None:
    """Producers and consumers of the plan, until `quiet` and `ended` are set."""
    assert world.nursery is not None
    producers = [ProducerTask(world, each) for each in world.plan.producers]
    world.history.one_at_a_time = frozenset(
        each.name
        for each in world.plan.producers
        if each.settings.get("max.in.flight.requests.per.connection") == 1
    )
    consumers = [ConsumerTask(world, each) for each in world.plan.consumers]
    transactors = [_transactor(world, each) for each in world.plan.transactors]
    world.producers += producers
    world.producers += transactors
    world.consumers += consumers
    tasks: list[ProducerTask | TransactorTask] = [*producers, *transactors]
    for task in tasks:
        world.nursery.start_soon(task.run)
    for consumer in consumers:
        world.nursery.start_soon(consumer.run)


def _transactor(world: World, plan: TransactorPlan) -> TransactorTask:
    if plan.source:
        return TransformerTask(world, plan)
    return ExchangerTask(world, plan) if plan.exchanges else TransactorTask(world, plan)


def start_intruders(world: World) -> None:
    """Start clients without permission, where the cluster requires logins."""
    assert world.nursery is not None
    if (protocol := world.cluster.asks_for_logins) is not None:
        for each in intruders(protocol):
            world.nursery.start_soon(intrude, world, each)


async def _schedule(world: World, nursery: trio.Nursery, started: float) -> None:
    steps: Sequence[Step] = sorted(
        (*world.plan.operations, *world.plan.faults), key=lambda step: (step.at_s, step.name)
    )
    for step in steps:
        await trio.sleep_until(started + step.at_s)
        nursery.start_soon(_do, world, step)


async def _do(world: World, step: Step) -> None:
    dice = Random(f"{world.plan.seed} {step.name}")
    if step.kind in FAULTS:
        world.faults_fired[step.kind] = world.faults_fired.get(step.kind, 0) + 1
        cause = world.trace.event("fault", fault=step.kind, name=step.name)
        if world.producers:
            # Most defects need records in flight while something breaks.
            dice.choice(world.producers).stir()
        work = FAULTS[step.kind].inflict(world, dice, cause)
    else:
        cause = world.trace.event("operation", operation=step.kind, name=step.name)
        work = OPERATIONS[step.kind](world, dice, cause)
    try:
        await work
    except CLIENT_ERRORS as error:
        world.trace.event("refused", cause=cause, error=str(error))
    else:
        if world.trace.detail is not None and step.kind in OPERATIONS:
            world.trace.detail.outcome(cause, step.name)


def heal(world: World) -> None:
    """Undo every fault that is still in force, and start what is down."""
    world.trace.event("heal")
    world.heal_network()
    world.fabric.faults.delay_s = world.plan.network_delay_s
    world.fabric.faults.split_rate = world.plan.split_rate
    for machine in world.cluster.machines.values():
        faults = machine.medium.faults
        suspect = machine.suspect or faults.full or faults.dead or faults.sync_error_rate > 0
        faults.full, faults.sync_error_rate, faults.write_error_rate = False, 0.0, 0.0
        faults.dead = ""
        faults.loses_pages = False
        faults.sync_latency_s = (0.0001, 0.001)
        if machine.process is not None and machine.process.shutdown.is_set():
            world.cluster.kill(machine)
        if suspect and machine.process is not None:
            # A log directory that has failed stays offline until its operator restarts the node.
            world.cluster.kill(machine)
        machine.suspect = False
        if machine.is_paused:
            world.resume(machine)
        if machine.process is None:
            world.start(machine)


__all__ = ["Admin", "Outcome", "heal", "plan_for", "run_plan"]
