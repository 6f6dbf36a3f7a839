"""`raftka session`: sessions by lines of JSON on standard in and out (docs/session.md)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NoReturn

from raftka.simulations.runs.commit import commit
from raftka.simulations.sessions.engine import Answer, Engine
from raftka.simulations.sessions.schema import schema

LINE_MAX: Final = 4 << 20
"""Bytes of one request, at most."""


def main(argv: list[str]) -> int:
    """Answer requests until standard in ends; the exit code."""
    parser = argparse.ArgumentParser(
        prog="raftka session",
        description="Run sessions of the simulator: one request per line of standard in, as JSON,"
        " one or more answers per line of standard out. docs/session.md has the requests.",
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON schema of a session, and end"
    )
    if parser.parse_args(argv).schema:
        print(json.dumps(schema(), indent=1))
        return 0
    serve(sys.stdin.buffer, sys.stdout.buffer, Engine(commit=commit()))
    return 0


def serve(source: BinaryIO, target: BinaryIO, engine: Engine) -> None:
    """Answer each line. A slow reader delays its own run only, and nothing is buffered for it.
    Raises BrokenPipeError when the reader has gone.
    """
    try:
        for request in _requests(source):
            answers = iter((request,)) if "ok" in request else engine.handle(request["request"])
            for answer in answers:
                target.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
                target.flush()
    finally:
        engine.close()


def _requests(source: BinaryIO) -> Iterator[dict[str, Any]]:
    """Each line as {"request": its JSON}, or as the answer to an invalid request."""
    while line := source.readline(LINE_MAX + 1):
        if len(line) > LINE_MAX:
            while line and not line.endswith(b"\n"):
                line = source.readline(LINE_MAX)
            yield _refusal("too-long", f"a request has at most {LINE_MAX} bytes; this one has more")
            continue
        if not line.strip():
            continue
        try:
            yield {"request": json.loads(line.decode(), parse_constant=_no_number)}
        except (ValueError, RecursionError) as error:
            yield _refusal("no-json", f"a request is one JSON object on one line: {error}")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _refusal(code: str, message: str) -> Answer:
    return {"id": None, "ok": False, "error": {"code": code, "message": message}}
