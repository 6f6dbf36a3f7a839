"""The README's examples work as they are printed, and work a second time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from raftka.testing import Cluster

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.wire
def test_the_example_in_python_runs_twice(tmp_path: Path) -> None:
    (example,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
        if "trio.run(main)" in block
    )
    address = re.search(r'"bootstrap\.servers": "([^"]+)"', example)
    assert address is not None
    with Cluster(nodes=3) as cluster:
        script = tmp_path / "example.py"
        script.write_text(example.replace(address[1], cluster.bootstrap_servers))
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, str(script)], capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stderr
            assert "Barco Negro" in done.stdout
