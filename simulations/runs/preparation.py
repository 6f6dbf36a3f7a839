"""A process's preparation before its first run, outside any run's time: import what nodes import
lazily, compile the codecs of messages that every run sends, and find the functions that read the
machine's clock.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Final

from raftka.model import record_walk
from raftka.net.protocol import codec
from raftka.net.protocol.apis import APIS
from raftka.simulations.machines import real_world

_LATE: Final = (
    "encodings.utf_16_be",
    "raftka.model.error_texts",
    "raftka.model.settings.rules",
    "raftka.net.protocol.decoder",
    "raftka.net.protocol.encoder",
)
_NEWEST: Final = (
    *("Produce", "Fetch", "ListOffsets", "Metadata", "FindCoordinator", "JoinGroup", "SyncGroup"),
    *("Heartbeat", "ApiVersions", "CreateTopics", "DescribeConfigs", "OffsetForLeaderEpoch"),
    *("AlterPartition", "BrokerRegistration", "BrokerHeartbeat", "AllocateProducerIds"),
)
_OLDER: Final = {"Fetch": 17, "OffsetCommit": 9, "OffsetFetch": 9, "InitProducerId": 5}
"""Versions that runs use besides the newest; followers send that of Fetch."""


def prepare() -> None:
    """Prepare the process, unless it was done."""
    if gc.get_freeze_count():
        return
    for module in _LATE:
        import_module(module)
    keys = {api.name: api.key for api in APIS.values()}
    sent = [(name, codec.REQUESTS[keys[name]].VALID_VERSIONS[1]) for name in _NEWEST]
    for name, version in (*sent, *_OLDER.items()):
        request = codec.REQUESTS[keys[name]]
        codec.compile_codecs(request, version)
        codec.compile_codecs(request.RESPONSE, version)
    record_walk.load()
    real_world.look_around()
    # Objects from before the first run stay: no collection needs to visit them. Once is enough, for
    # frozen garbage is never freed.
    collect()
    gc.freeze()


def collect(generation: int = 2) -> None:
    """Collect garbage without the callbacks of libraries that time it, such as hypothesis."""
    told = gc.callbacks[:]
    gc.callbacks.clear()
    try:
        gc.collect(generation)
    finally:
        gc.callbacks[:] = told
