"""The access job against real servers: what each role may do, again and again, and the synchronous setting."""

from collections.abc import Iterator

import pytest

from pgha.config.model import Cluster
from tests.access import apply, run
from tests.postgres import Server, primary, standby
from tests.support import anywhere, postgres_ha, trio

OWNER = {"user": "admin", "password": "password-0"}
APPLICATION = {"user": "app_user", "password": "password-1"}
BACKUP = {"user": "pgha_backup", "password": "password-backup"}
MONITOR = {"user": "pgha_monitor", "password": "password-monitor"}


@pytest.fixture(scope="module")
def sample() -> Cluster:
    return anywhere(postgres_ha())


@pytest.fixture(scope="module")
def pair(sample: Cluster) -> Iterator[tuple[Server, Server]]:
    with primary() as first:
        first.query("CREATE ROLE nobody_in_particular LOGIN PASSWORD 'x'")
        with standby(first) as second:
            apply(sample, first)
            first.query("CREATE TABLE t (id serial, n int)", "appdb", **OWNER)
            yield first, second


@pytest.fixture
def server(pair: tuple[Server, Server]) -> Server:
    return pair[0]


def test_the_application_reads_and_writes_what_the_owner_makes(server: Server) -> None:
    server.query("INSERT INTO t (n) VALUES (1); UPDATE t SET n = 2; DELETE FROM t", "appdb", **APPLICATION)


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine ()", "TRUNCATE t", "DROP TABLE t", "CREATE SCHEMA s", "CREATE ROLE r", "SET ROLE admin"],
)
def test_the_application_may_do_nothing_else(server: Server, statement: str) -> None:
    assert server.try_query(statement, "appdb", **APPLICATION).returncode != 0


def test_nobody_else_may_connect(server: Server) -> None:
    done = server.try_query("SELECT", "appdb", user="nobody_in_particular", password="x")
    assert "permission denied for database" in done.stderr


def test_no_role_of_the_file_is_more_than_it_should_be(server: Server) -> None:
    found = server.query(
        "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolcanlogin AND "
        "(rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)"
    )
    assert found == "pgha_backup,postgres"  # the first may pass row security by, and only read


def test_the_backup_reads_everything_and_writes_nothing(server: Server) -> None:
    server.query("SELECT count(*) FROM t", "appdb", **BACKUP)
    assert server.try_query("INSERT INTO t (n) VALUES (1)", "appdb", **BACKUP).returncode != 0


def test_the_monitor_sees_numbers_and_no_rows(server: Server) -> None:
    server.query("SELECT count(*) FROM pg_ls_waldir()", **MONITOR)
    assert server.try_query("SELECT count(*) FROM t", "appdb", **MONITOR).returncode != 0
    assert server.query("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'postgres'") == "postgres"


def test_it_may_run_again(server: Server, sample: Cluster) -> None:
    apply(sample, server)


def test_a_user_who_comes_later_gets_what_is_there_already(server: Server, sample: Cluster) -> None:
    reader = {"name": "reader's", "databases": ["appdb"], "privileges": ["CONNECT", "SELECT"]}
    users = [*(user.model_dump() for user in sample.users), reader]
    apply(Cluster.model_validate(sample.model_dump() | {"users": users}), server)
    server.query("SELECT count(*) FROM t", "appdb", user="reader's", password="password-2")


def test_a_new_password_replaces_the_old_one(server: Server, sample: Cluster) -> None:
    server.query("ALTER ROLE app_user PASSWORD 'another'")
    assert server.try_query("SELECT", "appdb", **APPLICATION).returncode != 0
    apply(sample, server)
    server.query("SELECT", "appdb", **APPLICATION)


def test_no_password_is_in_the_servers_log(pair: tuple[Server, Server], sample: Cluster) -> None:
    server = pair[0]
    server.query("ALTER SYSTEM SET log_statement = 'all'")
    server.query("SELECT pg_reload_conf()")
    apply(sample, server)
    text = (server.folder / "log").read_text()
    assert "ALTER ROLE" not in text
    assert "REVOKE ALL ON DATABASE" in text


def test_the_primary_is_found_among_the_servers(pair: tuple[Server, Server], sample: Cluster) -> None:
    apply_to = run(sample, pair[1], pair[0])
    assert apply_to.returncode == 0, apply_to.stderr


def test_without_a_primary_it_waits_then_says_so(pair: tuple[Server, Server], sample: Cluster) -> None:
    done = run(sample, pair[1])
    assert done.returncode != 0
    assert "no primary among 127.0.0.2 after 3 s" in done.stderr


def test_synchronous_replication_is_set_on_every_server_and_taken_back(pair: tuple[Server, Server]) -> None:
    """The image would set it on the first primary only, and a failover would end it."""
    replication = {"mode": "sync", "synchronousStandbys": 1}
    databases = [{"name": "app", "owner": "app", "collation": "C.UTF-8"}]
    wanted = trio(name="two", instances=2, replication=replication, databases=databases)
    apply(wanted, *pair)
    for server in pair:
        assert server.query("SHOW synchronous_standby_names") == 'ANY 1 ("two-postgresql-0", "two-postgresql-1")'
    apply(trio(name="two", instances=2, databases=databases), *pair)
    assert [server.query("SHOW synchronous_standby_names") for server in pair] == ["", ""]


def test_a_standby_that_is_away_stops_no_change_of_access(pair: tuple[Server, Server], sample: Cluster) -> None:
    away = Server(pair[1].folder, "127.0.0.9", pair[1].port, pair[1].bin)
    apply(sample, pair[0], away)


def test_a_standby_that_is_away_cannot_be_promised_to_be_synchronous(pair: tuple[Server, Server]) -> None:
    away = Server(pair[1].folder, "127.0.0.9", pair[1].port, pair[1].bin)
    databases = [{"name": "app", "owner": "app", "collation": "C.UTF-8"}]
    done = run(trio(instances=2, replication={"mode": "sync"}, databases=databases), pair[0], away)
    assert done.returncode == 1
    assert "not set to replicate synchronously, should it be the primary one day: 127.0.0.9" in done.stderr
    apply(trio(instances=2, databases=databases), pair[0])
