"""What is wrong with a session or a request: a code for programs, a sentence for people."""

from __future__ import annotations


class SessionError(ValueError):
    """A request is impossible; nothing has changed. `str()` says what is wrong, and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason: dict[str, object] = {}
        """Why an action is impossible, as a code with its parameters; empty for all else."""

    def as_dict(self) -> dict[str, object]:
        """The error as an answer's JSON."""
        return {"code": self.code, "message": str(self), **self.reason}


def of_answer(found: dict[str, object]) -> SessionError:
    """The error that an answer has."""
    error = SessionError(str(found["code"]), str(found["message"]))
    error.reason = {name: found[name] for name in ("reason", "with") if name in found}
    return error
