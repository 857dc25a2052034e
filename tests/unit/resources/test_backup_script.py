"""backup.sh, run for real: against a PostgreSQL, with the environment that the CronJob gives it."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pgha.engines import plan
from tests.access import apply
from tests.postgres import Server, primary
from tests.support import anywhere, postgres_ha


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def one() -> Iterator[Server]:
    with primary() as found:
        yield found


@pytest.fixture
def database(one: Server) -> Server:
    """The sample's roles and databases, as the access job makes them (again), and a table with rows."""
    apply(anywhere(postgres_ha()), one)
    one.query("DROP TABLE IF EXISTS t", "appdb", **ADMIN)
    one.query("CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000)", "appdb", **ADMIN)
    return one


ADMIN = {"user": "admin", "password": "password-0"}


def backup(server: Server, dumps: Path, tmp_path: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the synthesized CronJob with its environment, but for where things are here."""
    tree = {obj["kind"]: obj for obj in plan(postgres_ha()).tree if obj["metadata"]["name"] == "postgres-ha-backup"}
    container = tree["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    script = tmp_path / "backup.sh"
    script.write_text(tree["ConfigMap"]["data"]["backup.sh"])
    environment = {entry["name"]: entry.get("value", "") for entry in container["env"]}
    here = server.environment(user="pgha_backup", password="password-backup") | {"FOLDER": str(dumps)}
    assert environment["PGUSER"] == here["PGUSER"]
    return subprocess.run(
        ["/bin/sh", str(script)],
        env=environment | here | changes,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def sets(dumps: Path) -> list[str]:
    return sorted(path.name for path in dumps.iterdir())


def older(dumps: Path, days: float) -> str:
    """A good dump of some days ago."""
    moment = datetime.now(UTC) - timedelta(days=days)
    folder = dumps / f"backup-{moment:%Y%m%d-%H%M%S}"
    folder.mkdir()
    (folder / "appdb.dump").write_bytes(b"x" * 4096)
    return folder.name


def test_a_dump_is_whole_and_can_be_restored(database: Server, dumps: Path, tmp_path: Path) -> None:
    done = backup(database, dumps, tmp_path)
    assert done.returncode == 0, done.stderr
    (name,) = sets(dumps)
    files = sorted(path.name for path in (dumps / name).iterdir())
    assert files == ["SHA256SUMS", "appdb.dump", "databases", "globals.sql", "postgres.dump"]
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=dumps / name, check=True)
    database.query("DROP DATABASE appdb WITH (FORCE)")
    restore = ["pg_restore", "--create", "--exit-on-error", "-d", "postgres", str(dumps / name / "appdb.dump")]
    subprocess.run(restore, env=database.environment(), check=True, capture_output=True)
    assert database.query("SELECT sum(n) FROM t", "appdb", **ADMIN) == "500500"
    assert database.query("SELECT count(*) FROM t", "appdb", user="app_user", password="password-1") == "1000"


def test_no_password_is_in_a_dump(database: Server, dumps: Path, tmp_path: Path) -> None:
    assert backup(database, dumps, tmp_path).returncode == 0
    for path in dumps.rglob("*"):
        assert not path.is_file() or b"SCRAM-SHA-256" not in path.read_bytes()
    assert all(path.stat().st_mode & 0o077 == 0 for path in dumps.iterdir())


def test_repmgrs_own_database_is_left_out(database: Server, dumps: Path, tmp_path: Path) -> None:
    database.query("DROP DATABASE IF EXISTS repmgr")
    database.query("CREATE DATABASE repmgr")
    assert backup(database, dumps, tmp_path).returncode == 0
    assert not list(dumps.glob("*/repmgr.dump"))


def test_a_database_of_any_name_is_dumped(database: Server, dumps: Path, tmp_path: Path) -> None:
    database.query('CREATE DATABASE "a b=c/d"')
    done = backup(database, dumps, tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(dumps.glob("*/a b=c_d.dump"))
    database.query('DROP DATABASE "a b=c/d"')


def test_a_failed_dump_leaves_nothing_and_deletes_nothing(database: Server, dumps: Path, tmp_path: Path) -> None:
    kept = older(dumps, 30)
    database.query("REVOKE pg_read_all_data FROM pgha_backup")
    done = backup(database, dumps, tmp_path)
    assert done.returncode == 1
    assert "database appdb" in done.stderr
    assert sets(dumps) == [kept]


def test_a_server_that_is_away_deletes_nothing(database: Server, dumps: Path, tmp_path: Path) -> None:
    kept = older(dumps, 30)
    done = backup(database, dumps, tmp_path, PGPORT="1")
    assert done.returncode == 1
    assert "backup failed: " in done.stderr
    assert sets(dumps) == [kept]


def test_too_little_space_is_said_before_anything_is_written(database: Server, dumps: Path, tmp_path: Path) -> None:
    kept = older(dumps, 1)
    (tmp_path / "bin").mkdir()
    df = tmp_path / "bin" / "df"
    df.write_text("#!/bin/sh\necho header\necho /dev/x 100 99 1 99% /backups\n")
    df.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{database.environment()['PATH']}"
    done = backup(database, dumps, tmp_path, PATH=path)
    assert done.returncode == 1
    assert "has 0 MiB free" in done.stderr
    assert sets(dumps) == [kept]


def test_old_ones_go_by_time_and_by_count(database: Server, dumps: Path, tmp_path: Path) -> None:
    """With a dump every night seven stay; with fewer, the newest seven stay however old they are."""
    names = [older(dumps, days) for days in range(1, 10)]
    assert backup(database, dumps, tmp_path).returncode == 0
    assert len(sets(dumps)) == 7
    assert set(sets(dumps)) > set(names[:6])


def test_many_of_one_day_all_stay(database: Server, dumps: Path, tmp_path: Path) -> None:
    for hour in range(20):
        older(dumps, hour / 24 + 0.01)
    assert backup(database, dumps, tmp_path).returncode == 0
    assert len(sets(dumps)) == 21


def test_after_a_long_pause_the_old_ones_stay(database: Server, dumps: Path, tmp_path: Path) -> None:
    names = [older(dumps, days) for days in (40, 41, 42)]
    assert backup(database, dumps, tmp_path).returncode == 0
    assert set(sets(dumps)) > set(names)


def test_a_half_written_one_of_long_ago_is_cleared(database: Server, dumps: Path, tmp_path: Path) -> None:
    part = dumps / ".part-backup-20200101-000000"
    part.mkdir()
    os.utime(part, (0, 0))
    assert backup(database, dumps, tmp_path).returncode == 0
    assert not part.exists()


def test_ended_in_the_middle_it_leaves_no_part(database: Server, dumps: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    dump = programs / "pg_dump"
    dump.write_text('#!/bin/sh\nkill -TERM "$PPID"\nsleep 1\n')
    dump.chmod(0o755)
    done = backup(database, dumps, tmp_path, PATH=f"{programs}:{database.environment()['PATH']}")
    assert done.returncode == 143
    assert sets(dumps) == []
