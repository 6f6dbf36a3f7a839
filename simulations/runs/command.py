"""`raftka simulate`: run the cluster under faults, from a seed."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from functools import partial
from pathlib import Path
from typing import Final, NoReturn, TextIO

from raftka.simulations.faults.table import FAULTS
from raftka.simulations.mutations import MUTANTS
from raftka.simulations.plan import DEFAULT_DURATION_S, QUORUMS, Options, Plan
from raftka.simulations.runs import batch, hunt, report, user_file
from raftka.simulations.runs.commit import commit
from raftka.simulations.runs.controls import CONTROLS
from raftka.simulations.runs.progress import Progress
from raftka.simulations.runs.run import Beside, Outcome, plan_for, run_plan
from raftka.simulations.runs.user_file import UnusableFile
from raftka.simulations.scenarios import command as scenarios
from raftka.simulations.sessions import run_command as sessions
from raftka.simulations.story.replay import Again, explain
from raftka.simulations.story.telling import Telling, telling
from raftka.simulations.violation import Exit

USAGE: Final = 64
"""The exit code for options that cannot be run: EX_USAGE of sysexits.h."""
_CAUGHT: Final = f"from seed 1 on until it is caught, {hunt.SEEDS_MAX} seeds at most"


def main(argv: list[str]) -> int:
    """Run what the options ask for; returns the exit code (simulations.violation)."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.separate and (options.nodes or 3) < 2:
        parser.error("--separate needs two nodes: a controller and a broker")
    if options.list:
        print(_list())
        return 0
    must_be_caught = options.mutation is not None or options.control is not None
    hunts = must_be_caught and options.seed is None and options.seeds is None
    if options.seed is None:
        options.seed = 1
    if options.list_scenarios:
        print(scenarios.names())
        return 0
    try:
        if options.session is not None:
            with _sink(options.trace) as sink:
                return sessions.main(
                    options.session,
                    commit(),
                    sink=sink,
                    json=options.json,
                    story=options.story,
                    inevitable=options.inevitable,
                )
        if options.inevitable:
            return _inevitable(options)
        if options.scenario is not None:
            return _scenario(options)
        if hunts and options.plan is None:
            return _hunt(options)
        return _seeds(options)
    except UnusableFile as error:
        print(f"raftka simulate: {error}", file=sys.stderr)
        return USAGE


def _inevitable(options: argparse.Namespace) -> int:
    """The time from which the loss of one run was inevitable."""
    value: dict[str, object]
    if options.scenario is not None:
        value = {"scenario": options.scenario, "seed": options.seed}
        replay = f"raftka simulate --scenario {options.scenario} --seed {options.seed}"
    elif options.plan is not None:
        value = {"plan": json.loads(Path(options.plan).read_text())}
        replay = f"raftka simulate --plan {options.plan}"
    else:
        value = {"plan": json.loads(plan_for(_options(options)).dumps())}
        replay = replay_line(options, str(options.seed))
    return sessions.main_of(value, commit(), replay, json=options.json)


def _scenario(options: argparse.Namespace) -> int:
    with _sink(options.trace) as sink:
        return scenarios.main(
            options.scenario,
            range(options.seed, options.seed + (options.seeds or 1)),
            commit=commit(),
            sink=sink,
            json=options.json,
            story=options.story,
        )


def _seeds(options: argparse.Namespace) -> int:
    chosen = _options(options)
    user_file.beside(chosen.own)  # Report what is wrong with the file before anything runs.
    if options.seeds is not None and options.plan is None:
        totals = batch.run_batch(
            chosen,
            options.seeds,
            jobs=options.jobs,
            minutes=options.minutes,
            collect=options.all,
            commit=commit(),
        )
        print(batch.describe(totals, replay_line(options, "{seed}")))
        explained = batch.explain_first(totals, chosen)
        if explained is not None:
            print(batch.told(explained))
        if options.json:
            print(batch.as_json(totals, commit(), replay_line(options, "{seed}"), explained))
        return int(totals.exit)
    return _one(options, chosen)


def _hunt(options: argparse.Namespace) -> int:
    """Seed after seed until the mutation or control is caught, then that seed as asked for."""
    chosen = _options(options)
    user_file.beside(chosen.own)
    catch = hunt.hunt(chosen, commit=commit())
    print(catch.words())
    if catch.seed is None:
        if options.json:
            print(json.dumps(catch.last))
        return int(Exit.HELD)
    options.seed = catch.seed
    return _one(options, _options(options))


def _one(options: argparse.Namespace, chosen: Options) -> int:
    if options.plan is not None:
        plan = Plan.loads(Path(options.plan).read_text())
    else:
        plan = plan_for(chosen)
    beside = user_file.beside(options.own)
    print(f"seed {plan.seed}: {len(plan.faults)} faults to come", file=sys.stderr)
    with _sink(options.trace) as sink, Progress(plan) as progress:
        told = telling(sink, wanted=options.story)
        outcome = run_plan(plan, sink=told, beside=beside, tell=progress.tell)
    if isinstance(told, Telling):
        print(f"{told.text()}\n")
    replay = (
        f"raftka simulate --plan {options.plan}"
        if options.plan is not None
        else replay_line(options, str(plan.seed))
    )
    again: Again = partial(run_plan, plan, beside=beside)
    if options.shrink and outcome.exit is not Exit.HELD:
        outcome, replay = _shrink(outcome, options.output, beside)
        again = partial(run_plan, outcome.plan, beside=beside)
    if outcome.violation is not None:
        print("run again, for its story", file=sys.stderr)
        explain(outcome, again)
    print(report.summary(outcome, commit(), replay))
    if options.json:
        print(report.as_json(outcome, commit()))
    return int(outcome.exit)


