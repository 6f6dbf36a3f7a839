"""Hatchling's hook: a distribution knows the commit that it was built from (`raftka version`).

A source distribution carries the file that a wheel made from it takes over; where there is neither
that nor a git repository, as in a container's build, RAFTKA_COMMIT says it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "raftka/_commit.py"


class CommitHook(BuildHookInterface[Any]):
    """Puts raftka/_commit.py into what is built, and never into the tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or (Path(self.root) / PLACE).exists():
            return  # A checkout asks git; a source distribution has the file.
        commit = os.environ.get("RAFTKA_COMMIT") or _from_git(self.root)
        if not commit:
            return
        handle, self._made = tempfile.mkstemp(suffix=".py")
        with os.fdopen(handle, "w") as file:
            file.write(f'"""Written when this was built."""\n\nCOMMIT = "{commit}"\n')
        build_data["force_include"][self._made] = PLACE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        made = getattr(self, "_made", None)
        if made is not None:
            os.unlink(made)


def _from_git(root: str) -> str:
    if not (Path(root) / ".git").exists():
        return ""
    asked = ["git", "-C", root, "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
