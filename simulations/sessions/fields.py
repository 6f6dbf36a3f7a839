"""Reads the fields of JSON objects strictly: a wrong type or name is an error that names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from raftka.simulations.sessions.errors import SessionError

_KINDS: Final = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


def kind_of(value: object) -> str:
    """The name of a JSON value's type."""
    return _KINDS.get(type(value), type(value).__name__)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """ "there is no verb 'kil'; did you mean kill?", or the existing names."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    rest = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"
    return f"there is no {what} {name!r}; {rest}"


class Fields:
    """The fields of one object; `where` names it in errors."""

    def __init__(self, value: object, where: str, code: str = "bad-session") -> None:
        self.where = where
        self.code = code
        if not isinstance(value, Mapping):
            raise self.error(f"{where} must be an object, not {kind_of(value)}")
        self.values: Mapping[str, Any] = value

    def error(self, words: str) -> SessionError:
        return SessionError(self.code, words)

    def only(self, names: Iterable[str]) -> None:
        """Refuse unknown fields: a misspelt one would silently do nothing."""
        for name in self.values:
            if name not in names:
                raise self.error(f"{self.where}: {unknown('field', str(name), names)}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self._get(name, default)
        if not isinstance(value, str) or not value or len(value) > 1000:
            raise self._wrong(name, "text of 1 to 1000 characters", value)
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        value = self._get(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise self._wrong(name, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(name, f"an integer from {low} to {high}", value)
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._wrong(name, "a list of texts", value)
        return tuple(value)

    def settings(self, name: str, *, may_be_null: bool = False) -> dict[str, str | None]:
        """A mapping of names to texts."""
        value = self._get(name, {})
        if not isinstance(value, dict):
            raise self._wrong(name, "an object", value)
        for key, each in value.items():
            if not isinstance(each, str) and not (may_be_null and each is None):
                words = 'text, as in "2"' + (", or null" if may_be_null else "")
                raise self.error(
                    f"{self.where}: {name}: {key} must be {words}, not {kind_of(each)}"
                )
        return dict(value)

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def _get(self, name: str, default: Any) -> Any:
        value = self.values.get(name)
        if value is None:
            if default is None:
                raise self.error(f"{self.where} needs the field {name!r}")
            return default
        return value

    def _wrong(self, name: str, wanted: str, value: object) -> SessionError:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else kind_of(value)
        return self.error(f"{self.where}: {name} must be {wanted}, not {shown}")
