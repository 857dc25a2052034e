"""When somebody must be told: the seed's six alerts at the file's thresholds, and what this engine needs beside."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Literal

from cronsim import CronSim

from pgha.config.model import Backup, Cluster
from pgha.config.quantity import quantity
from pgha.engines.bitnami import chart, pgpool
from pgha.resources.backup import claim
from pgha.resources.metadata import Object
from pgha.resources.monitoring import Alert, dashboard, prometheus_rule

_RUNBOOKS = "docs/runbooks"
_LATE = timedelta(hours=2)
"""How much longer than its schedule a backup may take to come."""


_Limits = tuple[tuple[Literal["warning", "critical"], int], ...]


def objects(cluster: Cluster) -> list[Object]:
    """PrometheusRule and, where wanted, the dashboard. The ServiceMonitor is the chart's."""
    found = [prometheus_rule(cluster, cluster.name, alerts(cluster))]
    if cluster.monitoring.dashboard:
        found.append(dashboard(cluster, f"{cluster.name}-dashboard", _panels(cluster)))
    return found


def alerts(cluster: Cluster) -> list[Alert]:
    """All of them, the seed's first."""
    return [*_lag(cluster), *_storage(cluster), *_clients(cluster), *_roles(cluster), *_backup(cluster)]


def _lag(cluster: Cluster) -> list[Alert]:
    limits = cluster.monitoring.alerts
    thresholds: _Limits = (
        ("warning", limits.replication_lag_warning_seconds),
        ("critical", limits.replication_lag_critical_seconds),
    )
    lag = f"max by (namespace, pod) (pgha_server_lag_seconds{_of(cluster)})"
    summary = "{{ $labels.pod }} is {{ $value | humanizeDuration }} behind the primary"
    return [
        Alert(
            name="PostgresReplicationLag",
            expression=f"{lag} > {limit}",
            since="1m",
            severity=severity,
            summary=summary,
            runbook=f"{_RUNBOOKS}/replication.md",
        )
        for severity, limit in thresholds
    ]


def _storage(cluster: Cluster) -> list[Alert]:
    """What PostgreSQL uses of the declared size, or the volume as the kubelet sees it: local-path reports nothing."""
    limits = cluster.monitoring.alerts
    thresholds: _Limits = (
        ("warning", limits.storage_warning_percent),
        ("critical", limits.storage_critical_percent),
    )
    size = int(quantity(cluster.storage.size) or 1)
    volumes = f'{{namespace="{cluster.namespace}", persistentvolumeclaim=~"data-{chart.server(cluster)}-[0-9]+"}}'
    used = (
        f"max by (namespace, pod) (pgha_server_used_bytes{_of(cluster)}) / {size} * 100 > LIMIT or "
        f"kubelet_volume_stats_used_bytes{volumes} / kubelet_volume_stats_capacity_bytes{volumes} * 100 > LIMIT"
    )
    return [
        Alert(
            name="PostgresStorage",
            expression=used.replace("LIMIT", str(limit)),
            since="5m",
            severity=severity,
            summary="{{ $labels.pod }}{{ $labels.persistentvolumeclaim }} uses {{ $value | humanize }} % of its volume",
            runbook=f"{_RUNBOOKS}/storage.md",
        )
        for severity, limit in thresholds
    ]


def _clients(cluster: Cluster) -> list[Alert]:
    """Of what Pgpool-II lets in, which is less than max_connections: that limit would never be reached."""
    limit = min(pgpool.size(cluster).clients, pgpool.size(cluster).max_connections - pgpool.RESERVED)
    used = f"max by (namespace) (pgha_server_connections{_of(cluster)}) / {limit} * 100"
    up = f"count by (namespace) (pg_up{_of(cluster)} == 1)"
    return [
        Alert(
            name="PostgresConnections",
            expression=f"{used} > {cluster.monitoring.alerts.connections_warning_percent}",
            since="2m",
            severity="warning",
            summary=f"{{{{ $value | humanize }}}} % of {limit} connections are taken",
            runbook=f"{_RUNBOOKS}/connections.md",
        ),
        Alert(
            name="PostgresInstanceDown",
            expression=f"{up} < {cluster.instances} or absent(pg_up{_of(cluster)} == 1)",
            since="1m",
            severity="critical",
            summary=f"fewer than {cluster.instances} servers of {cluster.name} answer",
            runbook=f"{_RUNBOOKS}/failover.md",
        ),
    ]


def _roles(cluster: Cluster) -> list[Alert]:
    stopped = (
        f"max by (namespace) (pgha_server_standbys{_of(cluster)}) < {cluster.standbys} or "
        f"max by (namespace) (pgha_server_in_recovery{_of(cluster)} == 1 and pgha_server_receivers{_of(cluster)} == 0)"
    )
    return [
        Alert(
            name="PostgresTwoPrimaries",
            expression=f"count by (namespace) (pgha_server_in_recovery{_of(cluster)} == 0) > 1",
            # One more look: the last answer of a primary that just went is as old as the interval.
            since=cluster.monitoring.interval,
            severity="critical",
            summary=f"{{{{ $value }}}} servers of {cluster.name} take writes: acknowledged ones are being lost",
            runbook=f"{_RUNBOOKS}/split-brain.md",
        ),
        Alert(
            name="PostgresReplicationStopped",
            expression=stopped,
            since="2m",
            severity="critical",
            summary=f"a standby of {cluster.name} does not follow: there is nothing to fail over to",
            runbook=f"{_RUNBOOKS}/replication.md",
        ),
    ]


def _backup(cluster: Cluster) -> list[Alert]:
    if cluster.backup is None:
        return []
    of_job = f'{{namespace="{cluster.namespace}", cronjob="{claim(cluster)}"}}'
    succeeded = f"kube_cronjob_status_last_successful_time{of_job}"
    oldest = int(longest(cluster.backup).total_seconds())
    never = f"(kube_cronjob_created{of_job} unless on (namespace, cronjob) {succeeded})"
    return [
        Alert(
            name="PostgresBackupMissing",
            expression=f"time() - max by (namespace, cronjob) ({succeeded} or {never}) > {oldest}",
            since="5m",
            severity="critical",
            summary="the last good dump is {{ $value | humanizeDuration }} old",
            runbook=f"{_RUNBOOKS}/backup.md",
        )
    ]


def longest(backup: Backup) -> timedelta:
    """How old the newest dump may become by the schedule, and a margin."""
    runs = list(islice(CronSim(backup.schedule, datetime(2026, 1, 1, tzinfo=UTC)), 15))
    return max((later - earlier for earlier, later in pairwise(runs)), default=timedelta(days=1)) + _LATE


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
