"""The data plane of a broker: the rules of a replicated partition, its log, its followers."""
