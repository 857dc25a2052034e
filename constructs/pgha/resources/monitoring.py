"""Objects for the Prometheus operator and for Grafana."""

import json
from dataclasses import dataclass
from typing import Literal

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, metadata


def pod_monitor(cluster: Cluster, name: str, *, pods: dict[str, str]) -> Object:
    """A PodMonitor on port `metrics` of these pods, with the labels by which Prometheus selects it."""
    meta = metadata(cluster, name)
    meta["labels"] |= cluster.monitoring.labels
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": meta,
        "spec": {
            "selector": {"matchLabels": pods},
            "podMetricsEndpoints": [{"port": "metrics", "interval": cluster.monitoring.interval}],
        },
    }


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert: what is wrong, since when, how bad, and what to do."""

    name: str
    expression: str
    since: str
    severity: Literal["warning", "critical"]
    summary: str
    runbook: str


def prometheus_rule(cluster: Cluster, name: str, alerts: list[Alert]) -> Object:
    """A PrometheusRule with the labels by which Prometheus selects it."""
    meta = metadata(cluster, name)
    meta["labels"] |= cluster.monitoring.labels
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.since,
            "labels": {"severity": alert.severity, "cluster": cluster.name},
            "annotations": {"summary": alert.summary, "runbook": alert.runbook},
        }
        for alert in alerts
    ]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": meta,
        "spec": {"groups": [{"name": name, "rules": rules}]},
    }


def dashboard(cluster: Cluster, name: str, panels: list[tuple[str, str, str]]) -> Object:
    """A ConfigMap that Grafana's sidecar loads: one panel per (title, unit, expression), two in a row.

    The sidecar must look into this namespace (`sidecar.dashboards.searchNamespace: ALL` in its chart).
    """
    content = {
        "uid": name,
        "title": f"PostgreSQL {cluster.name}",
        "tags": ["postgresql", "pgha"],
        "schemaVersion": 39,
        "refresh": cluster.monitoring.interval,
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": [
            {
                "id": number,
                "title": title,
                "type": "timeseries",
                "datasource": {"type": "prometheus", "uid": "${source}"},
                "gridPos": {"h": 8, "w": 12, "x": 12 * ((number - 1) % 2), "y": 8 * ((number - 1) // 2)},
                "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
                "targets": [{"refId": "A", "expr": expression, "legendFormat": "{{pod}}"}],
            }
            for number, (title, unit, expression) in enumerate(panels, start=1)
        ],
    }
    meta = metadata(cluster, name)
    meta["labels"]["grafana_dashboard"] = "1"
    text = json.dumps(content, indent=2) + "\n"
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {f"{name}.json": text}}
