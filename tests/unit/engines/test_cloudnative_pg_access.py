"""The job that gives privileges, its own script and statements, against a real server: as the owner, again and again.

What the operator does is done here by the superuser: roles and databases.
"""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.engines import plan
from tests.postgres import Server, primary
from tests.support import sample

DATABASES = [
    {"name": "appdb", "owner": "app's owner", "collation": "C.UTF-8"},
    {"name": "shop", "owner": "shop_owner", "collation": "C.UTF-8"},
]
OWNERS: list[dict[str, Any]] = [{"name": "app's owner"}, {"name": "shop_owner"}]
GUEST: dict[str, Any] = {"name": "guest", "databases": ["appdb"]}


def described(*users: dict[str, Any]) -> Cluster:
    return sample(databases=DATABASES, users=[*OWNERS, *users])


def job(cluster: Cluster, database: str) -> dict[str, str]:
    """The environment of a database's job."""
    for obj in plan(cluster).stack:
        if obj["kind"] == "Job":
            entries = obj["spec"]["template"]["spec"]["containers"][0]["env"]
            environment = {entry["name"]: str(entry.get("value")) for entry in entries}
            if environment["PGDATABASE"] == database:
                return environment | {"command": obj["spec"]["template"]["spec"]["containers"][0]["command"][-1]}
    raise AssertionError(database)


