"""`raftka top`: a cluster in the terminal, as it is now.

sample.py    one look at the cluster through the admin client
view.py      what two looks say together: rates, lag, elections. Pure
screen.py    the tables
command.py   the command
"""
