"""`raftka server --processes N`: one machine's cores, each with a node of its own.

One interpreter serves from one core. So a machine runs several nodes under one supervisor, all
from one configuration: what each of them is set to is derived (plan.py), a node that dies is
started again (supervisor.py).
"""
