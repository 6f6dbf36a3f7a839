"""Releases of raftka side by side: earlier ones, built from the repository's history, and this."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Self

import pytest

from raftka.local_cluster import LocalCluster

ROOT = Path(__file__).resolve().parents[2]


def commit_before(subject: str) -> str:
    """The parent of the commit with that subject: names change with a history that is rewritten.

    Skips the test where there is no such history, as in a source distribution or a shallow clone.
    """
    asked = ["git", "-C", str(ROOT), "log", "--format=%P %s", "--fixed-strings"]
    try:
        lines = subprocess.run(
            [*asked, f"--grep={subject}"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("an earlier release is built from git's history, and there is no repository")
    for line in lines.splitlines():
        parent, _, words = line.partition(" ")
        if words == subject and parent:
            return parent
    pytest.skip(f"git's history does not reach back to '{subject}': the clone is shallow")


def install(commit: str | None, directory: Path) -> Path:
    """Build the wheel of a commit, or of this checkout, and unpack it: a folder for PYTHONPATH.

    The packages that an earlier release needs are among those of this environment.
    """
    source, wheels, site = (directory / name for name in ("source", "wheels", "site"))
    if commit is None:
        source = ROOT
    else:
        tree = subprocess.run(
            ["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True
        ).stdout
        with tarfile.open(fileobj=BytesIO(tree)) as archive:
            archive.extractall(source, filter="data")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)],
        cwd=source,
        env={**os.environ, "RAFTKA_COMMIT": (commit or "checkout")[:12]},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    return site


class MixedCluster(LocalCluster):
    """Each node runs an installed release of its own, from the folder in `sites`."""

    def __init__(self, directory: Path, settings: Mapping[str, str], site: Path) -> None:
        super().__init__(directory, settings=settings)
        self.sites: dict[int, Path] = dict.fromkeys(self.node_ids, site)

    def __enter__(self) -> Self:
        return self

    @staticmethod
    def environment(site: Path) -> dict[str, str]:
        """The environment of a process of that release; with -P, so that Python does not import
        from the working directory instead.
        """
        return {**os.environ, "PYTHONPATH": str(site)}

    def _begin(
        self,
        node_id: int,
        arguments: list[str],
        out: BinaryIO,
        command: Sequence[str] = ("-m", "raftka", "server"),
        descriptors: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", *command, *arguments],
            env={**self.environment(self.sites[node_id]), "CLUSTER_ID": self.cluster_id},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
        )
