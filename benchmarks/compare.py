"""raftka and a real Apache Kafka, interleaved on one machine: one table of ratios, and a chart.

    python -m benchmarks.compare --kafka SCRIPT
    python -m benchmarks.compare --kafka SCRIPT --rounds 5 --seconds 4 --svg docs/beside-kafka.svg
    python -m benchmarks.compare --kafka SCRIPT --only tiny-32 rf3-tiny-32
    python -m benchmarks.compare --rows FILE --svg FILE       draw again what an earlier run kept

SCRIPT starts Kafka: `start DIR N PORT`, as for benchmarks.broker. Both clusters run all the time of
a case; Kafka is loaded first until it has used `--warm` seconds of CPU, since its JIT uses most CPU
in the beginning: this way a busy machine warms it up as much as a quiet one. Then they take turns,
in alternating order, so that other load of the machine affects both. A figure is the median of the
rounds; its spread is the worst and the best round's ratio.

Every case gives CPU seconds of all brokers for each GB of records, and GB or requests a second,
from a closed loop. Where requests are small, an open loop at half of the slower one's rate adds
latency from the planned time of each request (benchmarks/open_loop.py): p50, p99 and p99.9.
`--rows` keeps the lines of the table in a file, one JSON object each, so that a run may be made of
several, a case at a time; the table and the chart are of all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.broker import (
    Target,
    batch,
    check_fetch,
    check_produce,
    fetch_frame,
    kafka,
    load,
    produce_frame,
    raftka,
)
from benchmarks.load import Result, run
from benchmarks.open_loop import run_open
from benchmarks.ratio_chart import Bar, draw

_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True)
class Case:
    """One kind of load, the same for both."""

    name: str
    words: str
    nodes: int
    size: int
    """Bytes of a batch, or of the answer to a fetch."""
    connections: int
    in_flight: int
    acks: int = 1
    fetches: bool = False
    open_loop: bool = False

    def closed(self, target: Target, seconds: float) -> Result:
        """The warm-up that it takes."""
        if self.fetches:
            return run(
                [target.endpoint()],
                fetch_frame(self.size),
                connections=self.connections,
                in_flight=self.in_flight,
                seconds=seconds,
                pids=target.pids,
                check=check_fetch,
            )
        frame = produce_frame(batch(self.size), self.acks)
        return load(target, frame, seconds, self.connections, self.in_flight)

    def prepare(self, target: Target) -> None:
        """The setup before the first round."""
        if self.fetches:
            load(target, produce_frame(batch(128 << 10), 1), 1.0, 1, 4)

    def gigabytes(self, result: Result) -> float:
        """Bytes of records that were moved."""
        if self.fetches:
            return result.bytes_in / 1e9
        return result.requests * len(batch(self.size)) / 1e9


CASES = (
    Case("tiny-32", "one record, 32 connections", 1, 100, 32, 1, open_loop=True),
    Case("tiny-4x32", "one record, 4 x 32 in flight", 1, 100, 4, 32),
    Case("produce-16k", "produce 16 KB", 1, 16 << 10, 4, 4),
    Case("produce-128k", "produce 128 KB", 1, 128 << 10, 4, 2),
    Case("fetch-128k", "fetch 128 KB", 1, 128 << 10, 2, 1, fetches=True),
    Case("fetch-1m", "fetch 1 MB", 1, 1 << 20, 2, 1, fetches=True),
    Case("rf3-tiny-32", "RF=3 acks=all, one record", 3, 100, 32, 1, -1, open_loop=True),
    Case("rf3-16k", "RF=3 acks=all, 16 KB", 3, 16 << 10, 4, 4, -1),
)


@dataclass
class Figures:
    """The results of one cluster's rounds."""

    cpu_s_per_gb: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    gb_s: list[float] = field(default_factory=list)
    latency_ms: dict[str, list[float]] = field(
        default_factory=lambda: {each: [] for each in _SHARES}
    )
    late_ms: list[float] = field(default_factory=list)

    def add(self, case: Case, result: Result) -> None:
        """Take a closed loop's result."""
        gigabytes = case.gigabytes(result)
        self.cpu_s_per_gb.append(result.cpu / gigabytes)
        self.cpu_us.append(result.cpu_us)
        self.rate.append(result.rate)
        self.gb_s.append(gigabytes / result.seconds)


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is how many times better raftka is."""

    what: str
    figure: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    load: float = 0.0
    """The machine's load average afterwards."""


def row(what: str, figure: str, ours: Sequence[float], theirs: Sequence[float], more: bool) -> Row:
    """Medians, and ratios of rounds; with `more` a larger figure is better."""
    pairs = [(a / b if more else b / a) for a, b in zip(ours, theirs, strict=True)]
    mine, other = statistics.median(ours), statistics.median(theirs)
    ratio = mine / other if more else other / mine
    return Row(what, figure, mine, other, ratio, min(pairs), max(pairs), os.getloadavg()[0])


