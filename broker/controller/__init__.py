"""The active controller at run time: sessions of brokers, group commit, the log of elections."""
