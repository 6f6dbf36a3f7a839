"""A run as data: a scenario, a plan or a lesson, the seed, the settings, the rules that are off,
and a script of a person's actions and their times. docs/session.md describes both the value and the
lines of JSON by which a page or a program controls one.

To go back in time the session runs again: a session and its script determine every event, so only
the script is kept. An act changes nothing before it, because the clock performs it after all of the
run's own events of that time (machines/virtual_clock.py).

- `session.py`: the value, and the checks before anything runs
- `verbs.py`: the actions of a script
- `rules.py`: the rules that can be switched off
- `show.py`: a session while it runs
- `state.py`: the state of each node as it knows it
- `engine.py`: requests in, answers out, without I/O
- `command.py`, `run_command.py`: `raftka session`, `raftka simulate --session`
"""
