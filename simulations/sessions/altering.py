"""What an `alter-config` of a session may change, as far as that is known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raftka.model.errors import KafkaError
from raftka.model.settings.altering import validate_topic_config
from raftka.model.settings.altering_brokers import validate_broker_names
from raftka.model.settings.catalog import BROKER, TOPIC
from raftka.simulations.sessions.fields import Fields, unknown


def check_alteration(arguments: Mapping[str, Any], fields: Fields) -> None:
    """Refuse an alteration that no cluster accepts. Raises SessionError.

    What depends on the cluster's other settings, its controller judges when the moment comes.
    """
    where, settings = fields.where, arguments["settings"]
    is_topic = "topic" in arguments
    if is_topic and "node" in arguments:
        raise fields.error(f"{where}: give topic or node, not both")
    known = TOPIC if is_topic else BROKER
    for name in settings:
        if name not in known:
            whose = "topic setting" if is_topic else "node setting"
            raise fields.error(f"{where}: {unknown(whose, name, known)}")
    if not settings:
        raise fields.error(f"{where}: settings is empty: nothing would change")
    given = {name: value for name, value in settings.items() if value is not None}
    try:
        if is_topic:
            for name, value in given.items():
                validate_topic_config(name, value)
        else:
            validate_broker_names(given, cluster_wide="node" not in arguments)
    except KafkaError as error:
        raise fields.error(f"{where}: {error.message}") from error
