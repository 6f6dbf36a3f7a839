"""Stories: a failing run is run once more, under observation, to explain how it came to fail.

A seed's run is the same every time. So nothing is kept for a story while runs go well: when one
fails, its plan is run again with everything recorded (chronicle.py), and from that the story that
suits its violation is made: of a record or partition (partition.py, copies.py), of the quorum
(quorum.py), of a group (group.py), of what is stuck (stuck.py), of a crash (crash.py).
"""
