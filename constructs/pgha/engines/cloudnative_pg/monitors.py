"""What Prometheus asks, which of the operator's metrics answer the alerts, and the dashboard.

Names are from `config/manager/default-monitoring.yaml` and `pkg/management` at v1.30 and from a scrape; a test in the
lab holds every one of them against what the pods export.
"""

from pgha.config.model import Cluster
from pgha.config.quantity import quantity
from pgha.engines.cloudnative_pg import pooler
from pgha.resources.alerts import RUNBOOKS, Signals, alerts
from pgha.resources.metadata import Object
from pgha.resources.monitoring import Alert, dashboard, pod_monitor, prometheus_rule

_OWN = "streaming_replica|cnpg_metrics_exporter"
"""Roles of the operator's own sessions."""

_PATIENCE_SECONDS = 5
"""How long a client may wait for a server connection, for a minute on end: a failover is over sooner."""


def objects(cluster: Cluster, pods: dict[str, str]) -> list[Object]:
    """Monitors of servers and poolers, rules and, where wanted, the dashboard."""
    if not cluster.monitoring.enabled:
        return []
    found = [pod_monitor(cluster, cluster.name, pods=pods)]
    if cluster.pooler:
        found.append(pod_monitor(cluster, f"{cluster.name}-pooler", pods=dict(pooler.pods(cluster))))
    rules = [*alerts(cluster, signals(cluster)), *_confirming(cluster), *_archive(cluster), *_queue(cluster)]
    found.append(prometheus_rule(cluster, cluster.name, rules))
    if cluster.monitoring.dashboard:
        found.append(dashboard(cluster, f"{cluster.name}-dashboard", panels(cluster)))
    return found


def signals(cluster: Cluster) -> Signals:
    """What the instances and the kubelet say."""
    of = _servers(cluster)
    limit, clients = _servers(cluster, 'name="max_connections"'), _servers(cluster, f'usename!~"{_OWN}"')
    most = f"max by (namespace, pod) (cnpg_pg_settings_setting{limit})"
    taken = f"sum by (namespace, pod) (cnpg_backends_total{clients})"
    return Signals(
        lag=f"max by (namespace, pod) (cnpg_pg_replication_lag{of})",
        storage=_storage(cluster, of),
        connections=f"max by (namespace) ({taken} / {most} * 100)",
        up=f"cnpg_collector_up{of} == 1",
        primaries=f"cnpg_pg_replication_in_recovery{of} == 0",
        standbys=f"max by (namespace) (cnpg_pg_replication_streaming_replicas{of})",
        detached=f"cnpg_pg_replication_in_recovery{of} == 1 and cnpg_pg_replication_is_wal_receiver_up{of} == 0",
        # The Barman Cloud plugin's, on every instance; 0 where there never was one.
        backup=f"max by (namespace) (barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{of})",
    )


def panels(cluster: Cluster) -> list[tuple[str, str, str]]:
    """Title, unit and expression: the seed's key metrics, as far as the operator exports them."""
    of, per = _servers(cluster), signals(cluster)
    hit, read = (f"sum by (pod) (rate(cnpg_pg_stat_database_blks_{kind}{of}[5m]))" for kind in ("hit", "read"))
    ready = _servers(cluster, 'value="ready"')
    found = [
        ("Primaries (must be 1)", "none", f"count({per.primaries})"),
        ("Standbys that stream", "none", per.standbys),
        ("Replication lag", "s", per.lag),
        ("Client connections", "percent", per.connections),
        ("Storage", "percent", per.storage),
        ("Transactions", "ops", f"sum by (pod) (rate(cnpg_pg_stat_database_xact_commit{of}[5m]))"),
        ("Cache hit ratio", "percentunit", f"{hit} / ({hit} + {read})"),
        ("Read from disk", "Bps", f"{read} * 8192"),
        ("Write-ahead log", "Bps", f"sum by (pod) (rate(cnpg_collector_wal_bytes{of}[5m]))"),
        ("Longest transaction", "s", f"max by (pod) (cnpg_backends_max_tx_duration_seconds{of})"),
        ("Waiting for locks", "none", f"max by (pod) (cnpg_backends_waiting_total{of})"),
        ("Database size", "bytes", f"max by (datname) (cnpg_pg_database_size_bytes{of})"),
        ("Segments not archived yet", "none", f"cnpg_collector_pg_wal_archive_status{ready}"),
    ]
    if cluster.pooler:
        via = _poolers(cluster)
        found += [
            ("Pooler: clients", "none", f"sum by (pod) (cnpg_pgbouncer_pools_cl_active{via})"),
            ("Pooler: clients that wait", "none", f"sum by (pod) (cnpg_pgbouncer_pools_cl_waiting{via})"),
            ("Pooler: server connections", "none", f"sum by (pod) (cnpg_pgbouncer_pools_sv_active{via})"),
            ("Pooler: time of a query", "µs", f"max by (pod, database) (cnpg_pgbouncer_stats_avg_query_time{via})"),
        ]
    return found


