"""One HTML file with recordings inside: it needs no network, no server and no installation."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from raftka.learn.recording import Recording

MOST_BYTES: Final = 2_000_000
"""The most bytes that mail and phones accept."""
_SLOT: Final = '<script id="raftka-data" type="application/json">{}</script>'
_FOLDED: Final = ("BrokerHeartbeat", "Heartbeat", "ApiVersions")


class TooLong(ValueError):
    """The run does not fit into one file."""


def page(data: Mapping[str, Any]) -> str:
    """The built page with data for it inside."""
    html = _built()
    assert html.count(_SLOT) == 1, "page.html was built from something else: build web/ again"
    # In a script element, "</script" would end it, and "<!--" with "<script" hide its end.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return html.replace(_SLOT, _SLOT.replace("{}", text))


def _built() -> str:
    """The page as web/ built it; in a wheel it is compressed (build_hook.py)."""
    folder = files("raftka.learn")
    if (page := folder.joinpath("page.html")).is_file():
        return page.read_text(encoding="utf-8")
    return lzma.decompress(folder.joinpath("page.html.xz").read_bytes()).decode()


def packed(recording: Recording) -> dict[str, Any]:
    """A recording as the page's data have it: events gzipped, in base64."""
    return {**recording.about(), "events_gz": _gz(recording.lines)}


def _gz(lines: Sequence[str]) -> str:
    zipped = gzip.compress("\n".join(lines).encode(), compresslevel=9, mtime=0)
    return base64.b64encode(zipped).decode()


def export(recordings: Sequence[Recording], lang: str | None = None) -> str:
    """The file's text, less than two megabytes. Raises TooLong.

    From a long run heartbeats, fetches and empty entries are removed first, which the page
    collapses anyway.
    """
    packs = [packed(each) for each in recordings]
    html = page(_data(packs, lang))
    if len(html.encode()) >= MOST_BYTES:
        packs = [
            {**pack, "events_gz": _gz(_without_signs_of_life(each.lines))}
            for pack, each in zip(packs, recordings, strict=True)
        ]
        html = page(_data(packs, lang))
    size = len(html.encode())
    if size >= MOST_BYTES:
        raise TooLong(
            f"the file would have {size:,} bytes, and {MOST_BYTES:,} are allowed: export a shorter"
            " session, or fewer of them"
        )
    return html


def titles_of(packs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The lessons among packed recordings, as a page lists them."""
    return [
        {
            "name": pack["lesson"]["name"],
            "number": pack["lesson"]["number"],
            "title": {each: table["title"] for each, table in pack["lesson"]["words"].items()},
        }
        for pack in packs
        if pack["lesson"] is not None
    ]


def _data(packs: Sequence[Mapping[str, Any]], lang: str | None) -> dict[str, Any]:
    data: dict[str, Any] = {"runs": packs, "lessons": titles_of(packs)}
    return data if lang is None else {**data, "lang": lang}


def _without_signs_of_life(lines: Iterable[str]) -> list[str]:
    events = [json.loads(line) for line in lines]
    dropped = {
        event["id"] for event in events if event["kind"] == "message-sent" and _is_folded(event)
    }
    return [
        json.dumps(event, separators=(",", ":"))
        for event in events
        if event["id"] not in dropped
        and not (event["kind"] == "message-received" and event.get("cause") in dropped)
        and event["kind"] != "log"
    ]


def _is_folded(event: Mapping[str, Any]) -> bool:
    if event["api"] in _FOLDED:
        return True
    if event["api"] == "append-entries":
        return not event.get("entries") and event["side"] == "request"
    if event["api"] == "Fetch":
        return not any(part.get("records") for part in event.get("partitions", ()))
    return False
