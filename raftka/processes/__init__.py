"""`raftka server --processes N`: one machine's cores, each with a node of its own.

One interpreter uses one core. So a machine runs several nodes under one supervisor, all from one
configuration: plan.py derives the settings of each, supervisor.py restarts a node that dies.
"""
