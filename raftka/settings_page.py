"""Writes docs/settings.md from the tables of settings: `python -m raftka.settings_page`.

A test fails when the page differs from the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from raftka.model.settings.group import GROUP_CONFIGS
from raftka.model.settings.groups import GROUP_SETTINGS
from raftka.model.settings.log import LOG_SETTINGS
from raftka.model.settings.node import NODE_SETTINGS
from raftka.model.settings.protocols import PROTOCOL_SETTINGS
from raftka.model.settings.quorum import QUORUM_SETTINGS
from raftka.model.settings.quotas import QUOTA_SETTINGS
from raftka.model.settings.replication import REPLICATION_SETTINGS
from raftka.model.settings.security import SECURITY_SETTINGS
from raftka.model.settings.setting import Dynamic, Setting, to_text
from raftka.model.settings.share import SHARE_SETTINGS
from raftka.model.settings.topic import TOPIC_SETTINGS
from raftka.model.settings.unused import UNUSED_SETTINGS

PAGE: Final = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD: Final = """\
# Settings

Names, defaults and bounds are Apache Kafka 4.3's. A wrong value, and a name that is nearly a known
one, stop the start and say what is allowed; other unknown names are noticed in the log. Settings
come from the file, then `KAFKA_*` variables of the environment, then `--override name=value`.

Written by `python -m raftka.settings_page` from `model/settings/`: change those tables, not this.
"""
_CHANGES: Final = {
    Dynamic.READ_ONLY: "at a start",
    Dynamic.PER_BROKER: "of one broker",
    Dynamic.CLUSTER_WIDE: "any time",
}


def page() -> str:
    """The whole page."""
    unused = (*UNUSED_SETTINGS, *SECURITY_SETTINGS, *PROTOCOL_SETTINGS)
    parts = [
        _HEAD,
        *_section("Nodes and listeners", NODE_SETTINGS),
        *_section("Logs", LOG_SETTINGS),
        *_section("Replication", REPLICATION_SETTINGS),
        *_section("Quorum, metadata and the life of brokers", QUORUM_SETTINGS),
        *_section("Consumer groups", GROUP_SETTINGS),
        *_section("Share groups", (each for each in SHARE_SETTINGS if not each.no_effect)),
        *_section("Quotas", QUOTA_SETTINGS),
        *_section("Topics", (each for each in TOPIC_SETTINGS if not each.no_effect)),
        *_section("Groups", GROUP_CONFIGS),
        "## Accepted, without effect\n\n"
        "So that a file written for Apache Kafka works as it stands.\n",
        *_without_effect((*unused, *SHARE_SETTINGS, *TOPIC_SETTINGS)),
    ]
    return "\n".join(parts)


def _section(title: str, settings: Iterable[Setting]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| name | default | allowed | changes | |"
    yield "|---|---|---|---|---|"
    for each in settings:
        yield (
            f"| `{each.name}` | {_default(each)} | {each.allowed.replace('|', '&#124;')}"
            f" | {_CHANGES[each.dynamic]} | {each.doc} |"
        )
    yield ""


def _without_effect(settings: Iterable[Setting]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for each in settings:
        if each.no_effect:
            by_reason.setdefault(each.no_effect, []).append(f"`{each.name}`")
    for reason, names in by_reason.items():
        yield f"- {reason[0].upper()}{reason[1:]}: {', '.join(dict.fromkeys(names))}."
    yield ""


def _default(setting: Setting) -> str:
    text = to_text(setting.default)
    return "" if text is None else f"`{text}`" if text else "empty"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
