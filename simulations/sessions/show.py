"""A session while it runs: a run that can be stopped and resumed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import Any, Final, TypeVar

import trio

from raftka.simulations.load.workload import CLIENT_ERRORS, abandon_clients
from raftka.simulations.machines.virtual_clock import Act, HeldClock, Impossible
from raftka.simulations.plan import Options, Plan
from raftka.simulations.runs.outcome import Outcome, outcome_of
from raftka.simulations.runs.run import Live, plan_for, workload
from raftka.simulations.scenarios.hands import Hands
from raftka.simulations.scenarios.stage import Stage, load, scenario_plan, told
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.session import (
    Action,
    Session,
    check_settings,
    read_session,
    with_script,
)
from raftka.simulations.sessions.verbs import VERBS
from raftka.simulations.trace_file import Sink
from raftka.simulations.violation import Violation
from raftka.simulations.world import World

R = TypeVar("R")
_MAY_JOIN: Final = ("join", "replace", "membership")


@dataclass(frozen=True)
class Lesson:
    """A lesson in a session: a scenario with its machines and settings."""

    scenario: Callable[[Stage], Awaitable[None]]
    nodes: int = 3
    settings: Mapping[str, str] = field(default_factory=dict)


Lessons = Callable[[str], Lesson]
"""A lesson by its name. Raises SessionError."""


def no_lessons(name: str) -> Lesson:
    """Used where no lessons are known."""
    raise SessionError("bad-session", f"the session: there is no lesson {name!r} here")


@dataclass(frozen=True)
class Ready:
    """A session that was checked, and what it runs."""

    session: Session
    plan: Plan
    scenario: Callable[[Stage], Awaitable[None]] | None

    @property
    def nodes(self) -> frozenset[str] | None:
        """The hosts of all nodes; None where some may join."""
        if any(step.kind.startswith(_MAY_JOIN) for step in self.plan.faults):
            return None
        return frozenset(f"n{node.node_id}" for node in self.plan.nodes)


def ready(value: object, lessons: Lessons = no_lessons) -> Ready:
    """Read a session's JSON and check all that can be checked. Raises SessionError."""
    session = read_session(value)
    scenario: Callable[[Stage], Awaitable[None]] | None = None
    if session.plan is not None:
        plan = replace(session.plan, seed=session.seed)
    elif session.scenario is not None or session.lesson is not None:
        lesson = lessons(session.lesson) if session.lesson is not None else _scenario(session)
        scenario = lesson.scenario
        plan = scenario_plan(seed=session.seed, nodes=lesson.nodes, settings=lesson.settings)
    else:
        plan = plan_for(Options(session.seed))
    if not plan.nodes:
        raise SessionError("bad-session", "the session: its plan has no nodes")
    plan = replace(
        plan,
        settings={**plan.settings, **session.settings},
        rules_off=tuple(dict.fromkeys((*plan.rules_off, *session.rules_off))),
        bridge_port=session.bridge or plan.bridge_port,
    )
    check_settings(plan.settings)
    found = Ready(session, plan, scenario)
    return replace(found, session=with_script(session, value, found.nodes))


def _scenario(session: Session) -> Lesson:
    assert session.scenario is not None
    module = load(session.scenario)
    return Lesson(module.scenario, getattr(module, "NODES", 3), getattr(module, "SETTINGS", {}))


class Refused(SessionError):
    """An action of the script is impossible at its moment; the run stopped before it."""

    def __init__(self, action: Action, why: Impossible) -> None:
        super().__init__("impossible", f"{action.do} at {action.at_s:.6g} s: {why}")
        if why.code:
            self.reason = {"reason": why.code, "with": why.values}
        self.action = action


