"""Lines of a web server's access log, in the combined log format, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_BEGIN: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_CLIENTS: Final = 400
_PAGES: Final = (
    "/",
    "/catalogue",
    "/catalogue/fado",
    "/catalogue/morna",
    "/cart",
    "/checkout",
    "/search?q=guitarra",
    "/static/site.css",
    "/static/player.js",
    "/favicon.ico",
)
_METHODS: Final = ("GET",) * 12 + ("POST",) * 3 + ("HEAD",)
_STATUSES: Final = (200,) * 30 + (304,) * 6 + (301,) * 2 + (404,) * 3 + (500,)
_REFERRERS: Final = ("-", "-", "https://example.org/", "https://search.example.com/?q=musica")
_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36",
    "curl/8.5.0",
    "Mozilla/5.0 (compatible; examplebot/2.1)",
)


def log_lines(count: int, seed: int = 1) -> Iterator[str]:
    """`count` lines from some hundred clients, a few of which come much more often than others."""
    dice = random.Random(seed)
    clients = [f"10.{dice.randrange(256)}.{dice.randrange(256)}.{n % 256}" for n in range(_CLIENTS)]
    when = _BEGIN
    for _ in range(count):
        when += timedelta(milliseconds=dice.randrange(200))
        client = clients[int(_CLIENTS * dice.random() ** 2)]
        status = dice.choice(_STATUSES)
        size = 0 if status == 304 else dice.randrange(120, 60_000)
        yield (
            f"{client} - - [{when:%d/%b/%Y:%H:%M:%S %z}]"
            f' "{dice.choice(_METHODS)} {dice.choice(_PAGES)} HTTP/1.1" {status} {size}'
            f' "{dice.choice(_REFERRERS)}" "{dice.choice(_AGENTS)}"'
        )


def write_log(path: Path, count: int, seed: int = 1) -> None:
    """An access log of `count` lines."""
    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in log_lines(count, seed))


def client_of(line: str) -> str:
    """The address that a line begins with; records are keyed by it."""
    return line.partition(" ")[0]
