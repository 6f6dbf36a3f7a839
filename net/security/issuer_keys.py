"""The source of an issuer's keys: a file that is reloaded when it changes, or a URL (KIP-768).

A URL is fetched when a login needs it: for the first one, if the keys are old, and for a token with
an unknown key, since issuers replace their keys. Existing keys stay in use while the issuer does
not answer: one login waits for it then, and the others go on. Requests to it are limited by
back-offs.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

import trio

from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock
from raftka.net.security.tokens import KeySet, key_id_of, refused

log = get_logger(__name__)

_LOOKS_AGAIN_S: Final = 1.0
_FOR_UNKNOWN_S: Final = 10.0
_FOR_UNKNOWN: Final = 3
"""The maximal number of fetches for unknown keys in that interval; strangers name such, too."""
_MOST_BYTES: Final = 1024 * 1024


class FileKeys:
    """Keys in a file."""

    def __init__(self, path: str, now: Callable[[], float]) -> None:
        """Raises ValueError, OSError for an unusable file."""
        self._path = path
        self._now = now
        self._seen = self._stamp()
        self._keys = self._read()
        self._looked_s = now()

    async def prepare(self, token: str) -> None:
        """Do nothing."""

    def keys(self) -> KeySet:
        """The current keys in the file; errors in a new file are logged."""
        now_s = self._now()
        if now_s - self._looked_s >= _LOOKS_AGAIN_S:
            self._looked_s = now_s
            try:
                if (stamp := self._stamp()) != self._seen:
                    self._keys = self._read()
                    self._seen = stamp
                    log.info(f"the keys in {self._path} have changed, and are used from now on")
            except (ValueError, OSError) as error:
                log.error(f"{self._path} cannot be used, the keys before stay in use: {error}")
        return self._keys

    def _stamp(self) -> tuple[int, int, int]:
        stat = os.stat(self._path)
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read(self) -> KeySet:
        with open(self._path, "rb") as file:
            return KeySet(file.read(_MOST_BYTES))


class UrlKeys:
    """Keys at a URL."""

    def __init__(
        self,
        url: str,
        fetch: Callable[[str], Awaitable[bytes]],
        clock: Clock,
        *,
        refresh_s: float,
        pause_s: float,
        longest_pause_s: float,
    ) -> None:
        """`fetch` raises BrokenConnection. Keys older than `refresh_s` are fetched again; after
        failures the back-off doubles up to its maximum."""
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._refresh_s = refresh_s
        self._pause_s = pause_s
        self._longest_pause_s = longest_pause_s
        self._keys: KeySet | None = None
        self._fetched_s = -inf
        self._not_before_s = -inf
        self._failures = 0
        self._asked_s: deque[float] = deque(maxlen=_FOR_UNKNOWN)
        """When the issuer answered last, the first of the questions that count first."""
        self._asking = trio.Lock()

    def keys(self) -> KeySet:
        """The keys. Raises KafkaError while there are none."""
        if self._keys is None:
            raise refused("the issuer's keys could not be fetched yet; the broker's log says why")
        return self._keys

    async def prepare(self, token: str) -> None:
        """Fetch the keys, if the token needs it and it is due."""
        key_id = key_id_of(token)
        if self._is_good_for(key_id) or (self._knows(key_id) and self._asking.locked()):
            return
        async with self._asking:
            # Another login may have fetched them meanwhile.
            if not self._is_good_for(key_id) and self._clock.monotonic() >= self._not_before_s:
                await self._ask()

    def _is_good_for(self, key_id: str | None) -> bool:
        is_old = self._clock.monotonic() - self._fetched_s > self._refresh_s
        return not is_old and self._knows(key_id)

    def _knows(self, key_id: str | None) -> bool:
        return self._keys is not None and (key_id is None or self._keys.has(key_id))

    async def _ask(self) -> None:
        try:
            self._keys = KeySet(await self._fetch(self._url))
        except (BrokenConnection, ValueError) as error:
            self._failures += 1
            pause_s = self._pause_s * 2 ** min(self._failures - 1, 20)
            self._not_before_s = self._clock.monotonic() + min(pause_s, self._longest_pause_s)
            log.error(
                f"the keys of the issuer cannot be fetched: {error}. Check"
                " sasl.oauthbearer.jwks.endpoint.url, and that this node reaches it",
                url=self._url,
            )
            return
        self._failures = 0
        self._fetched_s = self._clock.monotonic()
        self._asked_s.append(self._fetched_s)
        if len(self._asked_s) == _FOR_UNKNOWN:
            self._not_before_s = self._asked_s[0] + _FOR_UNKNOWN_S
