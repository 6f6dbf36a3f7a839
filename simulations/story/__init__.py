"""Stories: a failing run runs once more, under observation, to explain its failure.

A seed's run is the same every time, so nothing is kept for a story while runs succeed. When one
fails, its plan runs again with everything recorded (chronicle.py), which becomes the story that
suits its violation: of a record or partition (partition.py, copies.py), of the quorum (quorum.py),
of a group (group.py), of a condition that does not come true (stuck.py), of a crash (crash.py).
"""
