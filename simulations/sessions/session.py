"""A session as a value, read from JSON strictly; docs/session.md describes its fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from raftka.model.rules import Rule, word
from raftka.model.settings import WrongSettings, read_config
from raftka.model.settings.catalog import BROKER
from raftka.simulations.plan import Plan
from raftka.simulations.scenarios import NAMES
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.fields import Fields, kind_of, unknown
from raftka.simulations.sessions.plans import read_plan
from raftka.simulations.sessions.verbs import VERBS, read_arguments

ACTIONS_MAX: Final = 10_000
SECONDS_MAX: Final = 3600.0
SEED_MAX: Final = (1 << 53) - 1
"""The largest integer that every reader of JSON keeps exactly."""
FIELDS: Final = (
    *("scenario", "plan", "lesson", "seed", "settings", "rules_off", "script", "until_s"),
    "bridge",
)


@dataclass(frozen=True, eq=False)
class Action:
    """An action and its time. Two equal actions at the same time are still two."""

    at_s: float
    do: str
    """The name of a verb."""
    arguments: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The action as JSON, as in a script."""
        return {"at_s": self.at_s, "do": self.do, **self.arguments}


@dataclass(frozen=True)
class Session:
    """What runs, and the script of actions."""

    seed: int = 1
    scenario: str | None = None
    """A scenario that ships, by its name (simulations/scenarios)."""
    plan: Plan | None = None
    """The whole run as data. Without scenario, lesson and plan: the seed draws one."""
    lesson: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    """Properties of all nodes, in addition to those of the scenario or plan."""
    rules_off: tuple[str, ...] = ()
    script: tuple[Action, ...] = ()
    """In the order of time."""
    until_s: float | None = None
    """When it ends, in virtual seconds; None: when the scenario or plan does."""
    bridge: int | None = None
    """Clients from outside find node 1 at this port of 127.0.0.1, and node n n - 1 ports later."""

    def as_dict(self) -> dict[str, Any]:
        """The session as JSON."""
        found: dict[str, Any] = {"seed": self.seed}
        if self.scenario is not None:
            found["scenario"] = self.scenario
        if self.plan is not None:
            found["plan"] = json.loads(self.plan.dumps())
        if self.lesson is not None:
            found["lesson"] = self.lesson
        if self.settings:
            found["settings"] = dict(self.settings)
        if self.rules_off:
            found["rules_off"] = list(self.rules_off)
        if self.script:
            found["script"] = [action.as_dict() for action in self.script]
        if self.until_s is not None:
            found["until_s"] = self.until_s
        if self.bridge is not None:
            found["bridge"] = self.bridge
        return found


def read_session(value: object) -> Session:
    """A session from the JSON of one. Raises SessionError."""
    fields = Fields(value, "the session")
    fields.only(FIELDS)
    named = [name for name in ("scenario", "plan", "lesson") if fields.has(name)]
    if len(named) > 1:
        raise fields.error(f"the session has {' and '.join(named)}: give one of them")
    session = Session(
        seed=fields.integer("seed", 0, SEED_MAX, 1),
        scenario=_scenario(fields) if fields.has("scenario") else None,
        plan=_plan(fields) if fields.has("plan") else None,
        lesson=fields.text("lesson") if fields.has("lesson") else None,
        settings=_settings(fields),
        rules_off=_rules(fields),
        until_s=fields.number("until_s", 0.0, SECONDS_MAX) if fields.has("until_s") else None,
        bridge=fields.integer("bridge", 1024, 65_000) if fields.has("bridge") else None,
    )
    if session.plan is not None and not fields.has("seed"):
        session = replace(session, seed=session.plan.seed)
    return session


def with_script(session: Session, value: object, nodes: frozenset[str] | None) -> Session:
    """The session with the script of its JSON, checked. `nodes`: see `read_arguments`."""
    script = value.get("script") if isinstance(value, Mapping) else None
    if script is None:
        return session
    if not isinstance(script, list):
        raise SessionError("bad-session", f"script must be a list, not {kind_of(script)}")
    if len(script) > ACTIONS_MAX:
        raise SessionError(
            "bad-session", f"the script has {len(script)} actions; {ACTIONS_MAX} are allowed"
        )
    actions = [
        read_action(each, f"script[{number}]", nodes, session.until_s)
        for number, each in enumerate(script)
    ]
    return replace(session, script=tuple(sorted(actions, key=lambda action: action.at_s)))


def read_action(
    value: object,
    where: str,
    nodes: frozenset[str] | None,
    until_s: float | None,
    *,
    default_s: float | None = None,
) -> Action:
    """One action of a script. Raises SessionError."""
    fields = Fields(value, where)
    verb = fields.text("do")
    if verb not in VERBS:
        raise fields.error(f"{where}: {unknown('verb', verb, VERBS)}")
    fields.only(("at_s", "do", *VERBS[verb].parameters))
    at_s = fields.number("at_s", 0.0, SECONDS_MAX, default_s)
    if until_s is not None and at_s >= until_s:
        raise fields.error(
            f"{where} acts at {at_s:g} s, but the session ends at {until_s:g} s: act earlier, or"
            " let it end later"
        )
    return Action(at_s, verb, read_arguments(verb, fields, nodes))


def _scenario(fields: Fields) -> str:
    name = fields.text("scenario").replace("-", "_")
    if name not in NAMES:
        raise fields.error(f"the session: {unknown('scenario', name, NAMES)}")
    return name


def _plan(fields: Fields) -> Plan:
    value = fields.values["plan"]
    if not isinstance(value, dict):
        raise fields.error(f"the session: plan must be an object, not {kind_of(value)}")
    return read_plan(value)


def _settings(fields: Fields) -> dict[str, str]:
    found = {key: str(value) for key, value in fields.settings("settings").items()}
    for name in found:
        if name not in BROKER:
            raise fields.error(f"the session: {unknown('node setting', name, BROKER)}")
    return found


def _rules(fields: Fields) -> tuple[str, ...]:
    names = fields.texts("rules_off")
    known = {word(rule) for rule in Rule}
    for name in names:
        if name not in known:
            raise fields.error(f"the session: {unknown('rule', name, known)}")
    return tuple(dict.fromkeys(names))


def check_settings(settings: Mapping[str, str]) -> None:
    """Refuse settings with which no node would start. Raises SessionError."""
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": "PLAINTEXT://n1:9092,CONTROLLER://n1:9093",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": "1@n1:9093",
        "log.dirs": "/data",
        **settings,
    }
    try:
        read_config(properties, hostname=lambda: "n1")
    except WrongSettings as error:
        raise SessionError("bad-session", f"the session: settings: {error}") from error
