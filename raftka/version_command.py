"""`raftka version`."""

from __future__ import annotations

import platform

from raftka.model.version import __version__


def main(argv: list[str]) -> int:
    """Print the version."""
    if argv:
        print("usage: raftka version")
        return 0 if argv in (["-h"], ["--help"]) else 2
    print(f"raftka {__version__} (Python {platform.python_version()})")
    return 0
