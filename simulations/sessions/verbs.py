"""The actions of a script, in one table, by which they are read, checked, listed and performed.

The verbs are those of scenarios (simulations/scenarios/hands.py).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from raftka.model.ids import TopicPartition
from raftka.simulations.machines.machine import Machine
from raftka.simulations.machines.virtual_clock import Impossible
from raftka.simulations.scenarios.hands import Hands, Way
from raftka.simulations.sessions.altering import check_alteration
from raftka.simulations.sessions.fields import Fields, unknown

Arguments = Mapping[str, Any]
BASE64_MAX: Final = 4 * ((65536 + 2) // 3)
"""Characters of the bytes of one action, at most."""
_ACKS: Final = {"all": -1, "1": 1, "0": 0}
_PARTITION: Final = re.compile(r"([a-zA-Z0-9._-]{1,249})-(\d{1,9})")


class Parameter(NamedTuple):
    """A field of an action."""

    kind: str
    """node, host, topic, partition, seconds, milliseconds, count, flag, acks, bytes, settings."""
    meaning: str
    is_needed: bool = True
    default: Any = None


class Verb(NamedTuple):
    """An action on a cluster."""

    meaning: str
    parameters: Mapping[str, Parameter]
    perform: Callable[[Hands, Arguments], None]
    """Performs it. Raises Impossible."""


def _node(meaning: str) -> dict[str, Parameter]:
    return {"node": Parameter("node", meaning)}


def _machine(hands: Hands, arguments: Arguments) -> Machine:
    return machine_named(hands, arguments["node"])


def machine_named(hands: Hands, name: str) -> Machine:
    """The machine of a node. Raises Impossible."""
    hosts = {machine.host: machine for machine in hands.world.cluster.machines.values()}
    if name not in hosts:
        known = ", ".join(hosts)
        raise Impossible(f"there is no node {name} now; there are: {known}", "no-node", node=name)
    return hosts[name]


def _up(hands: Hands, arguments: Arguments) -> Machine:
    machine = _machine(hands, arguments)
    if machine.process is None:
        words = f"{machine.host} is down{_since(machine)}: restart it first"
        raise Impossible(words, "down", node=machine.host)
    return machine


def _since(machine: Machine) -> str:
    """Since when a machine is in its state, and why: " since 2 s (kill)"."""
    if not machine.fates:
        return ""
    at_s, kind = machine.fates[-1]
    return f" since {at_s:.6g} s ({kind})"


def _on_up(do: Callable[[Hands, Machine], None]) -> Callable[[Hands, Arguments], None]:
    return lambda hands, arguments: do(hands, _up(hands, arguments))


def _pause(hands: Hands, arguments: Arguments) -> None:
    machine = _up(hands, arguments)
    if machine.is_paused:
        words = f"{machine.host} is paused already{_since(machine)}"
        raise Impossible(words, "paused-already", node=machine.host)
    hands.pause(machine)


def _resume(hands: Hands, arguments: Arguments) -> None:
    machine = _up(hands, arguments)
    if not machine.is_paused:
        words = f"{machine.host} runs: only a paused node can be resumed"
        raise Impossible(words, "not-paused", node=machine.host)
    hands.resume(machine)


def _restart(hands: Hands, arguments: Arguments) -> None:
    machine = _machine(hands, arguments)
    if machine.process is not None:
        state = "is paused: resume it" if machine.is_paused else "runs: kill or stop it"
        code = "paused" if machine.is_paused else "runs"
        raise Impossible(f"{machine.host} {state} first", code, node=machine.host)
    if machine.broken:
        words = f"{machine.host} must not be started: {machine.broken}"
        raise Impossible(words, "broken", node=machine.host)
    hands.restart(machine)


def _stop(hands: Hands, arguments: Arguments) -> None:
    machine = _up(hands, arguments)
    if machine.is_paused:
        words = f"{machine.host} is paused: it would not notice; resume it first"
        raise Impossible(words, "paused", node=machine.host)
    assert machine.process is not None
    if machine.process.shutdown.is_set():
        words = f"{machine.host} is stopping already{_since(machine)}"
        raise Impossible(words, "stopping-already", node=machine.host)
    hands.stop(machine)


def _ways(hands: Hands, arguments: Arguments) -> list[Way]:
    one, other = arguments["from"], arguments["to"]
    world = hands.world
    known = [*world.hosts(), *(task.plan.name for task in world.producers)]
    known += [task.plan.name for task in world.consumers]
    for name in (one, other):
        if name not in known:
            words = f"there is no host {name} now; there are: {', '.join(known)}"
            raise Impossible(words, "no-host", host=name)
    return [(one, other), (other, one)] if arguments["both"] else [(one, other)]


def _cut(hands: Hands, arguments: Arguments) -> None:
    ways = _ways(hands, arguments)
    left = [way for way in ways if hands.world.fabric.passes(*way)]
    if not left:
        words = f"nothing passes from {ways[0][0]} to {ways[0][1]} already"
        raise Impossible(words, "cut-already", source=ways[0][0], target=ways[0][1])
    hands.cut(left)


def _heal(hands: Hands, arguments: Arguments) -> None:
    if "from" not in arguments:
        hands.heal()
        return
    ways = _ways(hands, arguments)
    left = [way for way in ways if not hands.world.fabric.passes(*way)]
    if not left:
        words = f"the way from {ways[0][0]} to {ways[0][1]} is not cut"
        raise Impossible(words, "not-cut", source=ways[0][0], target=ways[0][1])
    hands.heal_links(left)


def _fill(hands: Hands, arguments: Arguments) -> None:
    machine, full = _machine(hands, arguments), arguments["full"]
    if machine.medium.faults.full == full:
        words = f"the disk of {machine.host} {'is full already' if full else 'has space'}"
        raise Impossible(words, "full-already" if full else "has-space", node=machine.host)
    hands.fill_disk(machine, full=full)


def _topic(hands: Hands, name: str) -> str:
    topics = hands.world.image.topics
    if name not in topics:
        known = ", ".join(topics) or "none yet"
        words = f"there is no topic {name} now; there are: {known}"
        raise Impossible(words, "no-topic", topic=name)
    return name


def _produce(hands: Hands, arguments: Arguments) -> None:
    topic = _topic(hands, arguments["topic"])
    hands.produce(topic, arguments["records"], _ACKS[arguments["acks"]])


def _bytes(hands: Hands, arguments: Arguments) -> None:
    machine, data = _machine(hands, arguments), b64decode(arguments.get("base64", ""))
    hands.hear_from_outside(machine, arguments["connection"], data, end=arguments["end"])


def _elect(hands: Hands, arguments: Arguments) -> None:
    target = None
    if "partition" in arguments:
        target = _target(arguments["partition"])
        if hands.world.image.partition(*target) is None:
            words = f"there is no partition {target} now"
            raise Impossible(words, "no-partition", partition=str(target))
    hands.elect(target, unclean=arguments["unclean"])


def _target(text: str) -> TopicPartition:
    match = _PARTITION.fullmatch(text)
    assert match is not None
    return TopicPartition(match[1], int(match[2]))


def _alter(hands: Hands, arguments: Arguments) -> None:
    if "topic" in arguments:
        hands.alter_topic(_topic(hands, arguments["topic"]), arguments["settings"])
        return
    node = arguments.get("node")
    node_id = None if node is None else machine_named(hands, node).node_id
    hands.alter_nodes(node_id, arguments["settings"])


_LINK: Final = {
    "from": Parameter("host", "where messages come from: a node or a client"),
    "to": Parameter("host", "where they do not arrive"),
    "both": Parameter("flag", "the other direction, too", False, False),
}
_ONE_LINK: Final = {name: each._replace(is_needed=False) for name, each in _LINK.items()}

VERBS: Final[Mapping[str, Verb]] = {
    "kill": Verb("kill a process (SIGKILL)", _node("whose"), _on_up(Hands.kill)),
    "power-loss": Verb(
        "take a machine's power: what it had not synced is lost, and no peer is notified",
        _node("whose"),
        _on_up(Hands.lose_power),
    ),
    "pause": Verb("suspend a process (SIGSTOP)", _node("whose"), _pause),
    "resume": Verb("let it go on (SIGCONT)", _node("whose"), _resume),
    "restart": Verb("start a node that is down", _node("which"), _restart),
    "stop": Verb("ask a node to shut down (SIGTERM)", _node("which"), _stop),
    "cut": Verb("let nothing pass from one host to another", _LINK, _cut),
    "heal": Verb(
        "undo a cut; without a link everything: cuts, disks, paused and dead nodes",
        _ONE_LINK,
        _heal,
    ),
    "wipe": Verb(
        "replace the disk of a node that is down by an empty one",
        _node("whose"),
        lambda hands, arguments: hands.wipe(_machine(hands, arguments)),
    ),
    "full-disk": Verb(
        "leave no space on a disk",
        {
            **_node("whose"),
            "full": Parameter("flag", "false: there is space again", False, True),
        },
        _fill,
    ),
    "slow-disk": Verb(
        "let each sync of a disk take long",
        {**_node("whose"), "seconds": Parameter("seconds", "how long, at most")},
        lambda hands, arguments: hands.slow_disk(_machine(hands, arguments), arguments["seconds"]),
    ),
    "clock-jump": Verb(
        "set a wall clock forward, or back",
        {**_node("whose"), "ms": Parameter("milliseconds", "by how much; negative: back")},
        lambda hands, arguments: hands.jump_clock(_machine(hands, arguments), arguments["ms"]),
    ),
    "produce": Verb(
        "send records by a producer of its own",
        {
            "topic": Parameter("topic", "where"),
            "records": Parameter("count", "how many", False, 1),
            "acks": Parameter("acks", "what it waits for: all, 1 or 0", False, "all"),
        },
        _produce,
    ),
    "bytes": Verb(
        "what a client from outside sends on a connection (raftka learn --bridge)",
        {
            **_node("to whom"),
            "connection": Parameter("count", "its number; the first bytes open it"),
            "base64": Parameter("bytes", "what is sent, at most 65536 bytes", False),
            "end": Parameter("flag", "the client ends it behind them", False, False),
        },
        _bytes,
    ),
    "elect": Verb(
        "ask for an election of partition leaders",
        {
            "partition": Parameter("partition", "which; without it all", False),
            "unclean": Parameter("flag", "take one that lacks records, too", False, False),
        },
        _elect,
    ),
    "alter-config": Verb(
        "change settings of a topic, of a node, or of all nodes",
        {
            "topic": Parameter("topic", "whose", False),
            "node": Parameter("node", "whose", False),
            "settings": Parameter("settings", "names and values; null takes one away"),
        },
        _alter,
    ),
}


def read_arguments(verb: str, fields: Fields, nodes: Collection[str] | None) -> dict[str, Any]:
    """The arguments of an action, checked as far as possible before anything runs. `nodes`: the
    hosts that there will be; None when others may join. Raises SessionError.
    """
    parameters = VERBS[verb].parameters
    found: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if not fields.has(name):
            if parameter.is_needed:
                raise fields.error(f"{fields.where}: {verb} needs {name}: {parameter.meaning}")
            if parameter.default is not None:
                found[name] = parameter.default
            continue
        found[name] = _READ[parameter.kind](fields, name)
        is_node = parameter.kind == "node" or (parameter.kind == "host" and _is_node(found[name]))
        if is_node and nodes is not None and found[name] not in nodes:
            raise fields.error(f"{fields.where}: {unknown('node', found[name], nodes)}")
    _check_together(verb, found, fields)
    return found


def _is_node(name: str) -> bool:
    return re.fullmatch(r"n\d+", name) is not None


def _check_together(verb: str, found: dict[str, Any], fields: Fields) -> None:
    where = fields.where
    if ("from" in found) != ("to" in found):
        raise fields.error(f"{where}: {verb} needs both from and to, or neither")
    if "from" in found and found["from"] == found["to"]:
        raise fields.error(f"{where}: from and to are the same host, {found['from']}")
    if verb == "heal" and "from" not in found:
        found.pop("both", None)
    if verb == "alter-config":
        check_alteration(found, fields)


def _partition(fields: Fields, name: str) -> str:
    text = fields.text(name)
    if _PARTITION.fullmatch(text) is None:
        raise fields.error(f"{fields.where}: {name} must be a topic and an index, as in t-0")
    return text


def _acks(fields: Fields, name: str) -> str:
    value = fields.values[name]
    text = str(value) if type(value) in (str, int) else ""
    if text not in _ACKS:
        raise fields.error(f"{fields.where}: {name} must be all, 1 or 0, not {value!r}")
    return text


def _base64(fields: Fields, name: str) -> str:
    text = fields.values[name]
    if not isinstance(text, str) or len(text) > BASE64_MAX:
        raise fields.error(f"{fields.where}: {name}: text of at most {BASE64_MAX} characters")
    try:
        b64decode(text, validate=True)
    except ValueError as error:
        raise fields.error(f"{fields.where}: {name} is no base64: {error}") from error
    return text


_READ: Final[Mapping[str, Callable[[Fields, str], Any]]] = {
    "node": Fields.text,
    "host": Fields.text,
    "topic": Fields.text,
    "partition": _partition,
    "acks": _acks,
    "bytes": _base64,
    "flag": Fields.flag,
    "count": lambda fields, name: fields.integer(name, 1, 10_000),
    "seconds": lambda fields, name: fields.number(name, 0.0, 60.0),
    "milliseconds": lambda fields, name: fields.integer(name, -(10**11), 10**11),
    "settings": lambda fields, name: fields.settings(name, may_be_null=True),
}


def listed() -> list[dict[str, Any]]:
    """All verbs with their parameters, for a page to offer."""
    return [
        {
            "name": name,
            "meaning": verb.meaning,
            "parameters": [
                {
                    "name": key,
                    "kind": each.kind,
                    "meaning": each.meaning,
                    "needed": each.is_needed,
                    "default": each.default,
                }
                for key, each in verb.parameters.items()
            ],
        }
        for name, verb in VERBS.items()
    ]
