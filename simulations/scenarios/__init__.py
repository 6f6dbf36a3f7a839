"""Classic stories, each a file to read, to run (`raftka simulate --scenario NAME`) and to learn
from. A module has one async function `scenario(stage)`, and its docstring is the story."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "lost_leader",
    "isolated_leader",
    "last_replica_standing",
    "zombie_controller",
    "divergent_logs",
    "split_vote",
    "full_disk",
    "one_disk_of_several",
    "move_between_disks",
    "silent_follower",
    "silent_leader",
    "slow_follower",
    "power_loss_of_all",
    "rolling_restart",
    "unclean_election",
    "acks_1_loss",
    "wiped_disk",
    "crash_while_cleaning",
    "zombie_producer",
    "coordinator_dies_in_commit",
    "hanging_transaction",
    "share_group",
    "streams_group",
)
