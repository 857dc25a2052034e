"""What the engine cloudnative-pg makes beyond servers: extensions, privileges, metrics, poolers, the heartbeat.

A cluster of its own, tests/lab/clusters/features.yaml.
"""

import base64
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from custom_resources import install_crds
from running_lab import ROOT, Database, eventually, run

from lab import kubernetes
from pgha.config import load
from pgha.engines import plan

pytestmark = pytest.mark.lab

FILE = ROOT / "tests" / "lab" / "clusters" / "features.yaml"
NAME = "features"


class Features:
    """The running cluster."""

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return kubernetes.kubectl(words[0], f"--namespace={NAME}", *words[1:], stdin=stdin, timeout=120)

    def get(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "--output=json", *words))
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"clusters.postgresql.cnpg.io/{NAME}")["status"]
        return found

    @property
    def primary(self) -> str:
        return str(self.status()["currentPrimary"])

    def whole(self) -> bool:
        status = self.status()
        return bool(status.get("readyInstances") == 3 and status["phase"] == "Cluster in healthy state")

    def pods(self, labels: str) -> list[str]:
        return [item["metadata"]["name"] for item in self.get("pods", f"--selector={labels}")["items"]]

    def superuser(self, sql: str, database: str = "postgres", pod: str | None = None) -> str:
        words = ("exec", pod or self.primary, "--container=postgres", "--")
        return self.kubectl(*words, "psql", "-XAtq", f"--dbname={database}", f"--command={sql}").strip()

    def login(self, user: str) -> dict[str, str]:
        secret = self.get(f"secret/{NAME}-{user.replace('_', '-')}")["data"]
        return {"user": user, "password": base64.b64decode(secret["password"]).decode()}

    def from_lan(self, user: str, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to the LAN address; on this machine it stands behind the loopback relay."""
        return psycopg.connect(
            host="127.168.10.101", dbname=database, autocommit=True, connect_timeout=5, **self.login(user)
        )

    def up(self, file: Path = FILE) -> None:
        done = run(".venv/bin/pgha", "up", str(file), "--no-lan")
        assert done.code == 0, done.out


@pytest.fixture(scope="module")
def features(database: Database) -> Iterator[Features]:
    """The cluster, made for this module and removed after it; one that ran before stays."""
    install_crds(database, "prometheus-operator")
    found = Features()
    ran_before = NAME in database.kubectl("get", "clusters.postgresql.cnpg.io", f"--namespace={NAME}", "--output=name")
    found.up()
    eventually(found.whole, within=300, every=2)
    yield found
    if not ran_before:
        down = run(".venv/bin/pgha", "down", str(FILE), "--destroy", NAME)
        assert down.code == 0, down.out


@contextmanager
def changed(features: Features, folder: Path, **changes: Any) -> Iterator[None]:
    """The cluster with another file for a while."""
    file = folder / f"{NAME}.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(FILE.read_text()) | changes))
    features.up(file)
    try:
        yield
    finally:
        features.up()


def refused(connection: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("name", ["app", "shop", "postgres"])
def test_extensions_are_in_every_database(features: Features, name: str) -> None:
    found = features.superuser("SELECT string_agg(extname, ',' ORDER BY extname COLLATE \"C\") FROM pg_extension", name)
    assert found == "pg_stat_statements,pgaudit,plpgsql"


def test_slow_queries_can_be_asked_for_as_the_seed_says(features: Features) -> None:
    with features.from_lan("app_owner", "app") as connection:
        rows = connection.execute(
            "SELECT query, calls, mean_exec_time, total_exec_time FROM pg_stat_statements "
            "ORDER BY mean_exec_time DESC LIMIT 10"
        ).fetchall()
    assert rows


def test_a_table_that_is_made_is_in_the_audit_log(features: Features) -> None:
    table = f"audited_{time.time_ns()}"
    with features.from_lan("app_owner", "app") as connection:
        connection.execute(f"CREATE TABLE {table} (n int)")
        connection.execute(f"INSERT INTO {table} VALUES (1)")

    def records() -> list[str]:
        log = features.kubectl("logs", features.primary, "--container=postgres", "--since=5m")
        return [line for line in log.splitlines() if '"logger":"pgaudit"' in line and table in line]

    (record,) = eventually(records, within=30)
    assert f"CREATE TABLE {table}" in record
    assert "INSERT" not in record, "who read or wrote which row is not the file's word"


def test_a_guest_uses_what_the_owners_make_and_nothing_else(features: Features) -> None:
    for database, owner in (("app", "app_owner"), ("shop", "shop_owner")):
        with features.from_lan(owner, database) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS items (id serial, name text)")
        with features.from_lan("app_user", database) as connection:
            connection.execute("INSERT INTO items (name) VALUES ('x')")
            refused(connection, "CREATE TABLE mine ()")
            refused(connection, "TRUNCATE items")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        features.from_lan("shop_owner", "app")


def test_a_database_and_users_come_and_go_on_a_running_cluster(
    features: Features, tmp_path: Path, figures: list[str]
) -> None:
    pods = {item["metadata"]["uid"] for item in features.get("pods", "--selector=cnpg.io/podRole=instance")["items"]}
    file = yaml.safe_load(FILE.read_text())
    owners = [user for user in file["users"] if user["name"] != "app_user"]
    users = [
        *owners,
        {"name": "late_owner"},
        {"name": "app_user", "databases": ["app", "late"]},
        {"name": "reader", "databases": ["app"], "privileges": ["CONNECT", "SELECT"]},
    ]
    started = time.monotonic()
    with changed(
        features, tmp_path, users=users, databases=[{"name": "late", "owner": "late_owner"}, *file["databases"]]
    ):
        figures.append(f"a database and two users on a running cluster: {time.monotonic() - started:.0f} s")
        assert features.superuser("SELECT count(*) FROM pg_extension", "late") == "3"
        with features.from_lan("late_owner", "late") as connection:
            connection.execute("CREATE TABLE items (id serial, name text)")
        with features.from_lan("app_user", "late") as connection:
            connection.execute("INSERT INTO items (name) VALUES ('x')")
        with features.from_lan("reader", "app") as connection:
            connection.execute("SELECT * FROM items")
            refused(connection, "INSERT INTO items (name) VALUES ('x')")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            features.from_lan("app_user", "shop")
    with features.from_lan("app_user", "shop") as connection:
        connection.execute("INSERT INTO items (name) VALUES ('back')")
    after = {item["metadata"]["uid"] for item in features.get("pods", "--selector=cnpg.io/podRole=instance")["items"]}
    assert after == pods, "no server was replaced"


def test_no_role_is_left_with_more_than_it_needs(features: Features) -> None:
    found = features.superuser(
        "SELECT string_agg(rolname, ',' ORDER BY rolname COLLATE \"C\") FROM pg_roles WHERE rolcanlogin AND "
        "(rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)"
    )
    assert found == "postgres,streaming_replica"
    held = features.superuser("SELECT rolpassword FROM pg_authid WHERE rolname IN ('postgres', 'pgha_heartbeat')")
    assert held == "", "neither has a password"
    may = "SELECT has_database_privilege('pgha_heartbeat', datname, 'CONNECT') FROM pg_database WHERE datname = 'app'"
    assert features.superuser(may) == "f"


def exported(features: Features) -> set[str]:
    """Names of all that the servers and the poolers export."""
    names: set[str] = set()
    for role, port in (("instance", 9187), ("pooler", 9127)):
        for pod in features.pods(f"cnpg.io/podRole={role}"):
            path = f"/api/v1/namespaces/{NAME}/pods/{pod}:{port}/proxy/metrics"
            text = kubernetes.kubectl("get", f"--raw={path}", timeout=60)
            names |= {line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if line[:1] != "#"}
    return names


def test_alerts_and_dashboard_use_only_what_is_exported(features: Features) -> None:
    objects = [obj for obj in plan(load(FILE)).stack if obj["kind"] in {"PrometheusRule", "ConfigMap"}]
    used = set(re.findall(r"\bcnpg_\w+(?=\{)", json.dumps(objects).replace('\\"', '"').replace('\\"', '"')))
    assert len(used) > 15
    assert used - exported(features) == set()


def test_the_monitors_find_the_pods(features: Features) -> None:
    for monitor in features.get("podmonitors")["items"]:
        labels = ",".join(f"{key}={value}" for key, value in monitor["spec"]["selector"]["matchLabels"].items())
        found = features.get("pods", f"--selector={labels}")["items"]
        assert len(found) in {3, 6}, monitor["metadata"]["name"]
        for pod in found:
            ports = [port.get("name") for container in pod["spec"]["containers"] for port in container["ports"]]
            assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in ports


def in_a_pod(features: Features, script: str, user: str, seconds: int = 120, **environment: str) -> str:
    """What a restricted pod with the server's programs prints; it must succeed."""
    name = f"client-{time.time_ns()}"
    login = {"PGUSER": user, "PGPASSWORD": features.login(user)["password"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "client",
                    "image": "ghcr.io/cloudnative-pg/postgresql:17.11-standard-trixie",
                    "command": ["/bin/bash", "-c", script],
                    "env": [{"name": key, "value": value} for key, value in (login | environment).items()],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
    features.kubectl("create", "--filename=-", stdin=json.dumps(pod))
    try:
        phase = eventually(
            lambda: (found := features.get(f"pod/{name}")["status"]["phase"]) in {"Succeeded", "Failed"} and found,
            within=seconds,
            every=1,
        )
        text = features.kubectl("logs", name)
    finally:
        features.kubectl("delete", "pod", name, "--wait=false")
    assert phase == "Succeeded", text
    return text


POOLED = {"PGHOST": f"{NAME}-pooler-rw", "PGDATABASE": "app", "PGCONNECT_TIMEOUT": "30"}


def test_a_hundred_clients_come_through_the_pooler(features: Features, figures: list[str]) -> None:
    """More than any of its pools has server connections."""
    script = "echo 'SELECT 1;' > /tmp/s.sql; pgbench -n -f /tmp/s.sql -c 100 -j 2 -T 10 2>&1"
    text = in_a_pod(features, script, "app_user", **POOLED)
    assert "number of clients: 100" in text
    assert "number of failed transactions: 0 " in text
    figures += [
        f"100 clients through the pooler: {found} queries a second" for found in re.findall(r"tps = (\d+)", text)
    ]
    used = features.superuser("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app_user'")
    assert int(used) <= 3 * 8, "the poolers hold no more than poolSize each"


def test_a_pooler_of_one_application_serves_its_database_only(features: Features) -> None:
    own = POOLED | {"PGHOST": f"{NAME}-pooler-shop", "PGDATABASE": "shop"}
    assert in_a_pod(features, "psql -XAtqc 'SELECT 1'", "shop_owner", **own).strip() == "1"
    other = own | {"PGDATABASE": "app"}
    assert "FATAL" in in_a_pod(features, "psql -XAtqc 'SELECT 1' 2>&1 || true", "app_owner", **other)


def test_poolers_are_spread_and_restricted(features: Features) -> None:
    pods = features.get("pods", f"--selector=cnpg.io/poolerName={NAME}-pooler-rw")["items"]
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 3
    for pod in pods:
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    budget = features.get(f"poddisruptionbudget/{NAME}-pooler-rw")
    assert budget["status"]["disruptionsAllowed"] == 1


def test_writes_go_on_behind_the_pooler_after_a_switchover(features: Features, figures: list[str]) -> None:
    with features.from_lan("app_owner", "app") as connection:
        connection.execute("DROP TABLE IF EXISTS beats")
        connection.execute("CREATE TABLE beats (n int, at timestamptz DEFAULT clock_timestamp())")
    script = (
        "n=0; done=0; while [ $done -lt 40 ] && [ $SECONDS -lt 150 ]; do n=$((n + 1)); "
        'psql -XAtqc "INSERT INTO beats (n) VALUES ($n)" 2>/dev/null '
        "&& echo acknowledged $n && done=$((done + 1)); sleep 0.2; done"
    )
    with ThreadPoolExecutor() as beside:
        client = beside.submit(in_a_pod, features, script, "app_user", seconds=240, **POOLED)
        eventually(lambda: int(features.superuser("SELECT count(*) FROM beats", "app")) >= 3, within=90)
        before = features.primary
        target = next(pod for pod in features.pods("cnpg.io/podRole=instance") if pod != before)
        switched = run(".venv/bin/pgha", "switchover", str(FILE), "--to", target)
        assert switched.code == 0, switched.out
        text = client.result()
    acknowledged = {int(number) for number in re.findall(r"^acknowledged (\d+)$", text, re.MULTILINE)}
    assert features.primary == target
    with features.from_lan("app_owner", "app") as connection:
        rows = {row[0] for row in connection.execute("SELECT n FROM beats").fetchall()}
        longest = connection.execute(
            "SELECT extract(epoch FROM max(gap)) FROM (SELECT at - lag(at) OVER (ORDER BY at) AS gap FROM beats) g"
        ).fetchone()
    assert len(acknowledged) == 40
    assert acknowledged <= rows, "an acknowledged write is lost"
    figures.append(f"switchover behind the pooler: writes stop for at most {float((longest or (0,))[0]):.1f} s")
    eventually(features.whole, within=180, every=2)


def test_an_idle_primary_never_stands_where_nobody_can_follow(features: Features) -> None:
    """After a segment switch the next position lies behind a header that is not written: pg_rewind would name it."""
    features.superuser("SELECT pg_logical_emit_message(true, 'test', 'something to switch after')")
    features.superuser("SELECT pg_switch_wal()")
    reached = "SELECT pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn()"
    eventually(lambda: features.superuser(reached) == "t", within=15, every=1)


def test_the_heartbeat_is_no_transaction_and_closes_no_segment(features: Features) -> None:
    """So an idle cluster makes no checkpoint for it and archives nothing."""
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pgha_heartbeat'"
    eventually(lambda: features.superuser(sessions) == "1", within=60)
    features.superuser("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    features.superuser("CHECKPOINT")
    state = "SELECT pg_snapshot_xmax(pg_current_snapshot()), pg_walfile_name(pg_current_wal_insert_lsn())"
    time.sleep(2)
    before, at = features.superuser(state), features.superuser("SELECT pg_current_wal_flush_lsn()")
    records = f"FROM pg_get_wal_records_info('{at}', pg_current_wal_flush_lsn()) WHERE record_type"
    eventually(
        lambda: features.superuser(f"SELECT count(*) > 0 {records} = 'RUNNING_XACTS'") == "t", within=30, every=1
    )
    assert features.superuser(state) == before
    # After a checkpoint whoever reads a page first may write its image, for hint bits: 8 kB, not of the heartbeat.
    assert int(features.superuser(f"SELECT sum(record_length) {records} <> 'FPI_FOR_HINT'")) < 10_000


def test_an_idle_cluster_heals_after_its_primary_died(features: Features, figures: list[str]) -> None:
    """No client writes anything from here on. Twice, so that every server has been primary or rewound."""
    for _ in range(2):
        dead = features.primary
        features.kubectl("delete", "pod", dead, "--grace-period=0", "--force")
        killed = time.monotonic()

        def healed(dead: str = dead) -> bool:
            return features.primary != dead and features.whole()

        eventually(healed, within=240, every=1)
        figures.append(
            f"idle cluster, primary's pod killed: all instances ready after {time.monotonic() - killed:.0f} s"
        )
