"""Clients' metrics (KIP-714): which ones a client must push, when, and what is kept."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftka.broker.client_metrics import (
    MOST_CLIENTS,
    MOST_SERIES,
    SHOWN_MS,
    BadTelemetry,
    ClientMetrics,
    Point,
    parse,
)
from raftka.broker.metrics.clients import clients
from raftka.broker.metrics.families import text_of
from raftka.broker.telemetry import Client, Subscription, Telemetry, subscription_of
from raftka.kraft.image import CLIENT_METRICS_RESOURCE, ConfigResource
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings.client_metrics import validate_client_metrics

ID, OTHER = b"i" * 16, b"o" * 16
ALICE = Client("alice-1", "librdkafka", "2.5.0", "10.0.0.7", "4711")


def configs(**subscriptions: dict[str, str]) -> dict[ConfigResource, dict[str, str]]:
    return {
        ConfigResource(CLIENT_METRICS_RESOURCE, name): entries
        for name, entries in subscriptions.items()
    }


ALL = configs(all={"metrics": "*", "interval.ms": "1000"})


def test_a_client_is_asked_for_what_all_matching_subscriptions_want() -> None:
    wanted = configs(
        a={"metrics": "org.apache.kafka.producer.,b", "interval.ms": "5000"},
        b={"metrics": "c", "match": "client_id=alice-.*,client_software_name=librdkafka"},
        c={"metrics": "d", "match": "client_id=bob"},
        d={"metrics": "e", "match": "client_source_address=10[.]0[.]0[.]7", "interval.ms": "700"},
    )
    found = subscription_of(ID, ALICE, wanted)
    assert found.metrics == ("b", "c", "e", "org.apache.kafka.producer.")
    assert found.interval_ms == 700
    assert subscription_of(ID, ALICE, {}).metrics == ()
    assert subscription_of(ID, ALICE, {**wanted, **ALL}).metrics == ("*",)
    assert subscription_of(ID, ALICE, ALL).id != subscription_of(OTHER, ALICE, ALL).id


def push(
    telemetry: Telemetry,
    subscription: Subscription,
    now_ms: int,
    *,
    terminating: bool = False,
    codec: int = 0,
    size: int = 10,
    wanted: dict[ConfigResource, dict[str, str]] = ALL,
) -> ErrorCode:
    try:
        telemetry.push(
            ID,
            ALICE,
            wanted,
            now_ms,
            subscription_id=subscription.id,
            terminating=terminating,
            codec=codec,
            size=size,
        )
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE


def test_a_client_pushes_once_an_interval() -> None:
    telemetry = Telemetry(100)
    wanted = telemetry.get(ID, ALICE, ALL, 1_000_000)
    assert push(telemetry, wanted, 1_000_001) is ErrorCode.NONE, "the first at any time"
    assert push(telemetry, wanted, 1_000_900) is ErrorCode.THROTTLING_QUOTA_EXCEEDED
    assert push(telemetry, wanted, 1_001_001) is ErrorCode.NONE
    assert push(telemetry, wanted, 1_001_002, terminating=True) is ErrorCode.NONE
    assert push(telemetry, wanted, 1_009_000, terminating=True) is ErrorCode.INVALID_REQUEST
    with pytest.raises(KafkaError, match="before the next push interval"):
        telemetry.get(ID, ALICE, ALL, 1_001_500)


def test_a_subscription_that_changed_is_asked_for_again_at_once() -> None:
    telemetry = Telemetry(100)
    before = telemetry.get(ID, ALICE, ALL, 1_000_000)
    changed = configs(all={"metrics": "a", "interval.ms": "1000"})
    late = push(telemetry, before, 1_000_100, wanted=changed)
    assert late is ErrorCode.UNKNOWN_SUBSCRIPTION_ID
    after = telemetry.get(ID, ALICE, changed, 1_000_200)
    assert after.metrics == ("a",)
    assert push(telemetry, after, 1_000_300, wanted=changed) is ErrorCode.NONE


def test_pushes_that_cannot_be_taken_are_refused() -> None:
    telemetry = Telemetry(100)
    wanted = telemetry.get(ID, ALICE, ALL, 1_000_000)
    unknown = push(telemetry, wanted, 1_000_100, codec=9)
    assert unknown is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    assert push(telemetry, wanted, 1_000_100, size=101) is ErrorCode.TELEMETRY_TOO_LARGE
    # A restarted broker knows only what the client sends.
    assert push(Telemetry(100), wanted, 1_000_100) is ErrorCode.NONE


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"interval.ms": "99"}, "between 100 and 3600000"),
        ({"interval.ms": "x"}, "Invalid value x"),
        ({"match": "client_id"}, "Illegal client matching pattern: client_id"),
        ({"match": "client_id=["}, "Illegal client matching pattern"),
        ({"match": "shoe=x"}, "Illegal client matching pattern"),
        ({"metric": "x"}, "Did you mean metrics?"),
    ],
)
def test_wrong_subscriptions_are_refused(entries: dict[str, str], words: str) -> None:
    with pytest.raises(KafkaError) as caught:
        validate_client_metrics(entries)
    assert words in caught.value.message


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return bytes([number << 3, content])
    size = len(content)
    head = bytes([number << 3 | 2])
    return head + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + content


def metric(name: str, kind: int, point: bytes) -> bytes:
    return field(2, field(1, name.encode()) + field(kind, field(1, point)))


def telemetry_of(*metrics: bytes) -> bytes:
    return field(1, field(2, b"".join(metrics)))


LABEL = field(7, field(1, b"node.id") + field(2, field(1, b"3")))


def test_numbers_sums_and_histograms_are_read() -> None:
    data = telemetry_of(
        metric("a.b", 5, LABEL + b"\x21" + struct.pack("<d", 1.5)),
        metric("c", 7, b"\x31" + struct.pack("<q", 7)),
        metric("h", 9, b"\x21" + struct.pack("<Q", 3) + b"\x29" + struct.pack("<d", 0.5)),
    )
    assert parse(data) == [
        Point("a.b", (("node_id", "3"),), 1.5, False),
        Point("c", (), 7.0, True),
        Point("h.count", (), 3.0, True),
        Point("h.sum", (), 0.5, True),
    ]


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_or_hold_no_points(data: bytes) -> None:
    try:
        found = parse(data)
    except BadTelemetry:
        return
    assert all(isinstance(point.value, float) for point in found)


def test_what_is_kept_is_bounded_and_sums_are_added_up() -> None:
    kept = ClientMetrics()
    for _ in range(3):
        kept.take(("a", "1"), [Point("org.apache.kafka.x", (), 2.0, True)], 1000)
    (point,) = kept.shown(1000)["a", "1"].values()
    assert point.value == 6.0
    text = b"".join(text_of(clients(kept, 1000))).decode()
    assert 'kafka_client_x_total{client_id="a",client_instance_id="1"} 6.0' in text
    assert kept.shown(1000 + SHOWN_MS) != {}, "also of a client that has ended"
    assert kept.shown(1001 + SHOWN_MS) == {}
    for number in range(MOST_CLIENTS + 5):
        kept.take(("a", str(number)), [Point("m", (), 1.0, False)], 2000)
    assert len(kept.shown(2000)) == MOST_CLIENTS and ("a", "0") not in kept.shown(2000)
    many = [Point(f"m{number}", (), 1.0, False) for number in range(MOST_SERIES + 5)]
    kept.take(("b", "1"), many, 2000)
    assert len(kept.shown(2000)["b", "1"]) == MOST_SERIES