def _storage(cluster: Cluster, of: str) -> str:
    """What PostgreSQL uses of the declared size, or the volumes as the kubelet sees them: local-path tells nothing."""
    size = int(quantity(cluster.storage.size) or 1)
    data = f"sum by (namespace, pod) (cnpg_pg_database_size_bytes{of})"
    bytes_of_log = _servers(cluster, 'value="size"')
    log = f"max by (namespace, pod) (cnpg_collector_pg_wal{bytes_of_log})"
    if cluster.storage.wal_size:
        volumes = (("data", data, size), ("wal", log, int(quantity(cluster.storage.wal_size) or 1)))
        used = " or ".join(
            f'label_replace({bytes_} / {room} * 100, "volume", "{volume}", "", "")' for volume, bytes_, room in volumes
        )
    else:
        used = f"({data} + {log}) / {size} * 100"
    claims = f'{{namespace="{cluster.namespace}", persistentvolumeclaim=~"{cluster.name}-[0-9]+(-wal)?"}}'
    return f"{used} or kubelet_volume_stats_used_bytes{claims} / kubelet_volume_stats_capacity_bytes{claims} * 100"


def _confirming(cluster: Cluster) -> list[Alert]:
    """The only sign of a configuration that was never read (docs/adr/0013): nothing else in the Cluster tells."""
    if cluster.replication.mode != "sync":
        return []
    observed, wanted = _servers(cluster, 'value="observed"'), cluster.replication.synchronous_standbys
    return [
        Alert(
            name="PostgresWritesUnconfirmed",
            expression=f"max by (namespace) (cnpg_collector_sync_replicas{observed}) < {wanted}",
            since="1m",
            severity="critical",
            summary=f"{{{{ $value }}}} standbys confirm writes, the cluster file asks for {wanted}",
            runbook=f"{RUNBOOKS}/replication.md",
        )
    ]


def _archive(cluster: Cluster) -> list[Alert]:
    """A base backup alone restores nothing newer than itself, and what is not archived stays on the volume."""
    if cluster.backup is None:
        return []
    failed, archived = (
        f"max by (namespace, pod) (cnpg_pg_stat_archiver_last_{what}_time{_servers(cluster)})"
        for what in ("failed", "archived")
    )
    return [
        Alert(
            name="PostgresArchivingFails",
            expression=f"{failed} > {archived}",
            since="5m",
            severity="critical",
            summary="{{ $labels.pod }} cannot archive its write-ahead log, which grows until its volume is full",
            runbook=f"{RUNBOOKS}/backup.md",
        )
    ]


def _queue(cluster: Cluster) -> list[Alert]:
    if cluster.pooler is None:
        return []
    waited = f"max by (namespace, pod, database, user) (cnpg_pgbouncer_pools_maxwait{_poolers(cluster)})"
    return [
        Alert(
            name="PostgresPoolSaturated",
            expression=f"{waited} > {_PATIENCE_SECONDS}",
            since="1m",
            severity="warning",
            summary="clients of {{ $labels.database }} wait {{ $value | humanizeDuration }} for a server connection",
            runbook=f"{RUNBOOKS}/connections.md",
        )
    ]


def _servers(cluster: Cluster, *more: str) -> str:
    return "{" + ", ".join([f'namespace="{cluster.namespace}"', f'pod=~"{cluster.name}-[0-9]+"', *more]) + "}"


def _poolers(cluster: Cluster) -> str:
    return f'{{namespace="{cluster.namespace}", pod=~"{cluster.name}-pooler-.+"}}'
