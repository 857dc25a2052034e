"""Every alert fires when it must and not a moment before: promtool's own unit tests, on the rules of the sample."""

import re
from pathlib import Path
from typing import Any

import pytest

from pgha.engines import plan
from tests.access import apply
from tests.alerts import Series, assert_fires
from tests.postgres import primary
from tests.support import ROOT, anywhere, postgres_ha

NAMESPACE = 'namespace="postgresql"'
POD = f'{NAMESPACE}, pod="postgres-ha-postgresql-'
CRON = f'{{{NAMESPACE}, cronjob="postgres-ha-backup"}}'
CLAIM = f'{{{NAMESPACE}, persistentvolumeclaim="data-postgres-ha-postgresql-1"}}'
GIB = 1024**3


def server(metric: str, first: str, second: str) -> Series:
    """A metric of both servers, in promtool's notation."""
    return {f'{metric}{{{POD}0"}}': first, f'{metric}{{{POD}1"}}': second}


WELL = (
    server("pg_up", "1x20", "1x20")
    | server("pgha_server_in_recovery", "0x20", "1x20")
    | server("pgha_server_receivers", "0x20", "1x20")
    | server("pgha_server_standbys", "1x20", "0x20")
    | server("pgha_server_lag_seconds", "0x20", "60x20")
    | server("pgha_server_connections", "228x20", "2x20")
    | server("pgha_server_used_bytes", f"{40 * GIB}x20", f"{40 * GIB}x20")
    | {f"kube_cronjob_created{CRON}": "-100000x20", f"kube_cronjob_status_last_successful_time{CRON}": "-90000x20"}
)
"""Each number on the edge: one more, and an alert fires. Prometheus' clock begins at 0."""

CASES: dict[str, tuple[str, str | None, Series, str]] = {
    "lag": ("PostgresReplicationLag", "warning", server("pgha_server_lag_seconds", "0x20", "61x20"), "3m"),
    "lag, critical": (
        "PostgresReplicationLag",
        "critical",
        server("pgha_server_lag_seconds", "0x20", "301x20"),
        "3m",
    ),
    "storage": (
        "PostgresStorage",
        "warning",
        server("pgha_server_used_bytes", f"{40 * GIB + GIB // 2}x20", "0x20"),
        "8m",
    ),
    "storage, critical": (
        "PostgresStorage",
        "critical",
        server("pgha_server_used_bytes", "0x20", f"{48 * GIB}x20"),
        "8m",
    ),
    "storage, as the kubelet sees it": (
        "PostgresStorage",
        "warning",
        {f"kubelet_volume_stats_used_bytes{CLAIM}": "81x20", f"kubelet_volume_stats_capacity_bytes{CLAIM}": "100x20"},
        "8m",
    ),
    "connections": ("PostgresConnections", "warning", server("pgha_server_connections", "229x20", "0x20"), "5m"),
    "a server that does not answer": ("PostgresInstanceDown", "critical", server("pg_up", "1x20", "0x20"), "3m"),
    "a server that is gone": ("PostgresInstanceDown", "critical", {f'pg_up{{{POD}1"}}': "_x20"}, "3m"),
    "nobody answers": ("PostgresInstanceDown", "critical", server("pg_up", "_x20", "_x20"), "3m"),
    "two primaries": ("PostgresTwoPrimaries", "critical", server("pgha_server_in_recovery", "0x20", "0x20"), "1m"),
    "a standby is missing": (
        "PostgresReplicationStopped",
        "critical",
        server("pgha_server_standbys", "0x20", "0x20"),
        "5m",
    ),
    "a standby follows nobody": (
        "PostgresReplicationStopped",
        "critical",
        server("pgha_server_receivers", "0x20", "0x20"),
        "5m",
    ),
    "an old backup": (
        "PostgresBackupMissing",
        "critical",
        {f"kube_cronjob_status_last_successful_time{CRON}": "-94000x20"},
        "8m",
    ),
    "never a backup": (
        "PostgresBackupMissing",
        "critical",
        {f"kube_cronjob_status_last_successful_time{CRON}": "_x20"},
        "8m",
    ),
}


