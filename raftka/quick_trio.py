"""Imports trio without the program that it would start.

trio asks `ctypes.util.find_library` where pthread_setname_np is, which on Linux forks, runs
`ldconfig -p` and reads what it prints: an eighth of the time in which a node starts. With glibc the
answer is always the same. Where it is not (musl), trio goes without names for its threads, as it
does whenever it finds nothing.
"""

from __future__ import annotations

import ctypes.util
import sys


def import_trio() -> None:
    """Call it before anything else imports trio; later it does nothing."""
    if "trio" in sys.modules or sys.platform != "linux":
        return
    find_library = ctypes.util.find_library
    ctypes.util.find_library = lambda name: f"lib{name}.so.0"
    try:
        import trio  # noqa: F401
    finally:
        ctypes.util.find_library = find_library
