"""The probes' scripts, run for real: one against servers, one against answers that Pgpool-II gives."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgha.engines import plan
from tests.postgres import Server, primary, standby
from tests.support import postgres_ha


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    with primary() as first:
        first.query("CREATE ROLE pgha_monitor LOGIN PASSWORD 'secret'")
        with standby(first, "127.0.0.3") as second:
            yield first, second


def script(name: str) -> str:
    """As it is mounted into the pods."""
    return str(
        next(o for o in plan(postgres_ha()).tree if o["metadata"]["name"] == "postgres-ha-servers")["data"][name]
    )


def ready(server: Server, tmp_path: Path, lag: int = 60) -> subprocess.CompletedProcess[str]:
    """The script asks 127.0.0.1, which is the pod itself; here it is the server's address."""
    path = tmp_path / "ready.sh"
    path.write_text(script("postgresql-ready.sh").replace("127.0.0.1", server.host))
    env = server.environment() | {"POSTGRES_USER": "pgha_monitor", "POSTGRES_PASSWORD": "secret"}
    return subprocess.run(["sh", str(path), str(lag)], env=env, capture_output=True, text=True, check=False, timeout=30)


def test_a_primary_is_ready(pair: tuple[Server, Server], tmp_path: Path) -> None:
    assert ready(pair[0], tmp_path).returncode == 0


def test_a_standby_that_follows_is_ready_however_old_the_last_write(
    pair: tuple[Server, Server], tmp_path: Path
) -> None:
    assert ready(pair[1], tmp_path, lag=0).returncode == 0


def test_a_standby_that_is_far_behind_is_not(pair: tuple[Server, Server], tmp_path: Path) -> None:
    first, second = pair
    first.query("CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (1)")
    assert second.query("SELECT pg_wal_replay_pause()") == ""
    first.query("INSERT INTO t VALUES (2)")
    try:
        assert ready(second, tmp_path, lag=60).returncode == 0
        done = ready(second, tmp_path, lag=0)
        assert (done.returncode, done.stdout.strip()) == (1, "too far behind")
    finally:
        second.query("SELECT pg_wal_replay_resume()")


def test_a_standby_without_a_primary_is_not(pair: tuple[Server, Server], tmp_path: Path) -> None:
    second = pair[1]
    before = second.query("SHOW primary_conninfo")
    second.query("ALTER SYSTEM SET primary_conninfo = ''")
    second.query("SELECT pg_reload_conf(), pg_sleep(1)")
    try:
        done = ready(second, tmp_path)
        assert (done.returncode, done.stdout.strip()) == (1, "no primary to follow")
    finally:
        second.query(f"ALTER SYSTEM SET primary_conninfo = '{before.replace(chr(39), chr(39) * 2)}'")
        second.query("SELECT pg_reload_conf()")


def test_a_server_that_is_away_is_not(tmp_path: Path) -> None:
    with primary("127.0.0.4") as server:
        pass
    assert ready(server, tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ("f", 0, 0),
        ("t", 0, 1),
        ("", 124, 1),
        ("psql: error: FATAL:  Sorry, too many clients already", 2, 0),
        ("psql: error: FATAL:  remaining connection slots are reserved for roles", 2, 0),
        ("psql: error: connection refused", 2, 1),
    ],
    ids=["primary", "standby", "silence", "full", "server full", "away"],
)
@pytest.mark.parametrize("kind", ["live", "ready"])
def test_pgpool_is_well_when_it_leads_to_a_primary_or_is_full(
    tmp_path: Path, kind: str, answer: str, status: int, code: int
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    psql = programs / "psql"
    psql.write_text(f"#!/bin/sh\necho '{answer}'\nexit {status}\n")
    psql.chmod(0o755)
    path = tmp_path / "probe.sh"
    path.write_text(script("pgpool-probe.sh"))
    env = {"PATH": f"{programs}:/usr/bin:/bin", "PGPOOL_POSTGRES_USERNAME": "u", "PGPOOL_POSTGRES_PASSWORD": "p"}
    done = subprocess.run(["sh", str(path), kind], env=env, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == code
    assert bool(done.stdout) == bool(code)
