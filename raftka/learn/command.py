"""`raftka learn`: watch a cluster think."""

from __future__ import annotations

import argparse
import signal
import sys
import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from raftka.client.settings import ConfigError
from raftka.client.tools.options import ToolError, read_properties
from raftka.learn import lessons
from raftka.learn.export import TooLong, export, packed, titles_of
from raftka.learn.lessons import WrongLesson
from raftka.learn.places import places
from raftka.learn.recording import Recording, record
from raftka.learn.teacher import titles
from raftka.learn.telling import NotInTrace
from raftka.simulations.runs.user_file import UnusableFile
from raftka.simulations.scenarios import NAMES
from raftka.simulations.sessions.errors import SessionError
from raftka.version_command import commit

_EPILOG: Final = """\
WHAT is the name of a lesson or of a scenario, a session (docs/session.md), a trace (a file that
raftka simulate --trace wrote, or a node's), or a lesson of your own (a .py file, docs/teaching.md).
Without one, all lessons are there to choose from.
"""
_NEEDS: Final = "it needs starlette and hypercorn: pip install 'raftka[learn]', or use --export"


def main(argv: list[str]) -> int:
    """Run the command line; returns exit code 0, or 1 if the run cannot be shown."""
    options = _parser().parse_args(argv)
    try:
        if options.list:
            for each in titles():
                print(f"{each['number']:2}  {each['name']:24}{each['title']['en']}")
            return 0
        if options.bridge is not None:
            _check_bridge(options)
        if options.attach is not None and (options.what or options.export is not None):
            raise UnusableFile("--attach shows running nodes: name no lesson, and no --export")
        if options.class_:
            _check_class(options)
        elif options.playground is not None:
            raise UnusableFile(
                "--playground is for the students of --class; alone, open that file in a browser"
            )
        if options.export is not None:
            return _export(options)
        return _serve(options)
    except (ConfigError, ToolError) as error:
        print(f"raftka learn: --attach: {error}", file=sys.stderr)
        return 1
    except (UnusableFile, WrongLesson, NotInTrace, TooLong, SessionError) as error:
        print(f"raftka learn: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
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
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument(
        "--attach",
        metavar="HOST:PORT,...",
        help="show running nodes instead, live: what their recorders and Kafka's APIs answer",
    )
    parser.add_argument(
        "--bridge",
        metavar="PORT",
        type=int,
        help="virtual brokers on 127.0.0.1, from this port on, for real clients, live",
    )
    parser.add_argument(
        "--save", metavar="FILE", help="write the session of --bridge there at the end"
    )
    parser.add_argument(
        "--command-config", metavar="FILE", help="a client's properties for --attach (security)"
    )
    parser.add_argument(
        "--class",
        dest="class_",
        action="store_true",
        help="a link for students per lesson, whose predictions are counted (docs/teaching.md)",
    )
    parser.add_argument(
        "--playground",
        metavar="FILE.html",
        help="with --class: students' browsers run sessions with the engine in this file",
    )
    parser.add_argument("--open", action="store_true", help="open a browser, too")
    parser.add_argument("--list", action="store_true", help="name the lessons")
    return parser


def _check_bridge(options: argparse.Namespace) -> None:
    if options.what or options.export is not None or options.attach is not None:
        raise UnusableFile("--bridge runs a cluster of its own: name no lesson, nor --attach")
    if not 1024 <= options.bridge <= 65_000:
        raise UnusableFile("--bridge takes a port from 1024 to 65000")


def _check_class(options: argparse.Namespace) -> None:
    others = (options.export, options.attach, options.bridge)
    if any(each is not None for each in others) or options.seed is not None:
        raise UnusableFile(
            "--class takes lessons, --host, --port, --lang and --playground, and nothing else"
        )
    known = set(lessons.names())
    for each in options.what:
        if each not in known and not each.endswith(".py"):
            raise UnusableFile(
                f"--class takes lessons, and {each} is none: see raftka learn --list"
            )


def _export(options: argparse.Namespace) -> int:
    names = options.what or [lessons.names()[0]]
    text = export([record(each, seed=options.seed) for each in names], options.lang)
    Path(options.export).write_text(text, encoding="utf-8")
    print(f"{options.export}: {len(text.encode()):,} bytes. Open it in any browser.")
    return 0


def _data(options: argparse.Namespace, recordings: Sequence[Recording]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "commit": commit(),
        "lessons": titles(),
        "scenarios": list(NAMES),
        "runs": [packed(each) for each in recordings],
    }
    if options.attach is not None:
        data |= {"attach": options.attach, "lessons": [], "scenarios": [], "places": places()}
    if options.bridge is not None:
        data["bridge"] = options.bridge
    return data if options.lang is None else {**data, "lang": options.lang}


def _serve(options: argparse.Namespace) -> int:
    try:
        from raftka.learn import attached, server
        from raftka.learn.bridging import BridgeFailed, Bridging
    except ModuleNotFoundError as error:
        print(f"raftka learn: {error}; {_NEEDS}", file=sys.stderr)
        return 1
    if options.class_:
        return _teach(options)
    data = _data(options, [record(each, seed=options.seed) for each in options.what])
    nodes = None
    if options.attach is not None:
        settings = read_properties(options.command_config)
        try:
            nodes = attached.Attached(options.attach, settings)
        except ValueError as error:
            raise UnusableFile(str(error)) from error

    bridging = None
    if options.bridge is not None:
        save = None if options.save is None else Path(options.save)
        bridging = Bridging(options.bridge, save)

    def told(url: str) -> None:
        print(f"{url}\nOpen it in a browser. Ctrl-C ends it.", flush=True)
        if options.open:
            webbrowser.open(url)

    async def run() -> None:
        await server.run(
            data,
            host=options.host,
            port=options.port,
            told=told,
            attached=nodes,
            bridging=bridging,
        )

    return _until_ended(run, BridgeFailed)


def _teach(options: argparse.Namespace) -> int:
    """Serve a class."""
    from raftka.learn import class_server, engine_file
    from raftka.learn.classroom import Classroom, Exercise

    engine = None
    if options.playground is not None:
        engine = engine_file.read(Path(options.playground))
        if engine.commit != commit():
            print(
                f"raftka learn: {options.playground} is of commit {engine.commit or 'unknown'}, and"
                f" this is {commit()}: what students run may differ from what you show",
                file=sys.stderr,
            )
    recordings = [record(each) for each in options.what]
    found = [Exercise.of(each) for each in recordings]
    names = [each.name for each in found] or list(lessons.names())
    classroom = Classroom(names)
    for each in found:
        classroom.add(each)
    data = _data(options, recordings)
    if found:
        data["lessons"] = titles_of(data["runs"])

    def told(teacher: str, students: str) -> None:
        print(f"For you:      {teacher}\nFor students: {students}{names[0]}")
        if engine is None:
            print("Students play recordings; with --playground FILE.html they run sessions, too.")
        print("Your page lists a link for each lesson. Ctrl-C ends the class.", flush=True)
        if options.open:
            webbrowser.open(teacher)

    async def run() -> None:
        await class_server.run(
            data, classroom, host=options.host, port=options.port, told=told, engine=engine
        )

    return _until_ended(run, class_server.NotRecorded)


def _until_ended(run: Callable[[], Awaitable[None]], expected: type[Exception]) -> int:
    import trio

    # A background process of a shell ignores Ctrl-C; a service manager sends SIGTERM. Either way it
    # shuts down properly, and saves the session for --save.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    failures: list[BaseException] = []
    try:
        trio.run(run)
    except* expected as group:
        failures += group.exceptions
    except* KeyboardInterrupt:
        pass  # Ctrl-C is the normal end.
    for failure in failures:
        print(f"raftka learn: {failure}", file=sys.stderr)
    return 1 if failures else 0
