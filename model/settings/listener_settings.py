"""Settings of one listener: listener.name.<listener>.<name> over <name> (KIP-103, KIP-86).

Those of a mechanism of SASL have its name between: listener.name.<listener>.<mechanism>.<name>.
The names of listeners and mechanisms are in small letters there.
"""

from __future__ import annotations

from raftka.model.named_tuple import NamedTuple
from raftka.model.settings.catalog import BROKER
from raftka.model.settings.config import Config
from raftka.model.settings.setting import Value


class ListenerSettings(NamedTuple):
    """What one listener is set to. Raises ValueError for a value that is none."""

    config: Config
    listener: str

    def given(self, name: str, mechanism: str = "") -> tuple[str, str] | None:
        """(the whole name, the text) of a setting that is given for this listener alone."""
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
        """A text or a password; None when it is not given."""
        value = self.value(name, mechanism)
        return None if value is None else str(value)

    def int(self, name: str, mechanism: str = "") -> int:
        value = self.value(name, mechanism)
        assert isinstance(value, int), name
        return value

    def names(self, name: str) -> list[str]:
        value = self.value(name)
        return [str(each) for each in value] if isinstance(value, tuple) else []
