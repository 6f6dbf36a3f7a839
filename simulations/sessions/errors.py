"""What is wrong with a session or a request: a code for programs, a sentence for people."""

from __future__ import annotations


class SessionError(ValueError):
    """Something cannot be done; nothing has changed. `str()` says what is wrong, and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
