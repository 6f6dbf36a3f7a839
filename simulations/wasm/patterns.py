"""`re` in place of google-re2, which has no wheel for WebAssembly.

RE2 bounds the time of untrusted patterns; the clients of a simulation are its own.
"""

from __future__ import annotations

import re
from types import ModuleType


class Options:
    """RE2's options: stored when a caller sets them, without effect here."""

    def __init__(self) -> None:
        self.log_errors = True


def compile(pattern: str, options: Options | None = None) -> re.Pattern[str]:
    """Compile a pattern. Raises re.error."""
    return re.compile(pattern)


def module() -> ModuleType:
    """The module that `import re2` finds."""
    made = ModuleType("re2", __doc__)
    made.__dict__.update(Options=Options, compile=compile, error=re.error)
    return made
