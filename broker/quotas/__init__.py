"""Quotas: limits on clients' use of a node, and how long a client above its limit is throttled.

rates.py measures as Kafka's metrics do; limits.py finds the quota that holds for a client;
client_rates.py puts the two together for one kind of quota, mutations.py for changes of the
metadata, connections.py for new connections. All of these are pure: the caller passes the time.
service.py follows the metadata, and the dispatcher uses meter.py.

Without any quota for clients none of this runs: the dispatcher only checks a flag.
"""
