"""The commit that runs."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """The commit that runs, with a + when files differ from it."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
