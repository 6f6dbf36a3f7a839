"""`raftka top`: a cluster in the terminal, as it is now.

sample.py    one sample of the cluster, through the admin client
view.py      compares two samples: rates, lag, elections. Pure
screen.py    the tables
command.py   the command
"""
