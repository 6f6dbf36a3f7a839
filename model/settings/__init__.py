"""Settings: each declared once; parsing, validation and description are derived from the
declaration.

read_config({"node.id": "1", ...}).int("log.segment.bytes")

The tables (node, log, replication, quorum, groups, topic; security, protocols and unused for what
is accepted without effect) are the only place with names, defaults, bounds and explanations.
"""

from raftka.model.settings.config import Config, Problem, WrongSettings
from raftka.model.settings.reading import read_config, with_dynamic

__all__ = ["Config", "Problem", "WrongSettings", "read_config", "with_dynamic"]
