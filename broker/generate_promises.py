"""Writes promises.py: the handlers' registrations, for modules that do not import handlers.

    python -m raftka.broker.generate_promises            writes it
    python -m raftka.broker.generate_promises --check    only reports whether it would change

The handlers are the source of truth (broker/handlers/<api>.py, `@handles(...)`).
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Final
from unittest.mock import patch

from raftka.broker import handlers
from raftka.broker.request import ROUTER

PATH: Final = Path(__file__).parent / "promises.py"

_HEAD: Final = '''"""The handler and the versions of each API, without importing the handlers.

Written by `python -m raftka.broker.generate_promises` from the handlers' registrations: change
those, not this.
"""

from __future__ import annotations

from typing import Final

from raftka.model.named_tuple import NamedTuple
from raftka.net.router import Listeners


class Promise(NamedTuple):
    """One API: its module in broker/handlers, and its entry in ApiVersions."""

    module: str
    min_version: int
    max_version: int
    listeners: Listeners
    forward: bool


PROMISES: Final[dict[int, Promise]] = {
'''


def generated() -> str:
    """The file for the handlers' current registrations, whatever it contains now."""
    blank = ModuleType("raftka.broker.promises")
    vars(blank).update(PROMISES={}, Promise=tuple)
    with patch.dict(sys.modules, {blank.__name__: blank}):
        return _HEAD + "\n".join(_lines()) + "\n}\n"


def _lines() -> list[str]:
    for found in iter_modules(handlers.__path__, f"{handlers.__name__}."):
        import_module(found.name)
    return [
        f'    {key}: Promise("{route.handler.__module__.rpartition(".")[2]}", {route.min_version},'
        f' {route.max_version}, "{route.listeners}", {route.forward}),'
        for key, route in sorted(ROUTER.all().items())
    ]


def main(arguments: list[str]) -> int:
    """Return 0 if the file is current, or was written."""
    text = generated()
    if PATH.exists() and PATH.read_text() == text:
        return 0
    if "--check" in arguments:
        print(f"{PATH.name} is not what the handlers say", file=sys.stderr)
        return 1
    PATH.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
