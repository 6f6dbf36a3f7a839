"""What a broker does with records: the rules of a replicated partition, its log, its followers."""
