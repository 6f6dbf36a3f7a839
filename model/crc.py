"""CRC-32C at memory speed, without importing the whole package around it.

`import crc32c` reads the package's own version by importlib.metadata (with email, zipfile and csv
behind it), which costs a starting node 16 ms and 2 MB; only the compiled module in it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType
from typing import Final

_MODULE: Final = "crc32c._crc32c"


def _compiled() -> ModuleType:
    """Only the compiled module; the whole package if it is built differently."""
    package = PathFinder.find_spec("crc32c")
    where = None if package is None else package.submodule_search_locations
    spec = PathFinder.find_spec(_MODULE, where) if where else None
    if "crc32c" in sys.modules or spec is None or spec.loader is None:
        import crc32c

        return crc32c
    module = module_from_spec(spec)
    # A later `import crc32c` by another library finds it here.
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    return module


crc32c: Final[Callable[..., int]] = _compiled().crc32c
"""crc32c(data, value=0) -> int, the package's own function."""

__all__ = ["crc32c"]
