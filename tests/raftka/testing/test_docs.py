"""The examples of docs/testing.md do what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raftka.testing import Cluster

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


def example(name: str, *changes: tuple[str, str]) -> Callable[..., None]:
    (block,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if f"def {name}" in block
    )
    for old, new in changes:
        assert old in block
        block = block.replace(old, new)
    names: dict[str, Any] = {}
    exec(block, names)
    found: Callable[..., None] = names[name]
    return found


@pytest.mark.wire
def test_a_record_arrives(raftka_broker: Cluster, raftka_topic: str) -> None:
    example("test_orders_arrive")(raftka_broker, raftka_topic)


@pytest.mark.wire
@pytest.mark.parametrize("acks", ["1", '"all"'])
def test_the_check_of_a_deploy_finds_the_lost_order(acks: str) -> None:
    check = example("test_every_acknowledged_order_is_there", ('"acks": 1', f'"acks": {acks}'))
    with Cluster(nodes=3) as cluster:
        if acks == "1":
            with pytest.raises(AssertionError):
                check(cluster)
        else:
            check(cluster)
