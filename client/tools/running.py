"""How a console tool runs: exit code 0 or 1, results on stdout, problems on stderr.

No input of a user, a file or a cluster ends a tool in a traceback: the error is a sentence.
SIGINT and SIGTERM cancel the tool, so that its clients close properly (a member leaves its
group, a producer sends its last records); a second signal ends it at once.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import trio

from raftka.client.tools.options import Options, ToolError, UsageError
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection

P = TypeVar("P")

INTERRUPTED = 128 + signal.SIGINT
DEBUG = "RAFTKA_DEBUG"
"""An environment variable: tools then show the traceback of an unexpected error."""
_STOPPING = (signal.SIGINT, signal.SIGTERM)


def run(
    options: Options,
    argv: Sequence[str],
    prepare: Callable[[Sequence[str]], P],
    work: Callable[[P], Awaitable[int | None]],
    *,
    failure: str = "Error: ",
) -> int:
    """Parse the command line with `prepare`, then run `work`; returns the exit code. `failure` is
    the prefix of error messages.
    """
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="[%(asctime)s] %(levelname)s %(message)s"
    )
    if not argv:
        print(f"{options.description}\n", file=sys.stderr)
        options.print_help(sys.stderr)
        return 1
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal's encoding lacks is replaced; it must not stop the tool.
            stream.reconfigure(errors="backslashreplace")
    try:
        prepared = prepare(argv)
    except UsageError as error:
        print(f"{error}\n", file=sys.stderr)
        options.print_usage(sys.stderr)
        print("       --help lists the options", file=sys.stderr)
        return 1
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    except KafkaError as error:
        print(f"{failure}{words(error)}", file=sys.stderr)
        return 1
    except SystemExit as stop:
        return int(stop.code or 0)
    return execute(lambda: work(prepared), failure)


def execute(work: Callable[[], Awaitable[int | None]], failure: str) -> int:
    """Run `work`, and report errors as sentences."""
    try:
        code = trio.run(_until_stopped, work, failure)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except OSError as error:
        return _refused(error, failure)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        print(f"{failure}{_defect(error)}", file=sys.stderr)
        return 1
    return code


def _defect(error: BaseException) -> str:
    """The sentence for an unforeseen error; developers set the variable for a traceback."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (
        f"{type(error).__name__}: {error}. This is a defect of raftka: please report it, with what"
        f" the same command prints under {DEBUG}=1"
    )


async def _until_stopped(work: Callable[[], Awaitable[int | None]], failure: str) -> int:
    caught: list[int] = []
    code = 1
    async with trio.open_nursery() as nursery:
        if threading.current_thread() is threading.main_thread():
            await nursery.start(_stop_on_signal, nursery.cancel_scope, caught)
        code = await _in_words(work, failure)
        nursery.cancel_scope.cancel()
    return 128 + caught[0] if caught else code


async def _stop_on_signal(
    scope: trio.CancelScope,
    caught: list[int],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Cancel at the first signal; the next one has the system's default effect."""
    with trio.open_signal_receiver(*_STOPPING) as signals:
        task_status.started()
        async for number in signals:
            caught.append(number)
            scope.cancel()
            return


async def _in_words(work: Callable[[], Awaitable[int | None]], failure: str) -> int:
    try:
        return await _unwrapped(work) or 0
    except (KafkaError, BrokenConnection, ToolError) as error:
        print(f"{failure}{words(error)}", file=sys.stderr)
    except UsageError as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:
        return _reader_gone()
    except OSError as error:
        return _refused(error, failure)
    return 1


async def _unwrapped(work: Callable[[], Awaitable[int | None]]) -> int | None:
    """Run `work`. Raises an error of one of its tasks without a nursery's exception group."""
    try:
        return await work()
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from error.__cause__


def _reader_gone() -> int:
    """The reader of the output has gone, as `head` does; returns the exit code."""
    _drop_output()
    print("Unable to write to standard out, closing.", file=sys.stderr)
    return 1


def _refused(error: OSError, failure: str) -> int:
    """The system refused to write the output or another file; returns the exit code."""
    _drop_output()
    where = "standard out" if error.filename is None else error.filename
    print(f"{failure}cannot write to {where}: {error.strerror or error}", file=sys.stderr)
    return 1


def _drop_output() -> None:
    """Keep the interpreter from flushing the rest of the output, which would fail noisily."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def words(error: Exception) -> str:
    """The message for people: the broker's own, without the code's name."""
    return error.message if isinstance(error, KafkaError) else str(error)
