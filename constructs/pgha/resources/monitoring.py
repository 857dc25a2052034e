"""Objects for the Prometheus operator."""

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
