"""A run as data: what is run (a scenario, a plan, a lesson), from which seed, under which settings,
without which rules, and a script of a person's actions and their times. docs/session.md describes
both the value and the lines of JSON by which a page or a program works with one.

Time goes back by running again: a session and its script determine every event, so what is kept
of a session is the script. An act leaves everything before it as it was, because the clock performs
it when all that the run itself does at that moment is done (machines/virtual_clock.py).

- `session.py`: the value, and what is checked before anything runs
- `verbs.py`: what a script can do
- `rules.py`: the rules that can be switched off
- `show.py`: a session while it runs
- `state.py`: what each node itself knows
- `engine.py`: requests in, answers out, without I/O
- `command.py`, `run_command.py`: `raftka session`, `raftka simulate --session`
"""
