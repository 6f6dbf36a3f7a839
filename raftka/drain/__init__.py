"""`raftka drain BROKER` and `raftka replace OLD NEW`: every replica leaves a broker.

The cluster alone keeps the state, as reassignments: after a crash of the command, of the controller
or of any broker, running the command again continues it. `plan`, which is pure, assigns each
replica to a broker; `moving` begins the moves, limits their rate and reads their progress;
`command` is the command line.
"""
