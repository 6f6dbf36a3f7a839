"""Runs many seeds of every lesson, and keeps their results (figures.py).

    python -m raftka.learn.counting [--seeds 1000] [--minutes 30] [--jobs 1] [LESSON ...]

runs what figures.json lacks, seed by seed through all lessons, and keeps what it has when its time
is over: the next call goes on from there. The page says how many runs there are, from the file.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from raftka.learn import lessons
from raftka.learn.figures import FILE, SETTING, VALUES, Figures, Run, read, written
from raftka.learn.recording import measured
from raftka.simulations.sessions.errors import SessionError

_KEPT_EACH_S: Final = 20.0


def run_of(session: Mapping[str, Any]) -> Run:
    """The three figures of a session."""
    try:
        found = measured(session)
    except SessionError:
        return []  # The story has waited in vain.
    return [
        *(_ms(found["election_s"]), _ms(found["outage_s"])),
        int(found["lost"] or 0),
    ]


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def session_of(name: str, value: str, seed: int) -> dict[str, Any]:
    """The session of a seed; the page opens the same."""
    return {"lesson": name, "seed": seed, "settings": {SETTING: value}}


def missing(found: Figures, names: Sequence[str], seeds: int) -> Iterator[tuple[str, str, int]]:
    """The missing runs up to that number for each lesson, in an order in which all grow alike."""
    for seed in range(1, seeds // len(VALUES) + 1):
        for name in names:
            for value in VALUES:
                if len(found.get(name, {}).get(value, [])) < seed:
                    yield name, value, seed


def _work(wanted: tuple[str, str, int]) -> tuple[str, str, Run]:
    name, value, seed = wanted
    return name, value, run_of(session_of(name, value, seed))


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m raftka.learn.counting", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="LESSON")
    parser.add_argument("--seeds", type=int, default=1000, help="runs of each lesson (1000)")
    parser.add_argument("--minutes", type=float, default=30.0, help="ends then (30)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    parser.add_argument("--file", default=str(Path(__file__).with_name(FILE)))
    options = parser.parse_args(arguments)
    file = Path(options.file)
    found = read(file.read_text(encoding="utf-8")) if file.exists() else {}
    end = kept = time.monotonic()
    end += options.minutes * 60

    def keep() -> None:
        scratch = file.with_suffix(".new")
        scratch.write_text(written(found), encoding="utf-8")
        scratch.replace(file)

    wanted = list(missing(found, options.names or lessons.names(), options.seeds))
    with get_context("spawn").Pool(options.jobs) as pool:
        for name, value, run in pool.imap(_work, wanted):
            found.setdefault(name, {}).setdefault(value, []).append(run)
            now = time.monotonic()
            if now - kept > _KEPT_EACH_S:
                keep()
                kept = now
            if now > end:
                break
    keep()
    print({name: [len(runs) for runs in each.values()] for name, each in found.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
