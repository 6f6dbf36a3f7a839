"""google-re2 by `re`, in the place of the package, which has no wheel for WebAssembly.

RE2 bounds the time that strangers' patterns take; the clients of a simulation are its own.
"""

from __future__ import annotations

import re
from types import ModuleType


class Options:
    """Of RE2's options, those that a caller sets are kept and change nothing here."""

    def __init__(self) -> None:
        self.log_errors = True


def compile(pattern: str, options: Options | None = None) -> re.Pattern[str]:
    """Raises re.error."""
    return re.compile(pattern)


def module() -> ModuleType:
    """What `import re2` finds."""
    made = ModuleType("re2", __doc__)
    made.__dict__.update(Options=Options, compile=compile, error=re.error)
    return made
