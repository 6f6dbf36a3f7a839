"""Settings that refer to values elsewhere: environment, files, directories (KIP-297, KIP-421).

    config.providers=env,file
    config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
    config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider
    log.dirs=${env:DATA_DIR}

The three providers are Apache Kafka's, under the names of its classes and with their parameters.
Kafka keeps a variable that its provider does not know as text; a directory that is called
`${env:DATA_DIR}` helps no operator, so it is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from raftka.model.settings.properties import parse_properties
from raftka.model.settings.setting import split_list

SETTING: Final = "config.providers"
_PREFIX: Final = f"{SETTING}."
_VARIABLE: Final = re.compile(r"\$\{([^}]*?):(?:([^}]*?):)?([^}]*?)\}")
_PACKAGE: Final = "org.apache.kafka.common.config.provider."

Parameters = Mapping[str, str]
Lookup = Callable[[str, str], str]
"""From (path, key) to the value. Raises LookupError or OSError with a message for people."""


class WrongProvider(ValueError):
    """A provider, or one of its values, is missing; the message says what to do."""


def resolve(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The settings with each variable replaced, without the providers' own settings.

    Raises WrongProvider.
    """
    lookups = {
        name: _provider(name, settings, environ) for name in split_list(settings.get(SETTING, ""))
    }

    def value(setting: str, text: str) -> str:
        def replacement(match: re.Match[str]) -> str:
            provider, path, key = match[1], match[2] or "", match[3]
            lookup = lookups.get(provider)
            if lookup is None:
                return match[0]
            try:
                return lookup(path, key)
            except OSError as error:
                raise WrongProvider(f"{setting}={text}: {path}: {error.strerror}") from error
            except (LookupError, ValueError) as error:
                raise WrongProvider(f"{setting}={text}: {error.args[0]}") from error

        return _VARIABLE.sub(replacement, text)

    return {
        name: value(name, text) if lookups and name != SETTING else text
        for name, text in settings.items()
        if not name.startswith(_PREFIX)
    }


def _provider(name: str, settings: Mapping[str, str], environ: Mapping[str, str]) -> Lookup:
    given = settings.get(f"{_PREFIX}{name}.class", "")
    make = _PROVIDERS.get(given.strip().removeprefix(_PACKAGE))
    if make is None:
        known = ", ".join(_PACKAGE + each for each in _PROVIDERS)
        raise WrongProvider(
            f"{_PREFIX}{name}.class={given}: Java classes cannot be loaded; it must be one of"
            f" {known}"
        )
    start = f"{_PREFIX}{name}.param."
    parameters = {
        key[len(start) :]: text for key, text in settings.items() if key.startswith(start)
    }
    try:
        return make(parameters, environ)
    except ValueError as error:
        raise WrongProvider(f"{start}{error}") from error


def _env(parameters: Parameters, environ: Mapping[str, str]) -> Lookup:
    pattern = parameters.get("allowlist.pattern", ".*")
    try:
        allowed = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"allowlist.pattern={pattern}: not a regular expression, {error}"
        ) from None

    def lookup(path: str, key: str) -> str:
        if path:
            raise LookupError(f"the environment has no paths; write ${{env:{key}}}")
        if key not in environ:
            raise LookupError(f"{key} is not in the environment")
        if not allowed.fullmatch(key):
            raise LookupError(f"{key} is not among allowlist.pattern={allowed.pattern}")
        return environ[key]

    return lookup


def _file(parameters: Parameters, _: Mapping[str, str]) -> Lookup:
    def lookup(path: str, key: str) -> str:
        # Unlike a node's own file, Kafka's provider reads UTF-8.
        values = parse_properties(_text(_permitted(path, parameters)))
        if key not in values:
            raise LookupError(f"{path} has no {key}")
        return values[key]

    return lookup


def _directory(parameters: Parameters, _: Mapping[str, str]) -> Lookup:
    def lookup(path: str, key: str) -> str:
        file = _permitted(path, parameters) / key
        if Path(key).name != key or not file.is_file():
            raise LookupError(f"{path} has no file {key}")
        return _text(file)

    return lookup


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise LookupError(f"{file} is not UTF-8: {error.reason} at byte {error.start}") from error


def _permitted(path: str, parameters: Parameters) -> Path:
    found = Path(path).absolute()
    allowed = [Path(each).absolute() for each in split_list(parameters.get("allowed.paths", ""))]
    if not path:
        raise LookupError("a path is needed, as in ${file:/etc/secrets.properties:password}")
    if allowed and not any(found.resolve().is_relative_to(each.resolve()) for each in allowed):
        raise LookupError(f"{path} is not under allowed.paths")
    return found


_PROVIDERS: Final[Mapping[str, Callable[[Parameters, Mapping[str, str]], Lookup]]] = {
    "EnvVarConfigProvider": _env,
    "FileConfigProvider": _file,
    "DirectoryConfigProvider": _directory,
}
