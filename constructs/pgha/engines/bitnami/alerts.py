"""By which of its metrics this engine answers what the alerts ask, and its dashboard."""

from pgha.config.model import Cluster
from pgha.config.quantity import quantity
from pgha.engines.bitnami import chart, pgpool
from pgha.resources.alerts import Signals, alerts
from pgha.resources.backup import claim
from pgha.resources.metadata import Object
from pgha.resources.monitoring import dashboard, prometheus_rule


def objects(cluster: Cluster) -> list[Object]:
    """PrometheusRule and, where wanted, the dashboard. The ServiceMonitor is the chart's."""
    found = [prometheus_rule(cluster, cluster.name, alerts(cluster, signals(cluster)))]
    if cluster.monitoring.dashboard:
        found.append(dashboard(cluster, f"{cluster.name}-dashboard", _panels(cluster)))
    return found


def signals(cluster: Cluster) -> Signals:
    """What the exporter, the kubelet and kube-state-metrics say."""
    of, size = _of(cluster), int(quantity(cluster.storage.size) or 1)
    claims = f'{{namespace="{cluster.namespace}", persistentvolumeclaim=~"data-{chart.server(cluster)}-[0-9]+"}}'
    # Of what Pgpool-II lets in, which is less than max_connections: that limit would never be reached.
    clients = min(pgpool.size(cluster).clients, pgpool.size(cluster).max_connections - pgpool.RESERVED)
    return Signals(
        lag=f"max by (namespace, pod) (pgha_server_lag_seconds{of})",
        # What PostgreSQL uses of the declared size, or the volume as the kubelet sees it: local-path reports nothing.
        storage=f"max by (namespace, pod) (pgha_server_used_bytes{of}) / {size} * 100 "
        f"or kubelet_volume_stats_used_bytes{claims} / kubelet_volume_stats_capacity_bytes{claims} * 100",
        connections=f"max by (namespace) (pgha_server_connections{of}) / {clients} * 100",
        up=f"pg_up{of} == 1",
        primaries=f"pgha_server_in_recovery{of} == 0",
        standbys=f"max by (namespace) (pgha_server_standbys{of})",
        detached=f"pgha_server_in_recovery{of} == 1 and pgha_server_receivers{of} == 0",
        backup=_last_backup(cluster),
    )


def _last_backup(cluster: Cluster) -> str | None:
    """When the job last succeeded, or was made if it never did."""
    if cluster.backup is None:
        return None
    job = f'{{namespace="{cluster.namespace}", cronjob="{claim(cluster)}"}}'
    succeeded = f"kube_cronjob_status_last_successful_time{job}"
    never = f"(kube_cronjob_created{job} unless on (namespace, cronjob) {succeeded})"
    return f"max by (namespace, cronjob) ({succeeded} or {never})"


def _panels(cluster: Cluster) -> list[tuple[str, str, str]]:
    of = _of(cluster)
    size = int(quantity(cluster.storage.size) or 1)
    return [
        ("Primaries (must be 1)", "none", f"count(pgha_server_in_recovery{of} == 0)"),
        ("Standbys that stream", "none", f"max(pgha_server_standbys{of})"),
        ("Replication lag", "s", f"pgha_server_lag_seconds{of}"),
        ("Client connections", "none", f"pgha_server_connections{of}"),
        ("Storage", "percent", f"pgha_server_used_bytes{of} / {size} * 100"),
        ("Transactions", "ops", f"sum by (pod) (rate(pg_stat_database_xact_commit{of}[5m]))"),
        (
            "Cache hit ratio",
            "percentunit",
            f"sum by (pod) (rate(pg_stat_database_blks_hit{of}[5m])) / (sum by (pod) "
            f"(rate(pg_stat_database_blks_hit{of}[5m])) + sum by (pod) (rate(pg_stat_database_blks_read{of}[5m])))",
        ),
        ("Database size", "bytes", f"sum by (datname) (pg_database_size_bytes{of}) / {cluster.instances}"),
    ]


def _of(cluster: Cluster) -> str:
    """The data nodes; the witness has no exporter."""
    return f'{{namespace="{cluster.namespace}", pod=~"{chart.server(cluster)}-[0-9]+"}}'
