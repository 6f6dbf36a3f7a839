"""After the faults: what must recover, and what brokers then report to their clients."""
