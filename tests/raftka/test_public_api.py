"""What users import: raftka, raftka.testing and raftka.simulation, each name with a docstring."""

from __future__ import annotations

import importlib
import inspect

import pytest

import raftka
from raftka.simulation import Stage, run_scenario, run_seed

PUBLIC = ("raftka", "raftka.simulation", "raftka.testing")


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert len(module.__all__) == len(set(module.__all__)) > 2
    for each in set(module.__all__) - {"__version__"}:
        found = getattr(module, each)
        assert inspect.getdoc(found), each
        assert found.__module__.startswith("raftka."), each


def test_the_package_says_what_is_public() -> None:
    assert raftka.__doc__ is not None
    for name in PUBLIC[1:]:
        assert name in raftka.__doc__


def test_a_scenario_runs_from_a_test() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.topic("orders")
        stage.produce("orders")
        stage.isolate(stage.leader_of("orders", 0))
        await stage.run(seconds=5)
        stage.heal()
        await stage.settle()

    outcome = run_scenario(scenario, seed=1)
    assert outcome.violation is None, outcome.violation.story
    assert run_seed(5, nodes=1, duration_s=2.0).violation is None