class Show:
    """One run of a session, from its beginning on."""

    def __init__(
        self,
        found: Ready,
        script: tuple[Action, ...],
        sink: Sink | None,
        watch: Callable[[World], None] = lambda world: None,
        *,
        healed_at_s: float | None = None,
        kinds: Container[str] | None = None,
    ) -> None:
        """`healed_at_s`: when the scenario, or the plan's load and faults, end; then everything is
        healed and the cluster's guarantees are checked (sessions/inevitable.py). `kinds`: the sink
        takes only these events, and the run has no hash.
        """
        self.clock = HeldClock()
        self.clock.acts = [Act(action.at_s, partial(self._perform, action)) for action in script]
        self._actions = list(script)
        self.fired = 0
        """How many actions of the script have been performed."""
        self.now_s = 0.0
        self._sink = sink
        self._until_s = found.session.until_s
        story = None if found.scenario is None else partial(self._tell, found.scenario)
        self._peace = trio.CancelScope()
        if healed_at_s is not None:
            self.clock.acts.append(Act(healed_at_s, self._peace.cancel))
            story = partial(self._until_peace, story or workload)
        traced = None if sink is None else self
        self._live = Live(
            found.plan, sink=traced, story=story, clock=self.clock, watch=watch, kinds=kinds
        )
        self._outcome: Outcome | None = None

    def write(self, text: str) -> None:
        """Take a line of the trace."""
        if self._sink is not None:
            self._sink.write(text)

    @property
    def has_ended(self) -> bool:
        return self._outcome is not None

    def ask(self, question: Callable[[World], R]) -> R:
        """The answer to a question about the run at this moment, before it has ended."""
        return self._live.ask(question)

    @property
    def violation(self) -> Violation | None:
        if self._outcome is not None:
            return self._outcome.violation
        world = self._live.world
        return None if world is None else world.violation

    @property
    def hash(self) -> str:
        return self._live.trace.digest if self._outcome is None else self._outcome.trace_hash

    def go(
        self,
        until_s: float = inf,
        *,
        acts_at_end: bool = False,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run until everything up to `until_s` is done, or `is_enough` returns True between two
        times. Actions at exactly `until_s` are performed if `acts_at_end`. Raises Refused, with the
        action removed from the script.
        """
        if self.has_ended:
            return
        clock = self.clock
        clock.until_s, clock.acts_at_end, clock.is_enough = until_s, acts_at_end, is_enough
        if self._live.go():
            self._outcome = self._live.outcome()
            self.now_s = max(self.now_s, self._outcome.virtual_s)
            return
        stopped_early = clock.refused is not None or is_enough()
        self.now_s = max(self.now_s, clock.now if stopped_early else until_s)
        if clock.refused is not None:
            (_, why), clock.refused = clock.refused, None
            raise Refused(self._actions.pop(self.fired), why)

    async def _tell(self, scenario: Callable[[Stage], Awaitable[None]], world: World) -> None:
        """Run a scenario. After an action of the script its expectations may fail: then only the
        invariants count, not the scenario's story.
        """
        stage = Stage(world)
        try:
            await scenario(stage)
        except (AssertionError, *CLIENT_ERRORS) as error:
            if not self.fired:
                told(world, "scenario", error)
                return
            world.trace.event("scenario-left", reason=str(error) or repr(error))
            if self._until_s is not None:
                await trio.sleep_until(self._until_s)
            await stage.settle()

    async def _until_peace(self, story: Callable[[World], Awaitable[None]], world: World) -> None:
        with self._peace:
            await story(world)
        if self._peace.cancelled_caught:
            await Stage(world).settle()

    def reset(self, script: tuple[Action, ...]) -> None:
        """Replace the rest of the script; its first actions are those already performed."""
        self._actions = list(script)
        self.clock.acts = [
            Act(action.at_s, partial(self._perform, action)) for action in script[self.fired :]
        ]

    def act(self, action: Action) -> None:
        """Add an action, for now or later. Raises Refused if it is for now and impossible."""
        place = self.fired + sum(a.at_s <= action.at_s for a in self._actions[self.fired :])
        self._actions.insert(place, action)
        act = Act(action.at_s, partial(self._perform, action))
        self.clock.acts.insert(place - self.fired, act)

    def end(self) -> Outcome:
        """End the run where it is; returns its outcome."""
        if self._outcome is None:
            assert self._live.world is not None
            self._outcome = outcome_of(
                self._live.world, self._live.trace, None, self.now_s, self._live.wall_s
            )
            self._sink = None
            if self._live.has_ended:
                return self._outcome  # An interrupt has already ended it.
            clock = self.clock
            clock.acts = [Act(clock.now, self._leave)]
            clock.until_s, clock.acts_at_end, clock.is_enough = inf, True, lambda: False
            self._live.go()
            self._live.outcome()
        return self._outcome

    def _leave(self) -> None:
        world = self._live.world
        assert world is not None
        world.ended.set()
        abandon_clients(world)
        world.scope.cancel()

    def _perform(self, action: Action) -> None:
        world = self._live.world
        assert world is not None
        VERBS[action.do].perform(Hands(world), action.arguments)
        self.fired += 1


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    """The plan as JSON."""
    found: dict[str, Any] = json.loads(plan.dumps())
    return found
