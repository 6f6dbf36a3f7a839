"""The metrics for Prometheus: gauges are read during a scrape, counters are incremented where
events happen.

families.py     a metric as a value, and Prometheus' text format
names.py        the names: Kafka's MBeans as the two popular exporters spell them
traffic.py      records and bytes of the node's topics          (counters)
requests.py     requests by API: counts, errors, latencies       (counters)
partitions.py, cluster.py, quorum.py, groups.py, process.py      (gauges)
scrape.py       all metrics in one answer, in slices, between which requests are served
http.py         the listener: /metrics, /health/live, /health/ready
"""
