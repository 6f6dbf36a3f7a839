"""The end of a run: operations keep their guarantees, and the audit finds violations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio

from raftka.client.group_offsets import OffsetAndMetadata
from raftka.model.ids import TopicPartition
from raftka.simulations.aftermath import audit
from raftka.simulations.aftermath.config_effects import Effect
from raftka.simulations.checkers.ledger import Register
from raftka.simulations.load.administration import REBORN_GROUP
from raftka.simulations.load.operations import OPERATIONS
from raftka.simulations.runs.run import Outcome
from raftka.simulations.scenarios.stage import Stage, run_scenario
from raftka.simulations.violation import Exit

TARGET = TopicPartition("t", 0)


def settle(prepare: Callable[[Stage], Awaitable[None]]) -> Outcome:
    """A cluster with a topic that is written to, prepared, healed and audited."""

    async def scenario(stage: Stage) -> None:
        await stage.topic("t")
        stage.produce("t")
        await stage.run(seconds=1)
        await prepare(stage)
        await stage.settle()

    return run_scenario(scenario)


def name_of(outcome: Outcome) -> str:
    assert outcome.violation is not None
    assert outcome.exit is Exit.SAFETY
    return outcome.violation.name


@pytest.mark.parametrize(
    ("kind", "reached"),
    [
        ("delete-records", "records deleted by an administrator"),
        ("recreate-topic", "topic created again under its name"),
        ("look-up", None),
    ],
)
def test_an_operation_leaves_what_it_promises(kind: str, reached: str | None) -> None:
    async def prepare(stage: Stage) -> None:
        await OPERATIONS[kind](stage.world, Random(3), 1)
        if kind == "look-up":
            assert stage.world.witnesses.lookups.looks.checks

    outcome = settle(prepare)
    assert outcome.exit is Exit.HELD, outcome.violation
    assert reached is None or outcome.reached[reached] == 1


def test_a_topic_that_administrators_know_otherwise() -> None:
    async def prepare(stage: Stage) -> None:
        stage.world.ledger.registers["topic", "t"] = Register({7})

    assert name_of(settle(prepare)) == "metadata-differs"


def test_a_setting_that_administrators_know_otherwise() -> None:
    async def prepare(stage: Stage) -> None:
        stage.world.ledger.registers["setting", "t", "segment.ms"] = Register({"7"})

    assert name_of(settle(prepare)) == "settings-differ"


def test_a_log_of_a_partition_that_is_elsewhere() -> None:
    async def prepare(stage: Stage) -> None:
        stage.world.logs.watch("n1", f"/data/nobodys-0/{0:020}.log")

    assert name_of(settle(prepare)) == "logs-of-nobody"


def test_a_record_of_a_former_life() -> None:
    async def prepare(stage: Stage) -> None:
        stage.world.ledger.former["t"] = {"producer0"}

    assert name_of(settle(prepare)) == "record-of-a-deleted-topic"


def test_an_offset_of_a_former_life() -> None:
    async def prepare(stage: Stage) -> None:
        async with stage.admin() as admin:
            offset = {TARGET: OffsetAndMetadata(1, "life0")}
            await admin.alter_group_offsets(REBORN_GROUP, offset)
        stage.world.ledger.former["t"] = {"life0"}

    assert name_of(settle(prepare)) == "offset-of-a-deleted-topic"


def test_deleted_records_that_come_back() -> None:
    async def prepare(stage: Stage) -> None:
        stage.world.ledger.begins_at[TARGET] = (1, 0.0)

    assert name_of(settle(prepare)) == "deleted-records-came-back"


def test_settings_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Effect) -> None:
        await trio.lowlevel.checkpoint()

    async def prepare(stage: Stage) -> None:
        await audit.check_effects(stage.world)

    monkeypatch.setattr("raftka.simulations.aftermath.audit._EFFECTS", 1.0)
    assert settle(prepare).exit is Exit.HELD
    monkeypatch.setattr(Effect, "take_back", nothing)
    assert name_of(settle(prepare)) == "settings-without-effect"
    monkeypatch.setattr(Effect, "set", nothing)
    assert name_of(settle(prepare)) == "settings-without-effect"


def test_settings_of_brokers_whose_clocks_are_hours_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 20000083: a record of the present was one of the future for the leader."""

    async def prepare(stage: Stage) -> None:
        for machine in stage.world.cluster.machines.values():
            machine.jump(-7_200_000)
        await audit.check_effects(stage.world)

    monkeypatch.setattr("raftka.simulations.aftermath.audit._EFFECTS", 1.0)
    assert settle(prepare).exit is Exit.HELD


def test_records_that_cannot_be_deleted() -> None:
    async def prepare(stage: Stage) -> None:
        stage.world.witnesses.retention.asked_to_delete(TARGET, 1)
        stage.world.witnesses.retention.given_up[TARGET] = 1_000_000

    outcome = settle(prepare)
    assert outcome.exit is Exit.LIVENESS
    assert outcome.violation is not None
    assert outcome.violation.name == "records-not-deleted"


def test_a_group_that_reads_nothing_any_more() -> None:
    async def prepare(stage: Stage) -> None:
        task = stage.consume("t", group="g")
        await stage.run(seconds=5)
        stage.world.history._consumed[task.plan.group or "", ("t", 0)] = 0
        task.end()
        task.world.history.consumed = lambda group, key, position: None  # type: ignore[method-assign]

    outcome = settle(prepare)
    assert outcome.violation is not None
    assert outcome.violation.name == "readers-recover"
