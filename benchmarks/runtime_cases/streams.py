"""Kafka Streams: WordCountDemo with both guarantees and both protocols, PipeDemo as it comes."""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks.java_process import write_properties
from benchmarks.runtime_cases.stage import Stage, Unlike
from raftka.client.consumer.state import ConsumerRecord

_EXAMPLES: Final = "org.apache.kafka.streams.examples"
_INPUT: Final = "streams-plaintext-input"
_COUNTS: Final = "streams-wordcount-output"
_COPY: Final = "streams-pipe-output"
_WORDS: Final = ["all", "streams", "lead", "to", "kafka", "hello", "kafka", "join", "summit"]
_HALF: Final = 150


def _lines(first: int) -> list[str]:
    return [
        f"{_WORDS[n % len(_WORDS)]} {_WORDS[n // 3 % len(_WORDS)]} n{n % 7}"
        for n in range(first, first + _HALF)
    ]


def _wordcount(stage: Stage, guarantee: str, protocol: str) -> str:
    """Counts of words, kept in a changelog; the application is killed and comes back, too."""
    stage.make(_INPUT, _COUNTS)
    settings = {
        "bootstrap.servers": stage.bootstrap,
        "application.id": "wordcount",
        "processing.guarantee": guarantee,
        "replication.factor": "3",
        "commit.interval.ms": "200",
        "state.dir": stage.folder / "state",
        "group.protocol": protocol,
    }
    if protocol == "classic":
        settings["session.timeout.ms"] = "6000"
    path = write_properties(stage.folder / "wordcount.properties", settings)
    main = f"{_EXAMPLES}.wordcount.WordCountDemo"
    lines = [*_lines(0), *_lines(_HALF)]
    expected = Counter(word for line in lines for word in line.split())
    half = Counter(word for line in lines[:_HALF] for word in line.split())

    def reached(wanted: Counter[str], found: list[ConsumerRecord]) -> bool:
        last = _last(found)
        return all(last.get(word, 0) >= count for word, count in wanted.items())

    with stage.java("wordcount", main, path) as java:
        stage.write(_INPUT, lines[:_HALF])
        stage.read(_COUNTS, partial(reached, half), java)
        with stage.broker_killed():
            stage.write(_INPUT, lines[_HALF:])
        if not stage.killing:
            java.kill()
    with stage.java("wordcount", main, path) as java:
        found = stage.read(_COUNTS, partial(reached, expected), java)
    stage.is_compacted("wordcount-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog")
    last = _last(found)
    if guarantee == "at_least_once":
        return f"{len(expected)} words, {len(found)} counts, none too small"
    if last != expected:
        wrong = {
            word: (last[word], expected[word]) for word in last if last[word] != expected[word]
        }
        raise Unlike(f"counts are not exact: (found, expected) {wrong}")
    counts = defaultdict(list)
    for record in found:
        counts[record.key].append(_number(record))
    if any(each != list(range(1, len(each) + 1)) for each in counts.values()):
        raise Unlike("a count was left out or came twice")
    return f"{len(expected)} words, {len(found)} counts, each once and in order"


def _number(record: ConsumerRecord) -> int:
    (number,) = struct.unpack(">q", record.value or b"")
    return int(number)


def _last(found: list[ConsumerRecord]) -> dict[str, int]:
    return {(record.key or b"").decode(): _number(record) for record in found}


def _pipe(stage: Stage) -> str:
    """A copy of a topic. The demo knows localhost:9092 only."""
    stage.make(_INPUT, _COPY)
    lines = [f"line {number}" for number in range(2 * _HALF)]
    with stage.java("pipe", f"{_EXAMPLES}.pipe.PipeDemo") as java:
        stage.write(_INPUT, lines[:_HALF])
        stage.read(_COPY, lambda found: len(found) >= _HALF, java)
        with stage.broker_killed():
            stage.write(_INPUT, lines[_HALF:])
        found = stage.read(_COPY, lambda found: len({r.value for r in found}) >= len(lines), java)
    copies = [(record.value or b"").decode() for record in found]
    if set(copies) != set(lines):
        raise Unlike("the copy is another text")
    return f"{len(copies)} copies of {len(lines)} lines"


CASES: Final[dict[str, Callable[[Stage], str]]] = {
    "wordcount-at_least_once": partial(_wordcount, guarantee="at_least_once", protocol="classic"),
    "wordcount-exactly_once_v2": partial(
        _wordcount, guarantee="exactly_once_v2", protocol="classic"
    ),
    "wordcount-streams-at_least_once": partial(
        _wordcount, guarantee="at_least_once", protocol="streams"
    ),
    "wordcount-streams-exactly_once_v2": partial(
        _wordcount, guarantee="exactly_once_v2", protocol="streams"
    ),
    "pipe": _pipe,
}
NEEDS_PORT_9092: Final = {"pipe"}
