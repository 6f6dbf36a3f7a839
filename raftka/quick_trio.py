"""Imports trio without the program that it would start.

trio asks `ctypes.util.find_library` where pthread_setname_np is, which on Linux forks, runs
`ldconfig -p` and reads what it prints: an eighth of the time in which a node starts. With glibc the
answer is always the same. Where it is not (musl), trio goes without names for its threads, as it
does whenever it finds nothing. The module that it asks, with tempfile behind it, is left out too.
"""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType


def import_trio() -> None:
    """Call it before anything else imports trio; later it does nothing."""
    if "trio" in sys.modules or sys.platform != "linux":
        return
    asked = sys.modules.get("ctypes.util")
    stand_in = ModuleType("ctypes.util")
    vars(stand_in)["find_library"] = lambda name: f"lib{name}.so.0"
    sys.modules["ctypes.util"] = vars(ctypes)["util"] = stand_in
    try:
        import trio  # noqa: F401
    finally:
        # Whatever imports it later gets the real one.
        del sys.modules["ctypes.util"], vars(ctypes)["util"]
        if asked is not None:
            sys.modules["ctypes.util"] = vars(ctypes)["util"] = asked
