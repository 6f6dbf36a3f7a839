"""`raftka drain BROKER` and `raftka replace OLD NEW`: every replica leaves a broker.

What is under way is in the cluster alone, as reassignments: whoever runs the command again, after a
crash of the command, of the controller or of any broker, goes on where it stands. `plan` decides,
purely, which broker takes which replica; `moving` begins the moves, limits their rate and looks how
far they are; `command` is the command line.
"""
