"""Installs each stand-in where the real module is missing; the package's docstring has the
reasons.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Final

from raftka.simulations.wasm import checksums, operating, passwords, patterns

_PACKAGES: Final[dict[str, Callable[[], ModuleType]]] = {
    "crc32c": checksums.module,
    "re2": patterns.module,
}


def take_their_places() -> list[str]:
    """Install the stand-ins, and return the names of the missing packages. Call it once per
    process, before anything else of raftka is imported.
    """
    missing = [name for name in _PACKAGES if name not in sys.modules and find_spec(name) is None]
    for name in missing:
        sys.modules[name] = _PACKAGES[name]()
    operating.take_place()
    passwords.take_place()
    return missing
