"""When to warn about topics that a client waits for and the cluster does not have. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from raftka.model.errors import ErrorCode, text


class MissingTopics:
    """A name may be mistyped, or the topic not created yet: a client keeps asking, and warns."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        """By topic, how many answers in a row had an error for it."""

    def noticed(self, errors: Mapping[str, int]) -> str | None:
        """The warning after a Metadata response, by the error codes of topics without a layout.

        It warns at a topic's first error, and then less and less often. A topic that was just
        created has no leader yet: that is logged only if it lasts.
        """
        self._seen = {name: self._seen.get(name, 0) + 1 for name in errors}
        due = [name for name in sorted(errors) if _is_due(errors[name], self._seen[name])]
        if not due:
            return None
        return "; ".join(f"topic {name}: {_words(errors[name])}" for name in due)


def _is_due(code: int, times: int) -> bool:
    first = 2 if code == ErrorCode.LEADER_NOT_AVAILABLE else 1
    return times >= first and times & (times - 1) == 0


def _words(code: int) -> str:
    if code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        return (
            "UNKNOWN_TOPIC_OR_PARTITION: the cluster has no such topic; waiting for it to be"
            " created, unless the name is mistyped"
        )
    if code in ErrorCode.__members__.values():
        return f"{ErrorCode(code).name}: {text(code)}"
    return text(code)
