"""The console tools' command lines, without a cluster."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from raftka.client.tools import consumer_groups
from raftka.client.tools.options import Options, UsageError

TOOLS = (
    "broker_api_versions",
    "cluster",
    "configs",
    "console_consumer",
    "console_producer",
    "consumer_groups",
    "consumer_perf_test",
    "delete_records",
    "transactions",
    "get_offsets",
    "groups",
    "leader_election",
    "log_dirs",
    "metadata_quorum",
    "producer_perf_test",
    "reassign_partitions",
    "replica_verification",
    "share_groups",
    "streams_application_reset",
    "streams_groups",
    "topics",
    "verifiable_consumer",
    "verifiable_producer",
    "verifiable_share_consumer",
)


def run(tool: str, *arguments: str) -> int:
    code = importlib.import_module(f"raftka.client.tools.{tool}").main(list(arguments))
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("tool", TOOLS)
def test_help_lists_the_options(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tool, "--help") == 0
    assert "--bootstrap-server" in capsys.readouterr().out


@pytest.mark.parametrize("tool", TOOLS)
def test_version_is_the_kafka_it_behaves_as(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tool, "--version") == 0
    assert capsys.readouterr().out == "4.4.0\n"


@pytest.mark.parametrize("tool", TOOLS)
def test_zookeeper_is_answered_with_the_option_of_today(
    tool: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tool, "--create", "--zookeeper", "zookeeper:2181", "--topic", "banco") == 1
    captured = capsys.readouterr()
    assert "--bootstrap-server localhost:9092" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("tool", TOOLS)
def test_no_options_show_the_options(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tool) == 1
    assert "--bootstrap-server" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("topics", "--bootstrap-server x:1", "exactly one action: --list, --describe"),
        ("topics", "--bootstrap-server x:1 --list --create", "exactly one action"),
        ("topics", "--list", 'Missing required argument "[bootstrap-server]"'),
        ("topics", "--bootstrap-server x:1 --create", 'Missing required argument "[topic]"'),
        (
            "topics",
            "--bootstrap-server x:1 --list --partitions 3",
            'Option "[partitions]" can\'t be used with option "[list]"',
        ),
        ("topics", "--bootstrap-server x:1 --lst", "lst is not a recognized option"),
        ("topics", "--bootstrap-sever x:1 --list", "did you mean --bootstrap-server?"),
        ("topics", "--bootstrap-server x:1 --create --topic t --partitions x", "whole number"),
        ("topics", "--bootstrap-server nowhere --list", "must be host:port"),
        ("console_consumer", "--bootstrap-server x:1", "Exactly one of --include/--topic"),
        (
            "console_consumer",
            "--bootstrap-server x:1 --topic t --offset 3",
            "The partition is required when offset is specified.",
        ),
        (
            "console_consumer",
            "--bootstrap-server x:1 --topic t --partition 0 --offset soon",
            "Valid values are 'earliest', 'latest', or a non-negative long.",
        ),
        (
            "console_consumer",
            "--bootstrap-server x:1 --topic t --group a --consumer-property group.id=b",
            "Detected group ids: 'a', 'b'",
        ),
        ("console_producer", "--bootstrap-server x:1", 'Missing required argument "[topic]"'),
        ("get_offsets", "--bootstrap-server x:1 --time soon", "Malformed time argument soon"),
        ("get_offsets", "--bootstrap-server x:1 --partitions a", "numeric partition ids"),
        ("configs", "--bootstrap-server x:1 --describe", "At least one entity type"),
        ("configs", "--bootstrap-server x:1 --alter --topic t", "At least one of --add-config"),
        (
            "configs",
            "--bootstrap-server x:1 --alter --broker one --add-config a=b",
            "valid integer broker id, but it is: one",
        ),
        (
            "streams_groups",
            "--bootstrap-server x:1 --reset-offsets --group g --all-input-topics --to-earliest",
            "takes the option: [execute] or [dry-run]",
        ),
        (
            "streams_groups",
            "--bootstrap-server x:1 --reset-offsets --group g --to-earliest --dry-run",
            "One of the reset scopes should be defined: --all-input-topics, --input-topic.",
        ),
        (
            "streams_groups",
            "--bootstrap-server x:1 --reset-offsets --group g --all-input-topics --dry-run",
            "requires one of the following scenarios",
        ),
        (
            "streams_groups",
            "--bootstrap-server x:1 --reset-offsets --group g --all-input-topics --to-latest"
            " --dry-run --delete-all-internal-topics",
            "take [execute] when",
        ),
        (
            "streams_groups",
            "--bootstrap-server x:1 --delete --group g --to-latest",
            'Option "[to-latest]" can\'t be used with option "[delete]"',
        ),
        (
            "streams_groups",
            "--bootstrap-server x:1 --describe --group g --topology --members",
            'Option "[members]" can\'t be used with option "[topology]"',
        ),
        ("streams_application_reset", "--input-topics t", 'argument "[application-id]"'),
        (
            "streams_application_reset",
            "--application-id a --input-topics t --to-earliest --shift-by 3",
            "can't be used with option",
        ),
        ("streams_application_reset", "--application-id a --by-duration soon", "not a duration"),
        ("replica_verification", "--time -2", 'Missing required argument "[broker-list]"'),
        ("replica_verification", "--broker-list x:1 --topics-include (", "regular expression"),
        ("replica_verification", "--broker-list x:1 --fetch-size 0", "--fetch-size must not be"),
        (
            "consumer_groups",
            "--bootstrap-server x:1 --describe",
            "takes one of these options: [group], [all-groups]",
        ),
        (
            "consumer_groups",
            "--bootstrap-server x:1 --list --state fast",
            "Invalid state list 'fast'",
        ),
        (
            "consumer_groups",
            "--bootstrap-server x:1 --reset-offsets --group g --topic t --dry-run",
            "requires one of the following scenarios",
        ),
        (
            "leader_election",
            "--bootstrap-server x:1 --election-type preferred",
            "One and only one of the following options is required",
        ),
        ("metadata_quorum", "--bootstrap-server x:1 describe", "One of --status or --replication"),
        ("metadata_quorum", "describe --status", "--bootstrap-controller is required"),
        ("cluster", "unregister --bootstrap-server x:1", "--id/-i is required"),
        ("reassign_partitions", "--bootstrap-server x:1 --execute", "[reassignment-json-file]"),
        ("groups", "--bootstrap-server x:1", "exactly one action: --list."),
        ("log_dirs", "--bootstrap-server x:1", 'Missing required argument "[describe]"'),
        ("producer_perf_test", "--topic t --num-records 1", "argument --throughput is required"),
        ("consumer_perf_test", "--bootstrap-server x:1 --topic t", "[num-records], [messages]"),
    ],
)
def test_a_wrong_command_line_is_put_into_words(
    tool: str, arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tool, *arguments.split()) == 1
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""


def test_an_unreachable_cluster_ends_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patience = tmp_path / "client.properties"
    patience.write_text("default.api.timeout.ms=100\ninterceptor.classes=x\n")
    found = ("--bootstrap-server", "127.0.0.1:1", "--command-config", str(patience))
    assert run("topics", "--list", *found) == 1
    err = capsys.readouterr().err
    assert "cannot reach 127.0.0.1:1" in err
    assert "is the cluster running" in err
    assert "WARNING: the setting interceptor.classes is not known" in err


def test_a_value_may_begin_with_a_dash() -> None:
    """Kafka's tools take what follows an option as its value, whatever it begins with."""
    parser = Options("tool", "")
    parser.text("--by-duration", help="")
    parser.number("--limit", help="")
    parser.flag("--dry-run", help="")
    found = parser.read(["--by-duration", "-P1D", "--dry-run", "--limit", "-5"])
    assert (found.by_duration, found.dry_run, found.limit) == ("-P1D", True, -5)
    assert parser.read(["--by-dur", "-PT1H"]).by_duration == "-PT1H"
    with pytest.raises(UsageError, match="P1D is not a recognized option"):
        parser.read(["--dry-run", "-P1D"])
    with pytest.raises(UsageError, match="expected one argument"):
        parser.read(["--by-duration", "--dry-run"])


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--by-duration", "P-1X", "'P-1X' is not a duration like P1DT2H3M4S"),
        ("--by-duration", "P999999999999999D", "is longer than all time"),
        ("--to-datetime", "soon", "'soon' is not a time like YYYY-MM-DD"),
    ],
)
def test_a_wrong_time_is_refused_before_a_broker_is_asked(
    option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Port 1 has no listener, and no group is looked up."""
    line = ["--bootstrap-server", "127.0.0.1:1", "--group", "g", "--topic", "t"]
    line += ["--reset-offsets", "--dry-run", option, value]
    assert consumer_groups.main(line) == 1
    assert words in capsys.readouterr().err


def test_an_unclosed_bracket_is_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert consumer_groups.main(["--bootstrap-server", "[::1", "--list"]) == 1
    told = capsys.readouterr().err
    assert "'[::1'" in told
    assert "must be host:port" in told
