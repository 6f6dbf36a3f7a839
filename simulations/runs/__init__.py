"""From one run to many: batches, hunts, shrinking, reports."""
