"""`raftka doctor`: finds problems in a configuration or a cluster, and their remedies.

finding.py         a problem and its remedy
configuration.py   the rules for one node's settings, and what they meet on this machine
facts.py           what a cluster says of itself, gathered through the admin client
cluster.py         the rules for it, pure
command.py         the command
"""
