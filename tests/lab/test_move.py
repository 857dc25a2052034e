"""docs/how-to/move-from-bitnami.md, executed: its blocks, one after the other, while a client on the LAN writes.

The old cluster is engine bitnami's own objects around a stand-in for the chart, whose images cannot be had: one plain
PostgreSQL under the chart's names, without Pgpool-II. So the access job and the backup of that engine run here too.
"""

import base64
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from running_lab import ROOT, Database, clean_environment, eventually

from lab import programs
from lab.home import STATE
from pgha.config.model import Cluster
from pgha.engines import plan
from tests.support import trio

pytestmark = [pytest.mark.lab, pytest.mark.long]

PAGE = (ROOT / "docs" / "how-to" / "move-from-bitnami.md").read_text()
ADDRESS, POOL = "192.168.10.117", ["192.168.10.117-192.168.10.118"]  # beside the pool of `lab`: they may not overlap
IMAGE = "ghcr.io/cloudnative-pg/postgresql:17.11-standard-trixie"
NETWORK: dict[str, Any] = {
    "networks": ["10.244.0.0/16", "192.168.10.0/24"],
    "podCidr": "10.244.0.0/16",
    "serviceCidr": "10.96.0.0/16",
}
BALANCER = {"address": ADDRESS, "pool": {"addresses": POOL}}
BOTH: dict[str, Any] = {
    "databases": [{"name": "appdb", "owner": "admin"}],
    "users": [{"name": "admin"}, {"name": "app_user", "databases": ["appdb"]}],
}
OLD = trio(
    name="old",
    namespace="moved-old",
    instances=2,
    postgresql={"version": "17", "image": IMAGE},
    network=NETWORK | {"loadBalancer": BALANCER},
    backup={"volume": {"size": "1Gi"}},
    **BOTH,
)
NEW: dict[str, Any] = {
    "name": "moved",
    "namespace": "moved",
    "engine": "cloudnative-pg",
    "delivery": "tofu",
    "instances": 2,
    "postgresql": {"version": "17"},
    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    "storage": {"size": "10Gi"},
    "network": NETWORK,
    "monitoring": {"enabled": False},
    "silence": ["PGHA-W607"],
    **BOTH,
}
DATA = """
CREATE TABLE ledger (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE ballast (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL);
INSERT INTO ballast (text) SELECT repeat(md5(n::text), 32) FROM generate_series(1, 100000) n;
CREATE INDEX ON ballast (md5(text));
CREATE SCHEMA shop;
CREATE TABLE shop."Order lines" (line int PRIMARY KEY, entry bigint REFERENCES ledger, price numeric CHECK (price > 0));
CREATE VIEW shop.latest AS SELECT max(id) FROM ledger;
CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
COMMENT ON TABLE ballast IS 'it''s heavy';
REVOKE INSERT ON ballast FROM app_user;
SELECT setval('ledger_id_seq', 5000);
"""
WRITER = """
import json, sys, time, psycopg
login, connection = json.load(sys.stdin), None
while True:
    try:
        if connection is None:
            connection = psycopg.connect(**login, connect_timeout=2, tcp_user_timeout=2000, autocommit=True)
        (id_,) = connection.execute("INSERT INTO ledger DEFAULT VALUES RETURNING id").fetchone()
        print(json.dumps([time.monotonic(), id_]), flush=True)
        time.sleep(0.02)
    except psycopg.Error:
        connection = None
        time.sleep(0.1)
"""
ASKER = """
import json, sys, psycopg
login, statements = json.load(sys.stdin)
with psycopg.connect(**login, connect_timeout=5, autocommit=True) as connection:
    for sql in statements:
        try:
            print(connection.execute(sql).fetchall())
        except psycopg.Error as error:
            print(type(error).__name__)
"""


