"""Command lines of the console tools: Kafka's option names, parsed as its tools parse them.

`--name value` and `--name=value` both work, and a name may be shortened while it stays unambiguous.
A wrong command line is reported on stderr, with the options, and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from raftka.client.config import ADMIN, CONSUMER, PRODUCER
from raftka.client.settings import Setting
from raftka.model.settings.properties import parse_properties

KAFKA_VERSION = "4.4.0"
"""The output of --version, by which scripts choose options: those of this version."""

_PROVIDERS = "config.providers"
_ZOOKEEPER = (
    "--zookeeper is no longer an option: since version 4 the cluster keeps its own metadata and"
    " needs no ZooKeeper. Give the address of a broker instead, for example:"
    " --bootstrap-server localhost:9092"
)


class UsageError(Exception):
    """The command line is wrong; the message has the reason."""


class ToolError(Exception):
    """The tool cannot carry out the command; the message has the reason."""


class Options(argparse.ArgumentParser):
    """The options of one tool."""

    def __init__(self, tool: str, description: str) -> None:
        super().__init__(
            prog=tool,
            description=description,
            add_help=False,
            formatter_class=lambda prog: argparse.RawTextHelpFormatter(
                prog, max_help_position=40, width=100
            ),
            usage=f"{tool} [options]",
        )
        self.add_argument("--help", action="help", help="Print usage information.")
        self.add_argument(
            "--version",
            action="version",
            version=KAFKA_VERSION,
            help="Display the version of Kafka that the tool behaves as.",
        )

    def flag(self, *names: str, help: str) -> None:
        self.add_argument(*names, action="store_true", help=help)

    def text(
        self, *names: str, help: str, metavar: str = "VALUE", default: str | None = None
    ) -> None:
        self.add_argument(*names, metavar=metavar, help=help, default=default, action=_Once)

    def many(self, *names: str, help: str, metavar: str = "VALUE") -> None:
        """An option that may be given several times."""
        self.add_argument(*names, metavar=metavar, help=help, action="append", default=[])

    def number(
        self,
        *names: str,
        help: str,
        metavar: str = "N",
        default: int | None = None,
        bits: int = 32,
    ) -> None:
        """An integer of so many bits, as in Kafka's tools and on the wire."""
        self.add_argument(
            *names,
            metavar=metavar,
            help=help,
            default=default,
            type=lambda text: _integer(text, bits),
            action=_Once,
        )

    def servers(self) -> None:
        """The two options that all tools have."""
        self.text("--bootstrap-server", metavar="HOST:PORT", help="The brokers to connect to.")
        self.text(
            "--command-config", metavar="FILE", help="A properties file for the tool's client."
        )

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Raises UsageError; SystemExit after --help and --version."""
        if any(word == "--zookeeper" or word.startswith("--zookeeper=") for word in argv):
            raise UsageError(_ZOOKEEPER)
        found, rest = self.parse_known_args(self._joined([_readable(word) for word in argv]))
        if rest:
            self._unknown(rest[0])
        return found

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def _joined(self, words: Sequence[str]) -> list[str]:
        """Join values that begin with a dash to their option, as in `--by-duration -P1D`.

        Kafka's tools take the argument after such an option as its value, whatever it begins with.
        """
        joined: list[str] = []
        for word in words:
            is_value = word[:1] == "-" and word[:2] not in ("-", "--")
            if is_value and joined and self._takes_value(joined[-1]):
                joined[-1] = f"{joined[-1]}={word}"
            else:
                joined.append(word)
        return joined

    def _takes_value(self, word: str) -> bool:
        actions = {
            action
            for action in self._actions
            for name in action.option_strings
            if word[:2] == "--" and name.startswith(word)
        }
        return bool(actions) and all(action.nargs != 0 for action in actions)

    def _unknown(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            raise UsageError(f"{word!r} is not an option")
        name = word.partition("=")[0]
        known = [text for action in self._actions for text in action.option_strings]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"{name.lstrip('-')} is not a recognized option{hint}")


class _Once(argparse.Action):
    """An option that is an error to give twice."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        seen: set[str] = namespace.__dict__.setdefault("_seen", set())
        if self.dest in seen:
            parser.error(f"{option_string} was given more than once")
        seen.add(self.dest)
        setattr(namespace, self.dest, values)


