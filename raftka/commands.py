"""The commands of `raftka`: maps each word to the module that runs it.

Only the module of the requested command is imported: a server starts without the tools,
and a tool without the server.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple


class Command(NamedTuple):
    """A word of the command line, and the module of raftka whose `main(argv) -> int` it runs."""

    module: str
    summary: str


GROUPS: Final[dict[str, dict[str, Command]]] = {
    "Run": {
        "server": Command("server_command", "run a node"),
        "health": Command("health_command", "whether a node answers on all its listeners"),
        "doctor": Command("doctor.command", "what is wrong with settings or a cluster"),
        "stop": Command("stop_command", "stop the nodes that run on this machine"),
        "storage": Command("storage_command", "format log directories, show what they are"),
        "demo": Command("demo.command", "three nodes lose their leaders and no record"),
        "simulate": Command("simulations.runs.command", "break a cluster, from one seed"),
        "session": Command("simulations.sessions.command", "simulated runs, by lines of JSON"),
        "learn": Command("learn.command", "watch a cluster think, in a page"),
        "version": Command("version_command", "which version this is"),
    },
    "Topics and records": {
        "topics": Command("client.tools.topics", "create, alter, describe, list, delete topics"),
        "console-producer": Command("client.tools.console_producer", "send lines to a topic"),
        "console-consumer": Command("client.tools.console_consumer", "print a topic's records"),
        "console-share-consumer": Command(
            "client.tools.console_share_consumer", "work on a topic, in a share group"
        ),
        "verifiable-producer": Command(
            "client.tools.verifiable_producer", "send numbers, print each answer"
        ),
        "verifiable-consumer": Command(
            "client.tools.verifiable_consumer", "read in a group, print each event"
        ),
        "verifiable-share-consumer": Command(
            "client.tools.verifiable_share_consumer", "work in a share group, print each event"
        ),
        "replica-verification": Command(
            "client.tools.replica_verification", "whether replicas have the same records"
        ),
        "get-offsets": Command("client.tools.get_offsets", "first, last and other offsets"),
        "delete-records": Command("client.tools.delete_records", "move where partitions begin"),
        "producer-perf-test": Command("client.tools.producer_perf_test", "measure producing"),
        "consumer-perf-test": Command("client.tools.consumer_perf_test", "measure consuming"),
    },
    "Groups": {
        "consumer-groups": Command("client.tools.consumer_groups", "list, describe, reset, delete"),
        "share-groups": Command("client.tools.share_groups", "the same of share groups"),
        "streams-groups": Command(
            "client.tools.streams_groups", "list, describe, reset, delete streams groups"
        ),
        "streams-application-reset": Command(
            "client.tools.streams_application_reset", "let an application begin again"
        ),
        "transactions": Command("client.tools.transactions", "what is open, and ending it"),
        "groups": Command("client.tools.groups", "list groups; why one does not move"),
    },
    "Cluster": {
        "acls": Command("client.tools.acls", "add, list and remove access control lists"),
        "delegation-tokens": Command(
            "client.tools.delegation_tokens", "logins for a while: create, renew, expire"
        ),
        "configs": Command("client.tools.configs", "describe and alter settings"),
        "features": Command("client.tools.features", "levels of features, up and down"),
        "leader-election": Command("client.tools.leader_election", "elect partition leaders"),
        "reassign-partitions": Command("client.tools.reassign_partitions", "move replicas"),
        "drain": Command("drain.command", "move every replica away from a broker"),
        "replace": Command("drain.replacing", "move every replica of a broker to another"),
        "log-dirs": Command("client.tools.log_dirs", "sizes and lags of replicas on disk"),
        "metadata-quorum": Command("client.tools.metadata_quorum", "the controllers' quorum"),
        "client-metrics": Command("client.tools.client_metrics", "what clients send of themselves"),
        "broker-api-versions": Command("client.tools.broker_api_versions", "what brokers serve"),
        "top": Command("top.command", "a live view: brokers, rates, lag, elections"),
        "cluster": Command("client.tools.cluster", "the cluster's id, unregistering brokers"),
    },
    "Look inside": {
        "elections": Command("elections.command", "which leaders were elected, when, and why"),
        "dump-log": Command("dump_log_command", "print segments, indexes and snapshots"),
        "trace": Command("trace_command", "what nodes' flight recorders hold, as one trace"),
        "trace-merge": Command("tracing.merge", "the traces of several nodes as one"),
        "metadata": Command("metadata_command", "the metadata log and image of a node"),
    },
}
COMMANDS: Final = {word: command for group in GROUPS.values() for word, command in group.items()}


def main(argv: Sequence[str], loaded: Callable[[], object] = lambda: None) -> int:
    """Run one command line; the exit code. `loaded` is called between the import and the run."""
    word = argv[0] if argv else "--help"
    if word in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else 2
    if word == "--version":
        word = "version"
    command = COMMANDS.get(word)
    if command is None:
        import difflib

        near = difflib.get_close_matches(word, COMMANDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        print(f"raftka: there is no command {word!r}.{hint} See raftka --help.", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(f"raftka.{command.module}")
        loaded()
        code = module.main(list(argv[1:]))
    except SystemExit as stop:
        # Kafka's tools end with 1 where Python's own way with options would end with 2.
        return 1 if stop.code else 0
    return code if isinstance(code, int) else 0


def usage() -> str:
    """All commands by group, one line each."""
    lines = [
        "usage: raftka COMMAND ...",
        "",
        "raftka COMMAND --help lists the options of a command.",
    ]
    width = max(map(len, COMMANDS)) + 2
    for title, group in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {word:{width}}{command.summary}" for word, command in group.items()]
    return "\n".join(lines)
