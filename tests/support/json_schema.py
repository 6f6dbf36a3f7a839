"""As much of JSON Schema (draft 2020-12) as our schemas use. An unknown keyword is an error, so
that no rule of a schema is ignored.
"""

from __future__ import annotations

import re
from typing import Any, Final

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_REMARKS: Final = {"$schema", "title", "description"}


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value is valid."""
    return all(
        _rule(keyword, wanted, schema, value)
        for keyword, wanted in schema.items()
        if keyword not in _REMARKS
    )


def _is(kind: str, value: Any) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _rule(keyword: str, wanted: Any, schema: dict[str, Any], value: Any) -> bool:
    if keyword == "type":
        return any(_is(kind, value) for kind in ([wanted] if isinstance(wanted, str) else wanted))
    if keyword == "enum":
        return any(type(each) is type(value) and each == value for each in wanted)
    if keyword == "const":
        return bool(value == wanted)
    if keyword == "allOf":
        return all(accepts(each, value) for each in wanted)
    if keyword == "oneOf":
        return sum(accepts(each, value) for each in wanted) == 1
    if keyword == "not":
        return not accepts(wanted, value)
    if isinstance(value, dict):
        return _of_object(keyword, wanted, schema, value)
    if isinstance(value, list):
        return _of_array(keyword, wanted, value)
    if isinstance(value, str):
        return _of_text(keyword, wanted, value)
    if isinstance(value, int | float):
        return bool({"minimum": value >= wanted, "maximum": value <= wanted}[keyword])
    return True


def _of_object(keyword: str, wanted: Any, schema: dict[str, Any], value: dict[str, Any]) -> bool:
    if keyword == "properties":
        return all(accepts(rule, value[name]) for name, rule in wanted.items() if name in value)
    if keyword == "additionalProperties":
        others = [name for name in value if name not in schema.get("properties", {})]
        return not others if wanted is False else all(accepts(wanted, value[n]) for n in others)
    if keyword == "required":
        return set(wanted) <= set(value)
    if keyword == "dependentRequired":
        return all(set(needs) <= set(value) for name, needs in wanted.items() if name in value)
    return bool(len(value) >= {"minProperties": wanted}[keyword])


def _of_array(keyword: str, wanted: Any, value: list[Any]) -> bool:
    if keyword == "items":
        return all(accepts(wanted, each) for each in value)
    return bool(len(value) <= {"maxItems": wanted}[keyword])


def _of_text(keyword: str, wanted: Any, value: str) -> bool:
    if keyword == "pattern":
        return re.search(wanted, value) is not None
    return bool({"minLength": len(value) >= wanted, "maxLength": len(value) <= wanted}[keyword])
