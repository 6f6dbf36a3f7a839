"""The text format, read by prometheus-client's own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from raftka.broker.metrics.families import Column, Family, Kept, counter, gauge, labels, text_of


def test_prometheus_reads_every_name_and_sample() -> None:
    family = Family(
        ("one_total", "one_persec_total"),
        "counter",
        "Some help.",
        [(labels(topic="a", partition=i), i) for i in range(1200)],
    )
    others = [gauge(("two",), "Two.", 2.5), counter(("three_total",), "", 3)]
    text = b"".join(text_of([family, *others]))
    found = {each.name: each for each in text_string_to_metric_families(text.decode())}
    assert sorted(found) == ["one", "one_persec", "three", "two"]
    assert found["one"].type == "counter"
    assert found["one"].documentation == "Some help."
    assert len(found["one"].samples) == len(found["one_persec"].samples) == 1200
    assert found["one"].samples[7].labels == {"topic": "a", "partition": "7"}
    assert found["one"].samples[7].value == 7
    assert found["two"].samples[0].value == 2.5


def test_labels_hold_any_text() -> None:
    name = 'a "group"\\ of\nlines ü'
    text = b"".join(text_of([Family(("x",), "gauge", "y", [(labels(group=name), 1)])]))
    (found,) = text_string_to_metric_families(text.decode())
    assert found.samples[0].labels == {"group": name}


def test_a_large_family_comes_in_pieces() -> None:
    pieces = list(text_of([Family(("x",), "gauge", "y", [("", 1)] * 10_000)]))
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 10_000


def test_a_column_is_written_again_where_its_values_have_changed() -> None:
    kept: Kept = {}
    where = [labels(partition=number) for number in range(1200)]
    values: list[float] = [0] * 1200

    def written() -> list[bytes]:
        return list(text_of([Family(("x",), "gauge", "y", Column(where, list(values), kept))]))

    before = written()
    values[700] = 5
    after = written()
    assert [a is b for a, b in zip(before[1:], after[1:], strict=True)] == [True, False, True]
    (found,) = text_string_to_metric_families(b"".join(after).decode())
    assert [each.value for each in found.samples] == values
    assert [each.labels["partition"] for each in found.samples] == list(map(str, range(1200)))