def run(server: Server, cluster: Cluster, database: str) -> subprocess.CompletedProcess[str]:
    environment = job(cluster, database)
    here = server.environment(user=environment["PGUSER"], password=environment["PGUSER"])
    here |= {"PGSSLMODE": "disable", "WAIT": "3"}
    return subprocess.run(
        ["/bin/sh", "-c", environment.pop("command")],
        env=environment | here, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def apply(server: Server, cluster: Cluster) -> None:
    for database in cluster.databases:
        done = run(server, cluster, database.name)
        assert done.returncode == 0, done.stderr


def who(name: str) -> dict[str, str]:
    return {"user": name, "password": name}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with primary() as server:
        for name in ("app's owner", "shop_owner", "guest", "reader", "nobody_in_particular"):
            quoted = name.replace("'", "''")
            server.query(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{quoted}'")
        for database in DATABASES:
            server.query(f'CREATE DATABASE {database["name"]} OWNER "{database["owner"]}" TEMPLATE template0')
        apply(server, described(GUEST))
        server.query(
            "CREATE TABLE t (id serial, n int); CREATE SCHEMA more; CREATE TABLE more.t (n int); "
            "CREATE FUNCTION f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "appdb",
            **who("app's owner"),
        )
        yield server


def refused(server: Server, statement: str, database: str, name: str) -> str:
    done = server.try_query(statement, database, **who(name))
    assert done.returncode != 0, f"{name} may {statement}"
    return done.stderr


def test_a_guest_reads_and_writes_what_the_owner_makes(server: Server) -> None:
    server.query("INSERT INTO t (n) VALUES (1); UPDATE t SET n = 2; DELETE FROM more.t", "appdb", **who("guest"))


@pytest.mark.parametrize("statement", ["CREATE TABLE mine ()", "TRUNCATE t", "DROP TABLE t", "CREATE SCHEMA s"])
def test_a_guest_may_do_nothing_else(server: Server, statement: str) -> None:
    refused(server, statement, "appdb", "guest")


@pytest.mark.parametrize(
    ("name", "database"), [("guest", "shop"), ("shop_owner", "appdb"), ("nobody_in_particular", "appdb")]
)
def test_nobody_else_may_connect(server: Server, name: str, database: str) -> None:
    assert "permission denied for database" in refused(server, "SELECT", database, name)


def test_it_needs_no_superuser_and_leaves_no_role_behind(server: Server) -> None:
    found = server.query("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper OR rolcreaterole")
    assert found == "postgres"
    assert {job(described(GUEST), name)["PGUSER"] for name in ("appdb", "shop")} == {"app's owner", "shop_owner"}


def test_a_user_who_comes_later_gets_what_is_there_already_and_what_will_be(server: Server) -> None:
    reader = {"name": "reader", "databases": ["appdb"], "privileges": ["CONNECT", "SELECT"]}
    apply(server, described(GUEST, reader))
    server.query("CREATE TABLE later (n int)", "appdb", **who("app's owner"))
    server.query("SELECT * FROM t, more.t m, later", "appdb", **who("reader"))
    refused(server, "INSERT INTO t (n) VALUES (1)", "appdb", "reader")


def test_a_privilege_that_leaves_the_file_is_taken_back(server: Server) -> None:
    apply(server, described(GUEST))
    apply(server, described(GUEST | {"privileges": ["CONNECT", "SELECT"]}))
    server.query("CREATE TABLE latest (n int)", "appdb", **who("app's owner"))
    server.query("SELECT * FROM t, more.t m, latest", "appdb", **who("guest"))
    for table in ("t", "more.t", "latest"):
        refused(server, f"INSERT INTO {table} (n) VALUES (1)", "appdb", "guest")
    apply(server, described(GUEST))
    server.query("INSERT INTO t (n) VALUES (1); INSERT INTO latest VALUES (1)", "appdb", **who("guest"))


def test_a_database_that_leaves_a_user_closes_to_it(server: Server) -> None:
    apply(server, described(GUEST | {"databases": ["shop"]}))
    assert "permission denied for database" in refused(server, "SELECT", "appdb", "guest")
    server.query("SELECT", "shop", **who("guest"))
    left = "SELECT count(*) FROM pg_class WHERE array_to_string(relacl, ' ') LIKE '%guest=%'"
    assert server.query(left, "appdb") == "0"
    apply(server, described(GUEST))


def test_functions_are_given_where_the_file_says_so(server: Server) -> None:
    server.query("REVOKE EXECUTE ON FUNCTION f(int, text) FROM PUBLIC", "appdb", **who("app's owner"))
    refused(server, "SELECT f(1, 'a')", "appdb", "guest")
    apply(server, described(GUEST | {"privileges": ["CONNECT", "EXECUTE"]}))
    server.query("SELECT f(1, 'a')", "appdb", **who("guest"))
    apply(server, described(GUEST))


def test_a_user_who_leaves_the_file_keeps_what_it_has(server: Server) -> None:
    """Stated in the table of effects: nothing drops a role, and its privileges go only while the file names it."""
    apply(server, described())
    server.query("SELECT", "appdb", **who("guest"))
    apply(server, described(GUEST))


def test_half_of_it_is_nothing(server: Server) -> None:
    """All in one transaction, and a role that is not there yet is waited for."""
    missing = {"name": "a_missing_one", "databases": ["appdb"]}
    done = run(server, described(GUEST | {"privileges": ["CONNECT"]}, missing), "appdb")
    assert done.returncode == 1
    assert 'role "a_missing_one" does not exist' in done.stderr
    server.query("INSERT INTO t (n) VALUES (1)", "appdb", **who("guest"))


def test_another_file_is_another_job_and_the_same_is_the_same() -> None:
    def names(cluster: Cluster) -> list[str]:
        return [obj["metadata"]["name"] for obj in plan(cluster).stack if obj["kind"] == "Job"]

    one = names(described(GUEST))
    assert [name.rpartition("-")[0] for name in one] == ["db-access-appdb", "db-access-shop"]
    assert names(sample(databases=DATABASES, users=[GUEST, *reversed(OWNERS)])) == one
    assert names(described(GUEST | {"privileges": ["CONNECT"]}))[0] != one[0]
    assert names(described(GUEST | {"privileges": ["CONNECT"]}))[1] == one[1]


def test_a_long_name_still_makes_a_valid_job() -> None:
    databases = [{"name": "d" * 60, "owner": "app"}]
    (name,) = [obj["metadata"]["name"] for obj in plan(sample(databases=databases)).stack if obj["kind"] == "Job"]
    assert len(name) <= 63