def given(found: argparse.Namespace, *names: str) -> list[str]:
    """Which of these options were given, by name without dashes."""
    values = {name: getattr(found, name.replace("-", "_")) for name in names}
    # The number 0 is a value; it is equal to False.
    return [
        name for name, value in values.items() if value is not False and value not in (None, [])
    ]


def require_one_bootstrap(found: argparse.Namespace) -> None:
    """Raises UsageError unless either brokers or controllers are named."""
    if bool(found.bootstrap_server) == bool(found.bootstrap_controller):
        raise UsageError("Exactly one of --bootstrap-server and --bootstrap-controller is required")


def require_server_or_controller(found: argparse.Namespace) -> None:
    """As `require_one_bootstrap`, with the message of Apache Kafka's tools with sub-commands."""
    if bool(found.bootstrap_server) == bool(found.bootstrap_controller):
        raise UsageError(
            "one of the arguments --bootstrap-server --bootstrap-controller is required"
        )


def require(found: argparse.Namespace, *names: str) -> None:
    """Raises UsageError unless all of these options were given."""
    for name in names:
        if not given(found, name):
            raise UsageError(f'Missing required argument "[{name}]"')


def exclude(found: argparse.Namespace, name: str, *others: str) -> None:
    """Raises UsageError when `name` was given with one that excludes it."""
    if given(found, name):
        for other in given(found, *others):
            raise UsageError(f'Option "[{name}]" can\'t be used with option "[{other}]"')


def read_properties(path: str | None) -> dict[str, str]:
    """A properties file; nothing for None. Raises ToolError."""
    if path is None:
        return {}
    try:
        # Java's encoding of properties; other letters are written as \uXXXX.
        with open(path, encoding="latin-1") as file:
            return parse_properties(file.read())
    except (OSError, ValueError) as error:
        raise ToolError(f"{path} cannot be read: {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """The reason of a file's error, for a message that already names the file."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def parse_pairs(pairs: Iterable[str], option: str) -> dict[str, str]:
    """key=value words. Raises UsageError."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {pair}: it must be key=value")
        found[key.strip()] = value
    return found


def admin_settings(
    found: argparse.Namespace, *, controllers: str | None = None
) -> dict[str, object]:
    """The settings of a tool's admin client: its options over its file, over short timeouts."""
    settings: dict[str, object] = {"default.api.timeout.ms": "20000"}
    settings |= known_settings(ADMIN, read_properties(found.command_config))
    if found.bootstrap_server:
        settings["bootstrap.servers"] = found.bootstrap_server
    if controllers is not None:
        settings["bootstrap.controllers"] = controllers
    return settings


def known_settings(
    table: Mapping[str, Setting], properties: Mapping[str, str]
) -> dict[str, object]:
    """The properties that a client here has; others are reported on stderr and left out, since
    different clients share files. Values of their config.providers are resolved (KIP-421). Raises
    ToolError.
    """
    kept: dict[str, object] = {}
    for name, value in _provided(properties).items():
        if name in table:
            kept[name] = value
        elif not any(name in other for other in (ADMIN, PRODUCER, CONSUMER)):
            print(f"WARNING: the setting {name} is not known and has no effect.", file=sys.stderr)
    return kept


def _provided(properties: Mapping[str, str]) -> Mapping[str, str]:
    if _PROVIDERS not in properties:
        return properties
    from raftka.client.tools.config_providers import WrongProvider, resolve

    try:
        found = resolve(properties, os.environ)
    except WrongProvider as error:
        raise ToolError(str(error)) from error
    del found[_PROVIDERS]
    return found


def _integer(text: str, bits: int) -> int:
    try:
        return whole_number(text, bits)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole_number(text: str, bits: int = 32) -> int:
    """A decimal integer. Raises ValueError with a message for people when it needs more bits."""
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", text.strip()):
        raise ValueError(f"{shortened(text)!r} is not a whole number")
    number = int(text)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError(
            f"{text.strip()} is out of range: it must be from {-(2 ** (bits - 1))} to"
            f" {2 ** (bits - 1) - 1}"
        )
    return number


def shortened(text: str) -> str:
    """A user's input, for a message: a very long one is shortened."""
    return text if len(text) <= 100 else f"{text[:100]}... ({len(text)} characters)"


def _readable(word: str) -> str:
    """Bytes of the command line that are not UTF-8 become U+FFFD, as in Java."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
