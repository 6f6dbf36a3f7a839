"""The entry point `raftka`: what it does about signals and streams, whichever command runs.

A Ctrl-C while Python imports modules, which is most of a tool's first half second, must not print
a traceback of imports. So until the command runs, and once it has run, SIGINT ends the process as
SIGTERM does; in between it is a KeyboardInterrupt, which a command may handle. This module imports
next to nothing itself, so that this holds from as early on as it can.
"""

import signal
import sys


def run() -> None:
    """Run the command line of the process, and end the process."""
    # Left alone where the parent has it ignored, as a shell does for `raftka ... &` in a script.
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def end_silently() -> None:
        if interruptible:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def interrupt() -> None:
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    end_silently()
    import errno

    from raftka.commands import main

    _open_streams()
    try:
        code = main(sys.argv[1:], loaded=interrupt)
        end_silently()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output has gone, as `| head` does. Python would report it at exit.
        sys.stdout = None
        print("Unable to write to standard out, closing.", file=sys.stderr)
        code = 1
    except OSError as error:
        # A file or an output that the user named; any other error is a defect.
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        if error.filename is None:
            sys.stdout = None
            error.filename = "standard out"
        print(f"raftka: {error.filename}: {error.strerror}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    end_silently()
    sys.exit(code)


def _open_streams() -> None:
    """Redirect standard streams that the caller has closed (`>&-`) to the null device."""
    import os

    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
