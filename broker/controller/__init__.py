"""The active controller at run time: sessions of brokers, group commit, elections told in words."""
