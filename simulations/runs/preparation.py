"""What a process does once, before its first run, outside of any run's time: import what nodes
import when they need it, compile the codecs of messages that every run sends, and look for the
ways to the machine's clock."""

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
"""Fetch is what followers send."""


def prepare() -> None:
    """Do it, unless it was done."""
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
    # What a process begins with stays: no collection needs to look at it. Once is enough, for
    # what is frozen and becomes garbage stays for ever.
    collect()
    gc.freeze()


def collect(generation: int = 2) -> None:
    """Collect, without the callbacks of libraries that time it, as hypothesis does."""
    told = gc.callbacks[:]
    gc.callbacks.clear()
    try:
        gc.collect(generation)
    finally:
        gc.callbacks[:] = told
