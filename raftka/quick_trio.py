"""Imports trio without what a server does not need at its start: a fifth of trio's own time.

trio calls `ctypes.util.find_library` to find pthread_setname_np, which on Linux forks, runs
`ldconfig -p` and parses its output. With glibc the answer is always the same. Elsewhere (musl),
trio leaves its threads without names, as it does whenever it finds nothing.

trio's own TLS and DTLS bring in ssl, whose constants become 300 members of enumerations, and
OpenSSL with its 4 MB. They are imported when their names are first used. raftka uses none of them:
its TLS is `net/security/tls.py`, loaded for the first listener with TLS.
"""

from __future__ import annotations

import ctypes
import sys
from importlib import import_module
from types import ModuleType
from typing import Final

_LATER: Final = ("trio._dtls", "trio._ssl", "trio._highlevel_ssl_helpers")
"""Of trio's own modules, only its `__init__` and the last of these import them."""


def import_trio() -> None:
    """Call it before any other import of trio; later it does nothing."""
    if "trio" in sys.modules or sys.platform != "linux":
        return
    left_out: dict[str, str] = {}
    stand_ins = {name: _stand_in(name, left_out) for name in _LATER}
    finder = stand_ins["ctypes.util"] = ModuleType("ctypes.util")
    vars(finder)["find_library"] = lambda name: f"lib{name}.so.0"
    real = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    vars(ctypes)["util"] = finder
    try:
        import trio
    finally:
        # Later imports get the real modules.
        del vars(ctypes)["util"]
        for name, module in real.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module
        if (util := real["ctypes.util"]) is not None:
            vars(ctypes)["util"] = util
    for name in left_out:
        del vars(trio)[name]

    def import_now(name: str) -> object:
        if name not in left_out:
            raise AttributeError(f"module 'trio' has no attribute {name!r}")
        return getattr(import_module(left_out[name]), name)

    vars(trio)["__getattr__"] = import_now


def _stand_in(module: str, left_out: dict[str, str]) -> ModuleType:
    """A stand-in for a module: it has every name, and loads the real one on use."""
    made = ModuleType(module)

    def note(name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)
        left_out[name] = module

    vars(made)["__getattr__"] = note
    return made
