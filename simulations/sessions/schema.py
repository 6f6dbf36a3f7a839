"""The JSON schema of a session, from the tables that check one.

    python -m raftka.simulations.sessions.schema

writes it to schema.json beside this file, where it is part of the package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from raftka.simulations.sessions.session import ACTIONS_MAX, SECONDS_MAX, SEED_MAX
from raftka.simulations.sessions.verbs import BASE64_MAX, VERBS, Parameter

FILE: Final = Path(__file__).with_name("schema.json")

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 1000}
_KINDS: Final[dict[str, dict[str, Any]]] = {
    "node": {"type": "string", "pattern": "^n[0-9]+$"},
    "host": _TEXT,
    "topic": _TEXT,
    "partition": {"type": "string", "pattern": "^[a-zA-Z0-9._-]{1,249}-[0-9]{1,9}$"},
    "acks": {"enum": ["all", "1", "0", 1, 0]},
    "bytes": {"type": "string", "contentEncoding": "base64", "maxLength": BASE64_MAX},
    "flag": {"type": "boolean"},
    "count": {"type": "integer", "minimum": 1, "maximum": 10_000},
    "seconds": {"type": "number", "minimum": 0, "maximum": 60},
    "milliseconds": {"type": "integer", "minimum": -(10**11), "maximum": 10**11},
    "settings": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": ["string", "null"]},
    },
}


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    moment = {"type": "number", "minimum": 0, "maximum": SECONDS_MAX}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A session of raftka's simulator",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "scenario": {**_TEXT, "description": "raftka simulate --list-scenarios names them"},
            "plan": {"type": "object"},
            "lesson": _TEXT,
            "seed": {"type": "integer", "minimum": 0, "maximum": SEED_MAX},
            "settings": {"type": "object", "additionalProperties": {"type": "string"}},
            "rules_off": {
                "type": "array",
                "items": {
                    **_TEXT,
                    "description": "the operation rules of raftka session lists them",
                },
            },
            "script": {
                "type": "array",
                "maxItems": ACTIONS_MAX,
                "items": {"oneOf": [_action(name, moment) for name in VERBS]},
            },
            "until_s": moment,
            "bridge": {"type": "integer", "minimum": 1024, "maximum": 65000},
        },
        "allOf": [
            {"not": {"required": pair}}
            for pair in (["scenario", "plan"], ["scenario", "lesson"], ["plan", "lesson"])
        ],
    }


def _action(name: str, moment: dict[str, Any]) -> dict[str, Any]:
    verb = VERBS[name]
    needed = [key for key, each in verb.parameters.items() if each.is_needed]
    found: dict[str, Any] = {
        "type": "object",
        "description": verb.meaning,
        "additionalProperties": False,
        "properties": {
            "at_s": moment,
            "do": {"const": name},
            **{key: _parameter(each) for key, each in verb.parameters.items()},
        },
        "required": ["at_s", "do", *needed],
    }
    if name == "heal":
        found["dependentRequired"] = {"from": ["to"], "to": ["from"]}
    if name == "alter-config":
        found["not"] = {"required": ["topic", "node"]}
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {**_KINDS[parameter.kind], "description": parameter.meaning}


if __name__ == "__main__":
    FILE.write_text(json.dumps(schema(), indent=1) + "\n")
