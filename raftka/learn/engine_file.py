"""The engine inside a playground.html (web/wasm/playground.mjs): Python and raftka in a browser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from raftka.simulations.runs.user_file import UnusableFile

_PART: Final = b'<script type="text/plain" data-part="'
_CODE: Final = b"<script>"
_END: Final = b"</body>"
_COMMIT: Final = re.compile(rb'"commit":"([\w+.-]*)"')
_HEAD_MAX: Final = 4_000_000
"""Bytes: the page in front of the engine is shorter."""


@dataclass(frozen=True)
class EngineFile:
    """What a page needs to run sessions by itself."""

    html: bytes
    """Script elements: the code that starts the engine (web/wasm/source.js), and its parts."""
    digest: str
    """Of these bytes: a browser that has them does not ask again."""
    commit: str
    """Of the raftka inside."""


def read(path: Path) -> EngineFile:
    """Raises UnusableFile."""
    how = "`npm run playground` in web/ of a checkout writes one"
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror}; {how}") from error
    first, end = whole.find(_PART), whole.rfind(_END)
    begin = whole.rfind(_CODE, 0, max(first, 0))
    if not 0 <= begin < first < end:
        raise UnusableFile(f"{path} is no playground.html, which has an engine in it: {how}")
    commit = _COMMIT.search(whole[:_HEAD_MAX])
    html = whole[begin:end]
    return EngineFile(
        html,
        sha256(html).hexdigest()[:16],
        "" if commit is None else commit[1].decode("ascii", "replace"),
    )
