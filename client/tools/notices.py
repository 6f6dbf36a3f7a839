"""Warns about settings without effect yet, with the text of the broker's documentation."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping

from raftka.client.admin import Admin, Resource
from raftka.model.settings.rows import WITHOUT_EFFECT


async def warn_without_effect(admin: Admin, changed: Mapping[Resource, Collection[str]]) -> None:
    """Warn about settings that the brokers accept without effect (KIP-569's texts).

    Other brokers describe theirs in other words: there is no warning about those.
    """
    for resource, names in changed.items():
        if not names:
            continue
        asked = admin.describe_configs([resource], names=sorted(names), documentation=True)
        entries = (await asked)[resource]
        for name in names:
            text = entries[name].documentation if name in entries else None
            if text is not None and text.startswith(WITHOUT_EFFECT):
                print(f"Warning: {name}: {text}", file=sys.stderr)