def _shrink(outcome: Outcome, output: str | None, beside: Beside) -> tuple[Outcome, str]:
    from raftka.simulations.runs.shrink import shrink

    smaller = shrink(outcome, lambda words: print(words, file=sys.stderr), beside=beside)
    path = Path(output or f"seed-{outcome.plan.seed}.json")
    path.write_text(smaller.plan.dumps())
    return smaller, f"raftka simulate --plan {path}"


def _options(options: argparse.Namespace) -> Options:
    faults: tuple[str, ...] | None = None
    if options.faults is not None:
        faults = tuple(name for name in options.faults.split(",") if name and name != "none")
    return Options(
        seed=options.seed,
        nodes=options.nodes,
        combined=not options.separate,
        duration_s=options.seconds,
        mutation=options.mutation,
        faults=faults,
        rates={name: float(rate) for name, _, rate in (r.partition("=") for r in options.rate)},
        load=options.load,
        quorum=options.quorum,
        control=options.control,
        own=options.own,
    )


def replay_line(options: argparse.Namespace, seed: str) -> str:
    """The command that does the same again."""
    parts = ["raftka simulate --seed", seed]
    defaults = vars(_parser().parse_args([]))
    names = ("nodes", "seconds", "mutation", "faults", "load", "quorum", "control")
    parts += [f"--{n} {getattr(options, n)}" for n in names if getattr(options, n) != defaults[n]]
    if options.separate:
        parts.append("--separate")
    if options.own is not None:
        parts.append(f"--with {options.own}")
    parts += [f"--rate {rate}" for rate in options.rate]
    return " ".join(parts)


def _sink(path: str | None) -> contextlib.AbstractContextManager[TextIO | None]:
    if path is None:
        return contextlib.nullcontext()
    return Path(path).open("w", encoding="utf-8")


def _list() -> str:
    rows: list[tuple[object, ...]] = [("fault", "group", "in runs", "a minute", "meaning")]
    rows += [(f.kind, f.group, f"{f.chance:.0%}", f.rate, f.meaning) for f in FAULTS.values()]
    mutants: list[tuple[object, ...]] = [("mutation", "meaning")]
    mutants += [(mutant.name, mutant.meaning) for mutant in MUTANTS.values()]
    return f"{report.table(rows)}\n\n{report.table(mutants)}"


def _rate(text: str) -> str:
    kind, equals, rate = text.partition("=")
    if kind not in FAULTS or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KIND=TIMES_A_MINUTE; see --list")
    try:
        float(rate)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{rate!r} is no number") from error
    return text


def _kinds(text: str) -> str:
    unknown = [name for name in text.split(",") if name not in (*FAULTS, "none", "")]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such faults: {', '.join(unknown)}; see --list")
    return text


class _Parser(argparse.ArgumentParser):
    """argparse exits with 2 for a wrong option, which here means a violation of liveness."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="raftka simulate",
        description="Run the deployed cluster in virtual time, break it in every way, heal it, and"
        " check what it owes its users. The same seed gives the same run.",
        epilog="Exit code: 0 held, 1 safety violated, 2 liveness violated, 3 crashed,"
        f" {USAGE} an option or file that cannot be used.",
    )
    add = parser.add_argument
    add("--seed", type=int, help="what everything is drawn from (default: 1)")
    add("--seeds", type=int, metavar="N", help="run so many seeds, from --seed on")
    add("--jobs", type=int, default=1, help="processes for --seeds (default: 1)")
    add("--minutes", type=float, help="with --seeds: begin no seed after so long")
    add("--all", action="store_true", help="with --seeds: go on after a failure")
    add("--nodes", type=int, choices=range(1, 10), help="1 to 9 (default: 3, now and then 4)")
    add("--separate", action="store_true", help="controllers and brokers on nodes of their own")
    add("--seconds", type=float, default=DEFAULT_DURATION_S, help="virtual time under faults")
    add("--quorum", choices=QUORUMS, help="how its voters are named (default: drawn)")
    add("--load", type=float, default=1.0, help="how much of the default load")
    add("--faults", type=_kinds, metavar="KIND,...", help="only these; none for a quiet run")
    add("--rate", type=_rate, action="append", default=[], metavar="KIND=PER_MINUTE")
    add("--mutation", choices=sorted(MUTANTS), help=f"switch a rule off: {_CAUGHT}")
    add("--control", choices=sorted(CONTROLS), help=f"runs that must lose data: {_CAUGHT}")
    add("--json", action="store_true", help="print the summary as JSON too, on the last line")
    add("--trace", metavar="FILE", help="write every event as JSON lines (docs/trace.md)")
    add("--plan", metavar="FILE", help="run the plan in a file that --shrink wrote")
    add("--shrink", action="store_true", help="reduce a failing seed and write what is left")
    add("--output", metavar="FILE", help="where --shrink writes (default: seed-N.json)")
    add("--with", dest="own", metavar="FILE", help="a workload and invariants of your own")
    add("--scenario", metavar="NAME", help="run a scenario that ships, or one in a .py file")
    add("--session", metavar="FILE", help="run a session: a plan with a script (docs/session.md)")
    add("--story", action="store_true", help="print the run as a story, whether it failed or not")
    add(
        "--inevitable",
        action="store_true",
        help="for a loss: until when healing everything would have saved the record",
    )
    add("--list-scenarios", action="store_true", help="name the scenarios")
    add("--list", action="store_true", help="name all faults and mutations")
    return parser
