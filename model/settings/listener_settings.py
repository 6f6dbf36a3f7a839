"""Settings of one listener: listener.name.<listener>.<name> overrides <name> (KIP-103, KIP-86).

Settings of a SASL mechanism also have its name: listener.name.<listener>.<mechanism>.<name>. The
names of listeners and mechanisms are in lower case there.
"""

from __future__ import annotations

from raftka.model.named_tuple import NamedTuple
from raftka.model.settings.catalog import BROKER
from raftka.model.settings.config import Config
from raftka.model.settings.setting import Value


class ListenerSettings(NamedTuple):
    """The settings of one listener. Raises ValueError for an invalid value."""

    config: Config
    listener: str

    def given(self, name: str, mechanism: str = "") -> tuple[str, str] | None:
        """(the full name, the text) of a setting that is given for this listener only."""
        prefix = f"listener.name.{self.listener.lower()}."
        names = [prefix + name]
        if mechanism:
            names.insert(0, f"{prefix}{mechanism.lower()}.{name}")
        for each in names:
            text = self.config.given(each)
            if text is not None:
                return each, text
        return None

    def value(self, name: str, mechanism: str = "") -> Value:
        found = self.given(name, mechanism)
        if found is None:
            return self.config.value(name)
        try:
            return BROKER[name].parse(found[1])
        except ValueError as error:
            raise ValueError(f"{found[0]}: {error}; it takes {BROKER[name].allowed}") from error

    def text(self, name: str, mechanism: str = "") -> str | None:
        """A text or a password; None if it is not given."""
        value = self.value(name, mechanism)
        return None if value is None else str(value)

    def int(self, name: str, mechanism: str = "") -> int:
        value = self.value(name, mechanism)
        assert isinstance(value, int), name
        return value

    def names(self, name: str) -> list[str]:
        value = self.value(name)
        return [str(each) for each in value] if isinstance(value, tuple) else []