def stand_in() -> list[dict[str, Any]]:
    """What the chart would bring: a server and its names."""
    labels = {
        "app.kubernetes.io/name": "postgresql-ha",
        "app.kubernetes.io/instance": "old",
        "app.kubernetes.io/component": "postgresql",
        "role": "data",
    }
    start = (
        'cd /data && if [ ! -d pg ]; then printf %s "$POSTGRES_POSTGRES_PASSWORD" > password && initdb -D pg '
        "-U postgres -E UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --pwfile=password && rm password && "
        "echo 'host all all all scram-sha-256' >> pg/pg_hba.conf; fi && "
        "exec postgres -D pg -c listen_addresses='*' -c unix_socket_directories=/data -c max_wal_size=2GB"
    )
    secret = {"name": "old-postgresql-credentials", "key": "postgres-password"}
    container = {
        "name": "postgresql",
        "image": IMAGE,
        "command": ["bash", "-c", start],
        "ports": [{"name": "postgresql", "containerPort": 5432}],
        "env": [{"name": "POSTGRES_POSTGRES_PASSWORD", "valueFrom": {"secretKeyRef": secret}}],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-h", "127.0.0.1"]}, "periodSeconds": 2},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    restricted = {"runAsNonRoot": True, "runAsUser": 26, "fsGroup": 26, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"securityContext": restricted, "containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    server = {"replicas": 1, "serviceName": "old-postgresql-headless", "selector": {"matchLabels": labels}}
    return [
        named("v1", "Service", "old-postgresql-headless", {"clusterIP": "None", "selector": labels}),
        named("apps/v1", "StatefulSet", "old-postgresql", server | {"template": template}),
    ]


def named(api: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": OLD.namespace}, "spec": spec}


def secrets_of(cluster: Cluster) -> list[dict[str, Any]]:
    found = []
    for each in plan(cluster).secrets:
        text = each.data | {key: secrets.token_hex(8) for key in each.passwords}
        meta = {"name": each.name, "namespace": each.namespace}
        found.append({"apiVersion": "v1", "kind": "Secret", "type": each.type, "metadata": meta, "stringData": text})
    return found


class Move:
    """Old cluster, new cluster, the folder with the new one's file, and a client on the LAN."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.kubectl = database.kubectl
        self.folder = folder
        (folder / "clusters").mkdir()
        self.objects = {(obj["kind"], obj["metadata"]["name"]): obj for obj in plan(OLD).stack}
        # No Pgpool-II here: the address leads to the server itself.
        self.objects["Service", "old-external"]["spec"]["selector"]["app.kubernetes.io/component"] = "postgresql"

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "--filename=-", stdin="\n---\n".join(json.dumps(obj) for obj in objects))

    def start(self) -> None:
        self.apply(self.objects["Namespace", OLD.namespace], *secrets_of(OLD))
        self.apply(*stand_in(), *(obj for (kind, _), obj in self.objects.items() if kind != "Namespace"))
        job = next(name for kind, name in self.objects if kind == "Job")
        self.kubectl("wait", "--for=condition=complete", "--timeout=100s", f"--namespace={OLD.namespace}", f"job/{job}")
        self.old("psql", "-Xq", "--set=ON_ERROR_STOP=1", "--dbname=appdb", stdin=f"SET ROLE admin;\n{DATA}")

    def file(self, name: str, *, balancer: bool) -> None:
        network = NETWORK | ({"loadBalancer": BALANCER} if balancer else {})
        (self.folder / name).write_text(json.dumps(NEW | {"network": network}))

    def old(self, *words: str, stdin: str | None = None) -> str:
        shell = 'PGPASSWORD=$POSTGRES_POSTGRES_PASSWORD exec "$@" -h 127.0.0.1 -U postgres'
        where = ("exec", "-i", f"--namespace={OLD.namespace}", "old-postgresql-0", "--")
        return self.kubectl(*where, "sh", "-c", shell, "-", *words, stdin=stdin)

    def new(self, sql: str) -> str:
        words = (
            "get",
            "clusters.postgresql.cnpg.io/moved",
            "--namespace=moved",
            "-o=jsonpath={.status.currentPrimary}",
        )
        where = ("exec", "--namespace=moved", self.kubectl(*words), "-c", "postgres", "--")
        return self.kubectl(*where, "psql", "-XAtq", "--dbname=appdb", "-c", sql).strip()

    def login(self) -> dict[str, str]:
        """The connection string of a client on the LAN, as it was before the move."""
        words = ("get", "secret/old-app-user", f"--namespace={OLD.namespace}", "-o=jsonpath={.data.password}")
        password = base64.b64decode(self.kubectl(*words)).decode()
        return {"host": ADDRESS, "dbname": "appdb", "user": "app_user", "password": password}

    def ask(self, *statements: str) -> list[str]:
        """What the client on the LAN is answered, a line per statement."""
        done = subprocess.run(
            on_lan(ASKER), input=json.dumps([self.login(), statements]), text=True, check=False, timeout=30,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.stdout.splitlines()

    def bash(self, *blocks: str) -> str:
        """Blocks of the page, in the project's folder, without OpenTofu."""
        binaries = self.folder / "bin"
        binaries.mkdir(exist_ok=True)
        here = Path(sys.executable).parent
        for program in (programs.program("kubernetes", "kubectl"), here / "pgha", here / "lab"):
            (binaries / program.name).unlink(missing_ok=True)
            (binaries / program.name).symlink_to(program)
        done = subprocess.run(
            ["bash", "-c", "\n".join(blocks)], cwd=self.folder, text=True, check=False, timeout=500,
            env=clean_environment() | {"PATH": f"{binaries}:/usr/bin:/bin", "KUBECONFIG": str(STATE / "kubeconfig")},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


def on_lan(program: str) -> list[str]:
    return [str(ROOT / ".venv/bin/lab"), "run-on-lan", "--", sys.executable, "-c", program]


def blocks() -> list[str]:
    """The page's, with this test's names in the first."""
    found: list[str] = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == 11
    for name, value in {
        "old_namespace": OLD.namespace, "old": "old", "new_namespace": "moved", "new": "moved",
    }.items():  # fmt: skip
        found[0], count = re.subn(
            rf"^(.*?)\b{name}=\S+", rf"\g<1>{name}={value}", found[0], count=1, flags=re.MULTILINE
        )
        assert count == 1, name
    return found


def acknowledged(path: Path) -> list[tuple[float, int]]:
    """When and which, in order; the last line may be half written."""
    return [tuple(json.loads(line)) for line in path.read_text().splitlines() if line.endswith("]")]


@pytest.fixture(scope="module")
def move(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Move]:
    found = Move(database, tmp_path_factory.mktemp("move"))
    try:
        found.start()
        found.file("clusters/moved.yaml", balancer=False)
        found.bash("pgha up moved")
        yield found
    finally:
        database.kubectl("delete", "namespace", OLD.namespace, "moved", "--ignore-not-found", "--wait=false")
        pools = "l2advertisements.metallb.io,ipaddresspools.metallb.io"
        database.kubectl("delete", pools, "old", "moved", "--namespace=metallb-system", "--ignore-not-found")
        names = ("get", "namespace", OLD.namespace, "moved", "--ignore-not-found", "--output=name")
        eventually(lambda: not database.kubectl(*names).strip(), within=300, every=2)


def test_the_backup_of_the_old_engine_runs_in_its_pod(move: Move) -> None:
    """The CronJob's own pod, with its volume, its Secret and its restrictions."""
    where = f"--namespace={OLD.namespace}"
    move.kubectl("create", "job", "backup-now", "--from=cronjob/old-backup", where)
    move.kubectl("wait", "--for=condition=complete", "--timeout=100s", "job/backup-now", where)
    assert re.search(r"backup-\d{8}-\d{6}: \d+ KiB, 2 databases", move.kubectl("logs", "job/backup-now", where))


def test_the_page_moves_everything_and_clients_keep_their_connection_string(
    move: Move, figures: list[str], tmp_path: Path
) -> None:
    steps, log, login = blocks(), tmp_path / "acknowledged", move.login()
    move.file("with-address.yaml", balancer=True)
    with log.open("w") as out, subprocess.Popen(
        on_lan(WRITER), stdin=subprocess.PIPE, stdout=out, start_new_session=True, text=True
    ) as writer:  # fmt: skip
        try:
            assert writer.stdin is not None
            with writer.stdin as stdin:
                stdin.write(json.dumps(login))
            eventually(lambda: len(acknowledged(log)) > 20, within=30)
            edited = "cp with-address.yaml clusters/moved.yaml"  # as a person edits the file before step 6
            report = move.bash(*steps[:8], edited, *steps[8:10])
            done = time.monotonic()
            eventually(lambda: acknowledged(log)[-1][0] > done, within=60)
        finally:
            os.killpg(writer.pid, signal.SIGKILL)
    assert "appdb: the same" in report, report
    assert not re.search(r"^(role|setting)\|", report, re.MULTILINE), report
    assert login["password"] not in report

    written = acknowledged(log)
    ids = [id_ for _, id_ in written]
    assert min(ids) > 5000
    assert ids == sorted(set(ids)), "a sequence went back"
    lost = set(ids) - {int(line) for line in move.new("SELECT id FROM ledger").splitlines()}
    assert not lost, f"{len(lost)} acknowledged writes are gone"

    outage = max(later - earlier for (earlier, _), (later, _) in pairwise(written))
    size = int(move.new("SELECT pg_database_size('appdb')")) / 2**20
    rehearsed = re.findall(r"^real\s+(\d+)m([\d.]+)s", report, re.MULTILINE)
    copied = sum(60 * int(minutes) + float(seconds) for minutes, seconds in rehearsed)
    figures.append(
        f"move from bitnami: write outage {outage:.1f} s for {size:.0f} MB (one copy: {copied:.1f} s); "
        f"{len(ids)} acknowledged writes, none lost"
    )


def test_owners_and_privileges_came_along(move: Move) -> None:
    owners = move.new(
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE nspname IN ('public', 'shop')"
    )
    assert owners == "admin"
    answers = move.ask(
        "SELECT shop.twice(2)",
        "SELECT count(*) FROM ballast",
        "INSERT INTO ballast (text) VALUES ('x')",
        "CREATE TABLE mine ()",
    )
    assert answers == ["[(4,)]", "[(100000,)]", "InsufficientPrivilege", "InsufficientPrivilege"]


def test_the_old_cluster_lets_nobody_in_but_its_backup(move: Move) -> None:
    asked = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY 1"
    assert move.old("psql", "-XAtqc", asked).split() == ["pgha_backup", "pgha_monitor"]


def test_the_way_back_leads_back(move: Move) -> None:
    steps = blocks()
    closed = "closed=$(printf 'ALTER ROLE admin\\nALTER ROLE app_user')"
    move.bash(*steps[:2], closed, steps[10])
    pools = [move.objects[kind, "old"] for kind in ("IPAddressPool", "L2Advertisement")]
    move.apply(*pools, move.objects["Service", "old-external"])  # what the old file asks for again
    eventually(lambda: move.ask("SHOW cluster_name") == ["[('',)]"], within=60)  # the operator gives one
