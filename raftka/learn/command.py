"""`raftka learn`: watch a cluster think."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from raftka.learn import lessons
from raftka.learn.export import TooLong, export
from raftka.learn.lessons import WrongLesson
from raftka.learn.recording import record
from raftka.learn.telling import NotInTrace
from raftka.simulations.runs.user_file import UnusableFile

_EPILOG: Final = """\
WHAT is the name of a lesson or of a scenario, a trace (a file that raftka simulate --trace wrote,
or a node's), or a lesson of your own (a .py file, see docs/teaching.md).
"""


def main(argv: list[str]) -> int:
    """Run the command line; the exit code: 0, or 1 for what cannot be shown."""
    parser = argparse.ArgumentParser(
        prog="raftka learn",
        description="Watch the deployed cluster think: every message, election and log, and why.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="*", metavar="WHAT", help="what to show")
    parser.add_argument("--export", metavar="FILE.html", help="write one file, and serve nothing")
    parser.add_argument("--seed", type=int, help="of a scenario (default: 1)")
    parser.add_argument("--lang", choices=lessons.LANGUAGES, help="default: the browser's")
    parser.add_argument("--list", action="store_true", help="name the lessons")
    options = parser.parse_args(argv)
    try:
        if options.list:
            for number, name in enumerate(lessons.names(), 1):
                print(f"{number:2}  {name:24}{lessons.load(name).title()['en']}")
            return 0
        if options.export is None:
            parser.error("give --export FILE.html")
        names = options.what or [lessons.names()[0]]
        text = export([record(each, seed=options.seed) for each in names], options.lang)
        Path(options.export).write_text(text, encoding="utf-8")
        print(f"{options.export}: {len(text.encode()):,} bytes. Open it in any browser.")
        return 0
    except (UnusableFile, WrongLesson, NotInTrace, TooLong) as error:
        print(f"raftka learn: {error}", file=sys.stderr)
        return 1
