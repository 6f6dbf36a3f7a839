"""Writes the dashboards next to this file: one line per panel, so that they can be reviewed.

    python docker/grafana/make_dashboards.py

The JSON is checked in, as Grafana reads it; tests/raftka/test_dashboards.py keeps it current.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "dashboards"
_WIDTH, _HEIGHT = 8, 7

Panel = tuple[str, str, str, str]
"""(title, query, legend, unit); a query that gives one number is shown as a number."""

_TOPIC = 'topic=~"$topic",topic!=""'

DASHBOARDS: Final[dict[str, tuple[str, list[tuple[str, str]], list[Panel]]]] = {
    "cluster": (
        "raftka: cluster",
        [],
        [
            ("Brokers", "max(kafka_brokers)", "", "none"),
            ("Active controllers", "sum(kafka_controller_kafkacontroller_activecontrollercount)", "", "none"),
            ("Topics", "max(kafka_controller_kafkacontroller_globaltopiccount)", "", "none"),
            ("Partitions without a leader", "max(kafka_controller_kafkacontroller_offlinepartitionscount)", "", "none"),
            ("Under-replicated partitions", "sum(kafka_server_replicamanager_underreplicatedpartitions)", "", "none"),
            ("Below min.insync.replicas", "sum(kafka_server_replicamanager_underminisrpartitioncount)", "", "none"),
            ("Records in", "sum by (instance) (rate(kafka_server_brokertopicmetrics_messagesin_total{topic!=\"\"}[1m]))", "{{instance}}", "cps"),
            ("Bytes in", "sum by (instance) (rate(kafka_server_brokertopicmetrics_bytesin_total{topic!=\"\"}[1m]))", "{{instance}}", "Bps"),
            ("Bytes out", "sum by (instance) (rate(kafka_server_brokertopicmetrics_bytesout_total{topic!=\"\"}[1m]))", "{{instance}}", "Bps"),
            ("Partitions led", "sum by (instance) (kafka_server_replicamanager_leadercount)", "{{instance}}", "none"),
            ("Elections of leaders", "sum(increase(raftka_controller_leader_elections_total[5m]))", "in 5 minutes", "none"),
            ("Unclean elections", "sum(increase(kafka_controller_controllerstats_uncleanleaderelections_total[5m]))", "in 5 minutes", "none"),
            ("Quorum: epoch", "max by (instance) (kafka_server_raftmetrics_current_epoch)", "{{instance}}", "none"),
            ("Quorum: state", "max by (instance, current_state) (kafka_server_raftmetrics_current_state)", "{{instance}} {{current_state}}", "none"),
            ("Quorum: commit latency", "max by (instance) (kafka_server_raftmetrics_commit_latency_avg)", "{{instance}}", "ms"),
        ],
    ),
    "broker": (
        "raftka: brokers and topics",
        [("topic", "label_values(kafka_topic_partitions, topic)")],
        [
            ("Produce: 99 % of requests within", 'max by (instance) (kafka_network_requestmetrics_totaltimems{request="Produce",quantile="0.99"})', "{{instance}}", "ms"),
            ("Requests", "sum by (request) (rate(kafka_network_requestmetrics_requests_total[1m]))", "{{request}}", "reqps"),
            ("Errors", 'sum by (request, error) (rate(kafka_network_requestmetrics_errors_total{error!="NONE"}[1m]))', "{{request}} {{error}}", "reqps"),
            ("Records in by topic", f"sum by (topic) (rate(kafka_server_brokertopicmetrics_messagesin_total{{{_TOPIC}}}[1m]))", "{{topic}}", "cps"),
            ("Bytes in by topic", f"sum by (topic) (rate(kafka_server_brokertopicmetrics_bytesin_total{{{_TOPIC}}}[1m]))", "{{topic}}", "Bps"),
            ("Bytes out by topic", f"sum by (topic) (rate(kafka_server_brokertopicmetrics_bytesout_total{{{_TOPIC}}}[1m]))", "{{topic}}", "Bps"),
            ("Failed produce requests", f"sum by (topic) (rate(kafka_server_brokertopicmetrics_failedproducerequests_total{{{_TOPIC}}}[1m]))", "{{topic}}", "reqps"),
            ("Size of logs", 'sum by (topic) (kafka_log_log_size{topic=~"$topic"})', "{{topic}}", "bytes"),
            ("Partitions below their full ISR", 'sum by (topic) (kafka_cluster_partition_underreplicated{topic=~"$topic"})', "{{topic}}", "none"),
            ("Connections", "sum by (instance, listener) (kafka_server_socket_server_metrics_connection_count)", "{{instance}} {{listener}}", "none"),
            ("CPU", "sum by (instance) (rate(process_cpu_seconds_total[1m]))", "{{instance}}", "percentunit"),
            ("Memory", "sum by (instance) (process_resident_memory_bytes)", "{{instance}}", "bytes"),
            ("File descriptors", "sum by (instance) (process_open_fds)", "{{instance}}", "none"),
            ("ISRs that became smaller", "sum by (instance) (rate(kafka_server_replicamanager_isrshrinks_total[5m]))", "{{instance}}", "cps"),
            ("Disk writes", "sum by (instance) (rate(kafka_server_kafkaserver_linux_disk_write_bytes[1m]))", "{{instance}}", "Bps"),
        ],
    ),
    "groups": (
        "raftka: consumer groups",
        [
            ("consumergroup", "label_values(kafka_consumergroup_members, consumergroup)"),
            ("topic", "label_values(kafka_topic_partitions, topic)"),
        ],
        [
            ("Groups", "sum(kafka_coordinator_group_groupmetadatamanager_numgroups)", "", "none"),
            ("Rebalancing", "sum(kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance) + sum(kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance)", "", "none"),
            ("Committed offsets", "sum(kafka_coordinator_group_groupmetadatamanager_numoffsets)", "", "none"),
            ("Lag by group and topic", 'sum by (consumergroup, topic) (kafka_consumergroup_lag{consumergroup=~"$consumergroup",topic=~"$topic"})', "{{consumergroup}} {{topic}}", "none"),
            ("Members", 'sum by (consumergroup) (kafka_consumergroup_members{consumergroup=~"$consumergroup"})', "{{consumergroup}}", "none"),
            ("Records consumed", 'sum by (consumergroup, topic) (rate(kafka_consumergroup_current_offset{consumergroup=~"$consumergroup",topic=~"$topic"}[1m]))', "{{consumergroup}} {{topic}}", "cps"),
            ("Records produced", 'sum by (topic) (rate(kafka_topic_partition_current_offset{topic=~"$topic"}[1m]))', "{{topic}}", "cps"),
            ("Lag by partition", 'sum by (consumergroup, topic, partition) (kafka_consumergroup_lag{consumergroup=~"$consumergroup",topic=~"$topic"})', "{{consumergroup}} {{topic}}-{{partition}}", "none"),
            ("Offsets", 'sum by (topic, partition) (kafka_topic_partition_current_offset{topic=~"$topic"})', "{{topic}}-{{partition}}", "none"),
        ],
    ),
}  # fmt: skip


def dashboard(name: str) -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    title, variables, panels = DASHBOARDS[name]
    return {
        "uid": f"raftka-{name}",
        "title": title,
        "tags": ["raftka", "kafka"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-15m", "to": "now"},
        "templating": {"list": [_source(), *(_variable(*each) for each in variables)]},
        "panels": [_panel(number, *panel) for number, panel in enumerate(panels)],
    }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "type": "datasource",
        "query": "prometheus",
        "label": "Prometheus",
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": query,
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(number: int, title: str, query: str, legend: str, unit: str) -> dict[str, Any]:
    return {
        "id": number + 1,
        "title": title,
        "type": "timeseries" if legend else "stat",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {
            "x": number % 3 * _WIDTH,
            "y": number // 3 * _HEIGHT,
            "w": _WIDTH,
            "h": _HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "expr": query, "legendFormat": legend}],
    }


def text(name: str) -> str:
    """The file of a dashboard."""
    return json.dumps(dashboard(name), indent=1) + "\n"


if __name__ == "__main__":
    for each in DASHBOARDS:
        (FOLDER / f"{each}.json").write_text(text(each))
        print(FOLDER / f"{each}.json")
