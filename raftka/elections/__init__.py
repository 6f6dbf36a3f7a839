"""`raftka elections`: the elections of leaders: when, why, and how long there was no leader."""
