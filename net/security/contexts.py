"""The current TLS context: a new one after a file or a setting has changed.

Open connections keep the certificates with which they started.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from raftka.model.logs import get_logger
from raftka.model.ports import Tls, TlsContext
from raftka.model.tls_settings import TlsSettings

log = get_logger(__name__)

_LOOKS_AGAIN_S: Final = 1.0


class Certificates:
    """The context of one listener, or of one client."""

    def __init__(
        self,
        settings: Callable[[], TlsSettings],
        now: Callable[[], float],
        tls: Tls,
        *,
        server: bool,
    ) -> None:
        """`settings` is called again from time to time. Raises as `Tls.context` does."""
        self._settings = settings
        self._now = now
        self._tls = tls
        self._server = server
        made_of = settings()
        self._made_of = made_of, tls.seen(made_of)
        self._context = tls.context(made_of, server=server)
        self._looked_s = now()
        self._trouble = ""
        """The last error, which is logged once."""

    def context(self) -> TlsContext:
        """The current context. Errors in new files are logged, and the old context is kept."""
        now_s = self._now()
        if now_s - self._looked_s >= _LOOKS_AGAIN_S:
            self._looked_s = now_s
            try:
                settings = self._settings()
                seen = settings, self._tls.seen(settings)
                if seen != self._made_of:
                    self._context = self._tls.context(settings, server=self._server)
                    self._made_of = seen
                    log.info("certificates were replaced: new connections use the new ones")
                self._trouble = ""
            except (ValueError, OSError) as error:
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    log.error(f"certificates cannot be replaced, the old ones stay in use: {error}")
        return self._context
