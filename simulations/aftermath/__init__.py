"""After the faults: what has to come true again, and what brokers then tell their clients."""
