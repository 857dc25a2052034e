"""The heartbeat, its own script and statements, against a real server."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pgha.engines import plan
from pgha.engines.cloudnative_pg import heartbeat
from tests.postgres import Server, primary
from tests.support import sample


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with primary() as server:
        server.query(f"CREATE ROLE {heartbeat.ROLE} LOGIN PASSWORD 'beat'")
        yield server


@contextmanager
def beating(server: Server) -> Iterator[subprocess.Popen[str]]:
    """The Deployment's only container, here."""
    (deployment,) = [obj for obj in plan(sample()).stack if obj["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert environment["PGUSER"] == heartbeat.ROLE
    here = server.environment(user=heartbeat.ROLE, password="beat") | {"PGSSLMODE": "disable"}
    here |= {"PGSSLCERT": "", "PGSSLKEY": ""}
    # A session of its own, so that psql ends with the shell.
    with subprocess.Popen(
        container["command"], env=environment | here, text=True, stderr=subprocess.PIPE, process_group=0
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def position(server: Server) -> int:
    return int(server.query("SELECT pg_current_wal_insert_lsn() - '0/0'"))


def moved(server: Server, since: int, within: float = 20) -> bool:
    deadline = time.monotonic() + within
    while position(server) <= since:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def switched(server: Server) -> int:
    """Where an idle primary stands after a segment switch: behind a header that nobody has written."""
    server.query("SELECT pg_switch_wal()")
    at = position(server)
    assert server.query("SELECT pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()") == "t"
    return at


def test_it_writes_on_an_idle_server(server: Server) -> None:
    server.query("CREATE TABLE IF NOT EXISTS work (n int); INSERT INTO work VALUES (1); CHECKPOINT")
    before = switched(server)
    with beating(server):
        assert moved(server, before)
        assert server.query("SELECT pg_current_wal_insert_lsn() = pg_current_wal_flush_lsn()") == "t"


def test_it_comes_back_after_a_restart_of_the_server(server: Server) -> None:
    with beating(server):
        assert moved(server, position(server))
        server.control("restart", "-m", "fast", "-o", f"-c listen_addresses={server.host} -c port={server.port} "
                       "-c unix_socket_directories= -c fsync=off")  # fmt: skip
        assert moved(server, position(server))


def test_with_the_function_allowed_nothing_important_is_written(server: Server) -> None:
    """No transaction, so neither a checkpoint nor archive_timeout has a reason to do anything."""
    if int(server.query("SHOW server_version_num")) < 160000:
        pytest.skip("NOT RUN: pg_log_standby_snapshot is PostgreSQL 16's; the lab runs 17")
    for statement in heartbeat.first_statements(sample())[1:]:
        server.query(statement)
    before = server.query("SELECT pg_snapshot_xmax(pg_current_snapshot())")
    with beating(server):
        assert moved(server, position(server))
    assert server.query("SELECT pg_snapshot_xmax(pg_current_snapshot())") == before


def test_the_role_may_call_one_function_and_proves_itself_by_certificate() -> None:
    assert heartbeat.first_statements(sample()) == [
        'CREATE ROLE "pgha_heartbeat" NOLOGIN',
        'GRANT EXECUTE ON FUNCTION pg_catalog.pg_log_standby_snapshot() TO "pgha_heartbeat"',
    ]
    assert heartbeat.first_statements(sample(postgresql={"version": "15"})) == []
    (role,) = [obj for obj in plan(sample()).stack if obj["kind"] == "DatabaseRole"]
    assert role["spec"] == {
        "cluster": {"name": "db"},
        "name": "pgha_heartbeat",
        "login": True,
        "disablePassword": True,
        "connectionLimit": 2,
        "clientCertificate": {"enabled": True},
    }


def test_it_is_small_and_restricted_and_trusts_only_the_clusters_authority() -> None:
    (deployment,) = [obj for obj in plan(sample()).stack if obj["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"name": "PGSSLMODE", "value": "verify-full"} in container["env"]
    authority = pod["volumes"][0]["secret"]
    assert authority == {"secretName": "db-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}, "not its key"
