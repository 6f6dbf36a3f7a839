"""`raftka drain BROKER` and `raftka replace OLD NEW`: every replica leaves a broker.

The cluster alone keeps the state, as reassignments: after a crash of the command, of the controller
or of any broker, running the command again continues it. `plan` decides, purely, which broker takes
which replica; `moving` begins the moves, limits their rate and looks how far they are; `command` is
the command line.
"""
