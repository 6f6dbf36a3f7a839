"""`raftka version`: the version, and the commit that it was built from."""

from __future__ import annotations

import importlib
import platform
import subprocess
from pathlib import Path

from raftka.model.version import __version__


def main(argv: list[str]) -> int:
    """Print the version."""
    if argv:
        print("usage: raftka version")
        return 0 if argv in (["-h"], ["--help"]) else 2
    found = commit()
    told = f"commit {found}, " if found else ""
    print(f"raftka {__version__} ({told}Python {platform.python_version()})")
    return 0


def commit() -> str:
    """The commit of this installation, or of the checkout that it runs from; "" when unknown."""
    try:
        # Only a built distribution has it (build_hook.py).
        return str(importlib.import_module("raftka._commit").COMMIT)
    except ImportError:
        pass
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    asked = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
