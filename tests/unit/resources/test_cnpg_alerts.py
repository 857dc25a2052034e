"""The operator's metrics in the same alerts: each fires when it must and not a moment before, by promtool."""

from pathlib import Path
from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.engines import plan
from tests.alerts import Series, assert_fires
from tests.support import ROOT, sample

GIB = 1024**3
STORE = {"destination": "s3://backups/db", "credentialsSecret": "keys"}
WHOLE = sample(monitoring={}, replication={"mode": "sync"}, pooler={}, backup={"objectStore": STORE})
PODS = ("db-1", "db-2", "db-3")


def server(metric: str, *values: str, labels: str = "") -> Series:
    """A metric of the three servers, the primary's first."""
    more = f", {labels}" if labels else ""
    pairs = zip(PODS, values, strict=True)
    return {f'{metric}{{namespace="db-ns", pod="{pod}"{more}}}': value for pod, value in pairs}


def sessions(user: str, *values: str) -> Series:
    return server("cnpg_backends_total", *values, labels=f'usename="{user}", state="idle"')


def backup(values: str) -> Series:
    return server("barman_cloud_cloudnative_pg_io_last_available_backup_timestamp", values, values, values)


def archiver(failed: str, archived: str) -> Series:
    first = PODS[0]
    return {
        f'cnpg_pg_stat_archiver_last_{what}_time{{namespace="db-ns", pod="{first}"}}': values
        for what, values in (("failed", failed), ("archived", archived))
    }


def waiting(values: str) -> Series:
    labels = 'namespace="db-ns", pod="db-pooler-rw-6f-x", database="app", user="app"'
    return {f"cnpg_pgbouncer_pools_maxwait{{{labels}}}": values}


def confirming(*values: str) -> Series:
    return server("cnpg_collector_sync_replicas", *values, labels='value="observed"')


def size(*values: str) -> Series:
    return server("cnpg_pg_database_size_bytes", *values, labels='datname="app"')


def log(*values: str) -> Series:
    return server("cnpg_collector_pg_wal", *values, labels='value="size"')


CLAIM = '{namespace="db-ns", persistentvolumeclaim="db-2"}'
FULL = f"{39 * GIB}x20"
WELL = (
    server("cnpg_collector_up", "1x20", "1x20", "1x20")
    | server("cnpg_pg_replication_in_recovery", "0x20", "1x20", "1x20")
    | server("cnpg_pg_replication_is_wal_receiver_up", "0x20", "1x20", "1x20")
    | confirming("1x20", "0x20", "0x20")
    | server("cnpg_pg_replication_streaming_replicas", "2x20", "0x20", "0x20")
    | server("cnpg_pg_replication_lag", "0x20", "60x20", "0x20")
    | server("cnpg_pg_settings_setting", "100x20", "100x20", "100x20", labels='name="max_connections"')
    | sessions("app", "90x20", "2x20", "0x20")
    | sessions("streaming_replica", "20x20", "0x20", "0x20")
    | size(FULL, FULL, FULL)
    | log(f"{GIB}x20", f"{GIB}x20", f"{GIB}x20")
    | backup("-93000x20")
    | archiver("-1x20", "0+30x20")
    | waiting("5x20")
)
"""Each number on the edge: one more, and an alert fires. The sample's volumes are of 50 GiB."""

