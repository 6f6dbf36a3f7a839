"""Packs the simulator for WebAssembly into one archive: raftka's wheel, the libraries in pure
Python as they are installed here, and the wheels of the two compiled ones.

    python -m raftka.simulations.wasm.pack OUTPUT.zip

Compiled libraries have exactly the versions that are installed here, since another version of a
compressor may give other bytes, and a run another hash. pip caches its downloads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PURE: Final = ("trio", "attrs", "outcome", "sortedcontainers", "sniffio", "idna", "pysyncobj")
"""trio and pysyncobj, and what trio imports."""
COMPILED: Final = ("msgpack", "cramjam")
PLATFORM: Final = "pyemscripten_2026_0_wasm32"
"""The platform tag of the wheels (PEP 783): Pyodide 314's."""
PYTHON: Final = "3.14"
_LEFT_OUT: Final = ("_tests/", "testing/_raises_group", "_tools/", "encoding/")
_SAME_MOMENT: Final = (2020, 1, 1, 0, 0, 0)


class Missing(Exception):
    """A file that the archive needs is not available."""


def main(arguments: list[str]) -> int:
    """See the module."""
    if len(arguments) != 1:
        print("usage: python -m raftka.simulations.wasm.pack OUTPUT.zip", file=sys.stderr)
        return 2
    try:
        size = pack(Path(arguments[0]))
    except Missing as error:
        print(f"pack: {error}", file=sys.stderr)
        return 1
    print(f"{arguments[0]}: {size / 1e6:.2f} MB")
    return 0


def pack(output: Path) -> int:
    """Write the archive; the same input gives the same bytes. Returns its size. Raises Missing."""
    with TemporaryDirectory() as scratch:
        _pip("wheel", "--no-build-isolation", "-w", scratch, str(ROOT))
        wanted = [f"{name}=={distribution(name).version}" for name in COMPILED]
        target = ("--platform", PLATFORM, "--python-version", PYTHON, "--only-binary=:all:")
        _pip("download", "-d", scratch, *target, *wanted)
        found = dict(_installed())
        for wheel in sorted(Path(scratch).glob("*.whl")):
            with zipfile.ZipFile(wheel) as opened:
                found |= {name: opened.read(name) for name in opened.namelist() if _runs(name)}
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w", compresslevel=9) as archive:
        for name in sorted(found):
            entry = zipfile.ZipInfo(name, _SAME_MOMENT)
            archive.writestr(entry, found[name], zipfile.ZIP_DEFLATED)
    return output.stat().st_size


def _installed() -> Iterator[tuple[str, bytes]]:
    for name in PURE:
        for file in distribution(name).files or ():
            if _runs(path := file.as_posix()):
                yield path, Path(str(file.locate())).read_bytes()


def _runs(path: str) -> bool:
    """Whether a file is code that a simulation may import, or data that it may read."""
    return (
        path.endswith((".py", ".so", ".toml", ".json"))
        and not path.startswith("..")
        and not any(each in path for each in _LEFT_OUT)
    )


def _pip(verb: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", verb, "--no-deps", "--quiet", *arguments]
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet)
    if done.returncode:
        raise Missing(f"pip {verb} failed:\n{done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
