"""The active controller at run time: sessions of brokers, group commit, a log of elections."""