def rules() -> dict[str, Any]:
    found: dict[str, Any] = next(obj for obj in plan(postgres_ha()).tree if obj["kind"] == "PrometheusRule")["spec"]
    return found


def firing(tmp_path: Path, series: Series, at: str, expected: set[tuple[str, str]]) -> None:
    assert_fires(tmp_path, rules(), series, at, expected)


@pytest.mark.parametrize("at", ["30s", "5m", "9m"])
def test_nothing_fires_on_the_edge(tmp_path: Path, at: str) -> None:
    firing(tmp_path, WELL, at, set())


@pytest.mark.parametrize("case", CASES)
def test_it_fires(tmp_path: Path, case: str) -> None:
    name, severity, series, at = CASES[case]
    expected = {(name, str(severity))}
    if severity == "critical" and name in {"PostgresReplicationLag", "PostgresStorage"}:
        expected.add((name, "warning"))
    firing(tmp_path, WELL | series, at, expected)


def test_every_alert_has_a_case() -> None:
    alerts = {(rule["alert"], rule["labels"]["severity"]) for rule in rules()["groups"][0]["rules"]}
    assert alerts == {(name, severity) for name, severity, _, _ in CASES.values()}


def test_a_failover_between_two_scrapes_is_no_second_primary(tmp_path: Path) -> None:
    """The old primary's last answer is as old as the interval when the new one gives its first."""
    series = WELL | server("pgha_server_in_recovery", "0 0 0 0 1x16", "1 1 1 0 0x16")
    for at in ("1m30s", "2m", "3m"):
        firing(tmp_path, series, at, set())


def test_every_alert_names_a_runbook_that_is_there() -> None:
    for rule in rules()["groups"][0]["rules"]:
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["annotations"]["runbook"]


def test_the_exporter_is_asked_for_every_number_that_an_alert_needs() -> None:
    release = plan(postgres_ha()).release
    assert release is not None
    (query,) = release.values["metrics"]["customMetrics"].values()
    asked = {f"pgha_server_{column}" for metric in query["metrics"] for column in metric}
    used = set(re.findall(r"pgha_server_\w+", str(rules())))
    assert used == asked


EXPORTERS_OWN = {
    "pg_stat_database_xact_commit",
    "pg_stat_database_blks_hit",
    "pg_stat_database_blks_read",
    "pg_database_size_bytes",
}
"""Of postgres_exporter's collectors that are on by default: `database` and `stat_database`."""


def test_every_panel_asks_for_something_that_is_there() -> None:
    planned = plan(postgres_ha())
    assert planned.release is not None
    (query,) = planned.release.values["metrics"]["customMetrics"].values()
    asked = {f"pgha_server_{column}" for metric in query["metrics"] for column in metric}
    (board,) = (obj for obj in planned.tree if obj["metadata"]["name"] == "postgres-ha-dashboard")
    used = set(re.findall(r"\b(?:pgha_server|pg)_\w+", "".join(board["data"].values())))
    assert used <= asked | EXPORTERS_OWN
    assert used >= EXPORTERS_OWN
    assert {"pgha_server_lag_seconds", "pgha_server_connections", "pgha_server_used_bytes"} <= used


def test_the_exporters_query_runs_as_its_role() -> None:
    release = plan(postgres_ha()).release
    assert release is not None
    (query,) = release.values["metrics"]["customMetrics"].values()
    with primary() as server:
        apply(anywhere(postgres_ha()), server)
        row = server.query(query["query"], user="pgha_monitor", password="password-monitor").split("|")
    assert row[:4] == ["0", "0", "0", "0"]
    assert int(row[4]) >= 1
    assert int(row[5]) > 10_000_000
