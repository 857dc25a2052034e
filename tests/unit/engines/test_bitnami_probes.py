"""The probes' scripts, run for real: one against servers, one against answers that Pgpool-II gives."""

import subprocess
import time
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


@pytest.fixture
def two_primaries() -> Iterator[tuple[Server, Server]]:
    """The one that was left behind, and the one that was promoted beside it."""
    with primary("127.0.0.5") as first:
        first.query("CREATE ROLE pgha_monitor LOGIN PASSWORD 'secret'")
        with standby(first, "127.0.0.6") as second:
            second.query("SELECT pg_promote()")
            yield first, second


def partners(server: Server, *others: str) -> dict[str, str]:
    """What the chart tells a server about itself and the others."""
    return server.environment() | {
        "POSTGRES_USER": "pgha_monitor",
        "POSTGRES_PASSWORD": "secret",
        "REPMGR_PARTNER_NODES": f"{server.host},{','.join(others)},",
        "REPMGR_NODE_NETWORK_NAME": server.host,
        "REPMGR_PORT_NUMBER": str(server.port),
    }


def live(server: Server, tmp_path: Path, *others: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "live.sh"
    path.write_text(script("postgresql-live.sh").replace("127.0.0.1", server.host))
    env = partners(server, *others)
    return subprocess.run(["sh", str(path)], env=env, capture_output=True, text=True, check=False, timeout=30)


def start(server: Server, tmp_path: Path, other: str, seconds: int) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "start.sh"
    path.write_text(script("postgresql-start.sh"))
    env = partners(server, other) | {"PGHA_LOCK": str(tmp_path / "master.lock")}
    command = ["sh", str(path), str(seconds), "echo", "started"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_a_primary_that_was_replaced_is_restarted_and_the_new_one_is_not(
    two_primaries: tuple[Server, Server], tmp_path: Path
) -> None:
    old, new = two_primaries
    done = live(old, tmp_path, new.host)
    assert done.returncode == 1
    assert done.stdout.strip() == (
        "127.0.0.6 is a primary of timeline 00000002, and this server is one of timeline 00000001: it has been replaced"
    )
    assert live(new, tmp_path, old.host).returncode == 0


def test_a_primary_and_a_standby_live(pair: tuple[Server, Server], tmp_path: Path) -> None:
    first, second = pair
    assert live(first, tmp_path, second.host, "127.0.0.9").returncode == 0
    assert live(second, tmp_path, first.host, "127.0.0.9").returncode == 0


def test_a_server_that_is_away_does_not_live(tmp_path: Path) -> None:
    with primary("127.0.0.4") as server:
        pass
    assert live(server, tmp_path, "127.0.0.9").returncode == 1


def test_what_was_no_primary_starts_at_once(pair: tuple[Server, Server], tmp_path: Path) -> None:
    done = start(pair[1], tmp_path, pair[0].host, 3600)
    assert (done.returncode, done.stdout) == (0, "started\n")


def test_what_was_the_primary_starts_at_once_where_there_is_a_new_one(
    pair: tuple[Server, Server], tmp_path: Path
) -> None:
    (tmp_path / "master.lock").touch()
    done = start(pair[1], tmp_path, pair[0].host, 3600)
    assert (done.returncode, done.stdout) == (0, f"{pair[0].host} is the primary now\nstarted\n")


@pytest.mark.parametrize("other", ["127.0.0.3", "127.0.0.9"], ids=["a standby", "nobody"])
def test_what_was_the_primary_gives_the_others_time(pair: tuple[Server, Server], tmp_path: Path, other: str) -> None:
    """The whole time: a promotion in the last second would still be seen."""
    (tmp_path / "master.lock").touch()
    before = time.monotonic()
    done = start(pair[0], tmp_path, other, 3)
    assert (done.returncode, done.stdout) == (0, "started\n")
    assert time.monotonic() - before >= 2


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
