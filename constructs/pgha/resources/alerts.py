"""When somebody must be told, whatever the engine: the seed's six alerts at the file's thresholds, and what they lack.

An engine says by which expressions its own metrics answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Literal

from cronsim import CronSim

from pgha.config.model import Backup, Cluster
from pgha.resources.monitoring import Alert

RUNBOOKS = "docs/runbooks"
_LATE = timedelta(hours=2)
"""How much longer than its schedule a backup may take to come."""


@dataclass(frozen=True, kw_only=True)
class Signals:
    """PromQL expressions; all of them carry the label `namespace`, those per server `pod` as well."""

    lag: str
    """Seconds that each server is behind the primary."""
    storage: str
    """Percent of each volume, or of the size that the file declares, that is in use; `pod` or a volume's claim."""
    connections: str
    """Percent of the connections that clients may have."""
    up: str
    """Servers that answer: a series for each."""
    primaries: str
    """Servers that take writes: a series for each."""
    standbys: str
    """Standbys that follow the primary: a number per namespace."""
    detached: str
    """Standbys that follow nobody: a series, if there is one."""
    backup: str | None
    """When the last good backup was made, in seconds since 1970; None without backups."""


def alerts(cluster: Cluster, signals: Signals) -> list[Alert]:
    """All of them, the seed's first."""
    return [
        *_lag(cluster, signals),
        *_storage(cluster, signals),
        *_clients(cluster, signals),
        *_roles(cluster, signals),
        *_backup(cluster, signals),
    ]


def longest(backup: Backup) -> timedelta:
    """How old the newest backup may become by the schedule, and a margin."""
    # Five fields of a schedule that may have leading seconds.
    fields = backup.schedule.split()[-5:]
    runs = list(islice(CronSim(" ".join(fields), datetime(2026, 1, 1, tzinfo=UTC)), 15))
    return max((later - earlier for earlier, later in pairwise(runs)), default=timedelta(days=1)) + _LATE


def _lag(cluster: Cluster, signals: Signals) -> Iterator[Alert]:
    limits = cluster.monitoring.alerts
    thresholds = (limits.replication_lag_warning_seconds, limits.replication_lag_critical_seconds)
    for severity, limit in _graded(thresholds):
        yield Alert(
            name="PostgresReplicationLag",
            expression=f"{signals.lag} > {limit}",
            since="1m",
            severity=severity,
            summary="{{ $labels.pod }} is {{ $value | humanizeDuration }} behind the primary",
            runbook=f"{RUNBOOKS}/replication.md",
        )


def _storage(cluster: Cluster, signals: Signals) -> Iterator[Alert]:
    limits = cluster.monitoring.alerts
    for severity, limit in _graded((limits.storage_warning_percent, limits.storage_critical_percent)):
        yield Alert(
            name="PostgresStorage",
            expression=f"({signals.storage}) > {limit}",
            since="5m",
            severity=severity,
            summary="{{ $labels.pod }}{{ $labels.persistentvolumeclaim }} uses {{ $value | humanize }} % of its volume",
            runbook=f"{RUNBOOKS}/storage.md",
        )


def _clients(cluster: Cluster, signals: Signals) -> Iterator[Alert]:
    yield Alert(
        name="PostgresConnections",
        expression=f"{signals.connections} > {cluster.monitoring.alerts.connections_warning_percent}",
        since="2m",
        severity="warning",
        summary="{{ $value | humanize }} % of the connections are taken",
        runbook=f"{RUNBOOKS}/connections.md",
    )
    yield Alert(
        name="PostgresInstanceDown",
        expression=f"count by (namespace) ({signals.up}) < {cluster.instances} or absent({signals.up})",
        since="1m",
        severity="critical",
        summary=f"fewer than {cluster.instances} servers of {cluster.name} answer",
        runbook=f"{RUNBOOKS}/failover.md",
    )


def _roles(cluster: Cluster, signals: Signals) -> Iterator[Alert]:
    yield Alert(
        name="PostgresTwoPrimaries",
        expression=f"count by (namespace) ({signals.primaries}) > 1",
        # One more look: the last answer of a primary that just went is as old as the interval.
        since=cluster.monitoring.interval,
        severity="critical",
        summary=f"{{{{ $value }}}} servers of {cluster.name} take writes: acknowledged ones are being lost",
        runbook=f"{RUNBOOKS}/split-brain.md",
    )
    yield Alert(
        name="PostgresReplicationStopped",
        expression=f"{signals.standbys} < {cluster.standbys} or max by (namespace) ({signals.detached})",
        since="2m",
        severity="critical",
        summary=f"a standby of {cluster.name} does not follow: there may be nothing to fail over to",
        runbook=f"{RUNBOOKS}/replication.md",
    )


def _backup(cluster: Cluster, signals: Signals) -> Iterator[Alert]:
    if cluster.backup is None or signals.backup is None:
        return
    yield Alert(
        name="PostgresBackupMissing",
        expression=f"time() - {signals.backup} > {int(longest(cluster.backup).total_seconds())}",
        since="5m",
        severity="critical",
        summary="the last good backup is {{ $value | humanizeDuration }} old",
        runbook=f"{RUNBOOKS}/backup.md",
    )


def _graded(limits: tuple[int, int]) -> Iterator[tuple[Literal["warning", "critical"], int]]:
    warning, critical = limits
    yield "warning", warning
    yield "critical", critical