CASES: dict[str, tuple[str, str, Series, str]] = {
    "lag": ("PostgresReplicationLag", "warning", server("cnpg_pg_replication_lag", "0x20", "61x20", "0x20"), "3m"),
    "lag, critical": (
        "PostgresReplicationLag",
        "critical",
        server("cnpg_pg_replication_lag", "0x20", "0x20", "301x20"),
        "3m",
    ),
    "storage": ("PostgresStorage", "warning", log(f"{GIB}x20", f"{2 * GIB}x20", f"{GIB}x20"), "8m"),
    "storage, critical": ("PostgresStorage", "critical", size(FULL, FULL, f"{47 * GIB}x20"), "8m"),
    "storage, as the kubelet sees it": (
        "PostgresStorage",
        "warning",
        {f"kubelet_volume_stats_used_bytes{CLAIM}": "81x20", f"kubelet_volume_stats_capacity_bytes{CLAIM}": "100x20"},
        "8m",
    ),
    "connections": ("PostgresConnections", "warning", sessions("app", "91x20", "0x20", "0x20"), "5m"),
    "a server that does not answer": (
        "PostgresInstanceDown",
        "critical",
        server("cnpg_collector_up", "1x20", "1x20", "0x20"),
        "3m",
    ),
    "a server that is gone": (
        "PostgresInstanceDown",
        "critical",
        server("cnpg_collector_up", "1x20", "1x20", "_x20"),
        "3m",
    ),
    "nobody answers": (
        "PostgresInstanceDown",
        "critical",
        server("cnpg_collector_up", "_x20", "_x20", "_x20"),
        "3m",
    ),
    "two primaries": (
        "PostgresTwoPrimaries",
        "critical",
        server("cnpg_pg_replication_in_recovery", "0x20", "1x20", "0x20"),
        "1m",
    ),
    "a standby is missing": (
        "PostgresReplicationStopped",
        "critical",
        server("cnpg_pg_replication_streaming_replicas", "1x20", "0x20", "0x20"),
        "5m",
    ),
    "a standby follows nobody": (
        "PostgresReplicationStopped",
        "critical",
        server("cnpg_pg_replication_is_wal_receiver_up", "0x20", "1x20", "0x20"),
        "5m",
    ),
    "an old backup": ("PostgresBackupMissing", "critical", backup("-94000x20"), "8m"),
    "never a backup": (
        "PostgresBackupMissing",
        "critical",
        # 0 is January 1970 to the plugin, and the beginning of the test to promtool.
        backup("-1790000000x20"),
        "8m",
    ),
    "the archive fails": ("PostgresArchivingFails", "critical", archiver("100+30x20", "40x20"), "8m"),
    "nobody confirms a write": ("PostgresWritesUnconfirmed", "critical", confirming("0x20", "0x20", "0x20"), "3m"),
    "clients wait at the pooler": ("PostgresPoolSaturated", "warning", waiting("6x20"), "3m"),
}


def rules(cluster: Cluster = WHOLE) -> dict[str, Any]:
    found: dict[str, Any] = next(obj for obj in plan(cluster).stack if obj["kind"] == "PrometheusRule")["spec"]
    return found


@pytest.mark.parametrize("at", ["30s", "5m", "9m"])
def test_nothing_fires_on_the_edge(tmp_path: Path, at: str) -> None:
    assert_fires(tmp_path, rules(), WELL, at, set())


@pytest.mark.parametrize("case", CASES)
def test_it_fires(tmp_path: Path, case: str) -> None:
    name, severity, series, at = CASES[case]
    expected = {(name, severity)}
    if severity == "critical" and name in {"PostgresReplicationLag", "PostgresStorage"}:
        expected.add((name, "warning"))
    assert_fires(tmp_path, rules(), WELL | series, at, expected)


def test_every_alert_has_a_case() -> None:
    alerts = {(rule["alert"], rule["labels"]["severity"]) for rule in rules()["groups"][0]["rules"]}
    assert alerts == {(name, severity) for name, severity, _, _ in CASES.values()}


def test_a_failover_between_two_scrapes_is_no_second_primary(tmp_path: Path) -> None:
    """The old primary's last answer is as old as the interval when the new one gives its first."""
    series = WELL | server("cnpg_pg_replication_in_recovery", "0 0 0 0 1x16", "1 1 1 0 0x16", "1x20")
    series |= server("cnpg_pg_replication_streaming_replicas", "2 2 2 2 0x16", "0 0 0 0 2x16", "0x20")
    series |= server("cnpg_pg_replication_is_wal_receiver_up", "0 0 0 0 1x16", "1 1 1 1 0x16", "1x20")
    for at in ("1m30s", "2m", "3m"):
        assert_fires(tmp_path, rules(), series, at, set())


def test_a_volume_for_the_log_fills_on_its_own(tmp_path: Path) -> None:
    apart = sample(monitoring={}, storage={"size": "50Gi", "walSize": "10Gi"})
    series = WELL | log(f"{9 * GIB}x20", f"{GIB}x20", f"{GIB}x20")
    assert_fires(tmp_path, rules(apart), series, "8m", {("PostgresStorage", "warning")})


def test_every_alert_names_a_runbook_that_is_there() -> None:
    for rule in rules()["groups"][0]["rules"]:
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["annotations"]["runbook"]


def test_poolers_are_monitored_too() -> None:
    monitors = {obj["metadata"]["name"]: obj["spec"] for obj in plan(WHOLE).stack if obj["kind"] == "PodMonitor"}
    assert monitors["db-pooler"]["selector"]["matchLabels"] == {
        "cnpg.io/cluster": "db",
        "cnpg.io/podRole": "pooler",
    }
    assert "db-pooler" not in {obj["metadata"]["name"] for obj in plan(sample(monitoring={})).stack}


def test_the_thresholds_are_the_files(tmp_path: Path) -> None:
    strict = sample(monitoring={"alerts": {"replicationLagWarningSeconds": 5}}, pooler={})
    assert_fires(tmp_path, rules(strict), WELL, "3m", {("PostgresReplicationLag", "warning")})