def rows(case: Case, ours: Figures, theirs: Figures) -> Iterator[Row]:
    """The lines of one case."""
    yield row(case.words, "CPU s per GB", ours.cpu_s_per_gb, theirs.cpu_s_per_gb, False)
    if case.size < 1024:
        yield row(case.words, "CPU µs each", ours.cpu_us, theirs.cpu_us, False)
        yield row(case.words, "requests/s", ours.rate, theirs.rate, True)
    else:
        yield row(case.words, "GB/s", ours.gb_s, theirs.gb_s, True)
    if case.open_loop:
        for name in _SHARES:
            mine, other = ours.latency_ms[name], theirs.latency_ms[name]
            yield row(case.words, f"{name} ms at half load", mine, other, False)


def compare(case: Case, script: str, rounds: int, seconds: float, warm: float) -> list[Row]:
    """Run one case on both, in turns."""
    figures = {"raftka": Figures(), "Apache Kafka": Figures()}
    with ExitStack() as stack:
        both = [
            stack.enter_context(raftka(case.nodes)),
            stack.enter_context(kafka(script, case.nodes)),
        ]
        for target in both:
            case.prepare(target)
        used = 0.0
        while used < warm:
            used += case.closed(both[1], 2.0).cpu
        case.closed(both[0], min(warm, 2.0))
        for number in range(rounds):
            for target in both if number % 2 == 0 else both[::-1]:
                figures[target.name].add(case, case.closed(target, seconds))
        if case.open_loop:
            rate = min(statistics.median(each.rate) for each in figures.values()) / 2
            frame = produce_frame(batch(case.size), case.acks)
            for number in range(rounds):
                for target in both if number % 2 == 0 else both[::-1]:
                    _open_round(case, target, figures[target.name], frame, rate, seconds)
    return list(rows(case, figures["raftka"], figures["Apache Kafka"]))


def _open_round(
    case: Case, target: Target, figures: Figures, frame: bytes, rate: float, seconds: float
) -> None:
    found = run_open(
        target.endpoint(),
        frame,
        rate=rate,
        connections=case.connections,
        seconds=seconds,
        check=check_produce,
    )
    if found.lost:
        raise RuntimeError(f"{target.name}: {found.lost} requests were not answered")
    for name, share in _SHARES.items():
        figures.latency_ms[name].append(found.percentile_ms(share))
    figures.late_ms.append(found.late_ms(0.99))


def table(found: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| load | figure | raftka | Apache Kafka | ratio | rounds |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.what} | {each.figure} | {number(each.ours)} | {number(each.theirs)} |"
        f" {each.ratio:.2f} | {each.low:.2f} to {each.high:.2f} |"
        for each in found
    ]
    return "\n".join(lines)


def number(value: float) -> str:
    """Three digits, as many as a figure on a shared machine is worth."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def chart(found: Sequence[Row], footer: str) -> str:
    """One bar for each case's CPU, rate or latency that says most about it."""
    shown = [each for each in found if each.figure not in ("CPU µs each", "p50 ms at half load")]
    bars = [
        Bar(f"{each.what}: {_short(each.figure)}", each.ratio, each.low, each.high)
        for each in shown
    ]
    title = "raftka beside Apache Kafka, how many times better"
    subtitle = "Bars to the right of 1x: raftka is ahead. Lines: worst to best round."
    return draw(title, subtitle, bars, footer)


def _short(figure: str) -> str:
    return {"CPU s per GB": "CPU", "requests/s": "rate", "GB/s": "rate"}.get(
        figure, figure.split(" ")[0]
    )


def _kept(path: str | None) -> list[Row]:
    """The rows of an earlier run in the file, if it exists."""
    if path is None or not Path(path).exists():
        return []
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [Row(**json.loads(line)) for line in lines]


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if options.kafka is None and options.rows is None:
        print("give --kafka SCRIPT to measure, or --rows FILE to draw again", file=sys.stderr)
        return 2
    found = _kept(options.rows)
    for case in CASES if options.kafka else ():
        if case.name not in options.only:
            continue
        made = compare(case, options.kafka, options.rounds, options.seconds, options.warm)
        found = [each for each in found if each.what != case.words] + made
        print(table(made), flush=True)
        if options.rows:
            lines = [json.dumps(asdict(each), ensure_ascii=False) for each in found]
            Path(options.rows).write_text("\n".join(lines) + "\n", encoding="utf-8")
    loads = [each.load for each in found]
    footer = (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {options.rounds} rounds of"
        f" {options.seconds:g} s in turns, Kafka warm after {options.warm:g} s of CPU, load average"
        f" {min(loads):.0f} to {max(loads):.0f}"
    )
    print(f"\n{table(found)}\n\n{footer}")
    if options.svg:
        Path(options.svg).write_text(chart(found, footer), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kafka", help="a script that starts a real Apache Kafka")
    parser.add_argument("--rounds", type=_at_least_one, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--warm", type=float, default=30.0, help="CPU seconds for Kafka's JIT")
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    parser.add_argument("--rows", help="the file that keeps the lines of the table")
    parser.add_argument("--svg", help="the file to draw the ratios into")
    return parser


def _at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("there must be a round")
    return value


if __name__ == "__main__":
    sys.exit(main())
