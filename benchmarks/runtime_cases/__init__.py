"""What Kafka's own runtimes must do on raftka: one file for each, functions of a Stage."""
