"""Settings: each declared once; parsing, checking and describing follow from the declaration.

    read_config({"node.id": "1", ...}).int("log.segment.bytes")

The tables (node, log, replication, quorum, groups, topic; security, protocols and unused for what
is accepted without effect) are the only place where a name, default, bound or explanation stands.
"""

from raftka.model.settings.config import Config, Problem, WrongSettings
from raftka.model.settings.reading import read_config, with_dynamic

__all__ = ["Config", "Problem", "WrongSettings", "read_config", "with_dynamic"]
