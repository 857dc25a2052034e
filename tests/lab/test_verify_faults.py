"""Every check seen to fail on a real cluster: tests/lab/clusters/broken.yaml, broken step by step.

Two kinds of fault. The cluster is less than its file promises: then the same cluster is verified against a file that
promises more. Or somebody did something to it: a rule in pg_hba, a second primary behind its labels, a replay that
stands still, no connection left. SEEN says which checks have failed here; tests/unit/verify has a faked fault for each.
"""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from running_lab import ROOT, Database, clean_environment, eventually, run

from lab import kubernetes
from pgha.verify.registry import checks

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

PGHA = str(ROOT / ".venv/bin/pgha")
NAMESPACE = "broken"
IMAGE = "ghcr.io/cloudnative-pg/postgresql:17.11-standard-trixie"

NEVER_IN_THE_LAB = {
    "SC-005": "43 minutes of outage; the ledger's arithmetic is tested instead",
    "SC-007.time": "the same",
    "EDGE-2": "PostgreSQL always answers; a proxy that does not is another program",
    "EDGE-5": "no volume of the lab can be filled to nine tenths of its size",
    "P-VII": "never judged on a cluster",
}
"""Checks whose fault is only faked, in tests/unit/verify/test_verify_checks.py, and why."""

SEEN: set[str] = set()
"""Checks that have failed on the lab in this session."""


def kubectl(*words: str, stdin: str | None = None) -> str:
    return kubernetes.kubectl(*words, stdin=stdin, timeout=120)


def apply(*objects: dict[str, Any]) -> None:
    for obj in objects:
        obj["metadata"]["namespace"] = NAMESPACE
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def ask(pod: str, sql: str) -> str:
    psql = ("psql", "-XAtq", "-U", "postgres", "-d", "app", "-c", sql)
    return kubectl("exec", f"--namespace={NAMESPACE}", pod, "--container=postgres", "--", *psql).strip()


def roles() -> tuple[str, str]:
    """Primary and standby."""
    pods = ("broken-1", "broken-2")
    answers = {pod: ask(pod, "SELECT pg_is_in_recovery()") for pod in pods}
    return next(pod for pod in pods if answers[pod] == "f"), next(pod for pod in pods if answers[pod] == "t")


@dataclass
class Broken:
    """The running cluster, its file, and what verify says of it."""

    file: Path
    reports: Path
    figures: list[str]
    spent: list[float] = field(default_factory=list)

    def promising(self, name: str, **changes: Any) -> Path:
        """A file about the same cluster that promises something else."""
        wanted = yaml.safe_load(self.file.read_text())
        for path, value in changes.items():
            place = wanted
            *parents, last = path.split("__")
            for key in parents:
                place = place.setdefault(key, {})
            place[last] = value
        path_ = self.file.parent / f"{name}.yaml"
        path_.write_text(yaml.safe_dump(wanted))
        an_hour_ago = time.time() - 3600
        os.utime(path_, (an_hour_ago, an_hour_ago))
        return path_

    def verify(self, *words: str, file: Path | None = None) -> dict[str, list[str]]:
        """The evidence of every check that failed; the exit code is checked against it."""
        begun = time.monotonic()
        done = subprocess.run(
            [PGHA, "verify", str(file or self.file), "--output", "json", *words], cwd=ROOT, env=clean_environment(),
            text=True, check=False, timeout=550, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        self.spent.append(time.monotonic() - begun)
        assert done.stdout, done.stderr
        facts = json.loads(done.stdout)
        found = {each["id"]: each["evidence"] for each in facts["results"] if each["status"] == "failed"}
        unread = {each["id"]: each["evidence"] for each in facts["results"] if each["unread"]}
        assert done.returncode == (1 if found else 2 if unread else 0), done.stderr
        assert not unread
        SEEN.update(found)
        return found


@pytest.fixture(scope="module")
def broken(database: Database, tmp_path_factory: pytest.TempPathFactory, figures: list[str]) -> Iterator[Broken]:
    folder = tmp_path_factory.mktemp("broken")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    file = folder / "broken.yaml"
    shutil.copy(ROOT / "tests/lab/clusters/broken.yaml", file)
    up = run(PGHA, "up", str(file))
    assert up.code == 0, up.out
    found = Broken(file, tmp_path_factory.mktemp("reports"), figures)
    yield found
    figures.append(
        f"faults seen by pgha verify: {len(SEEN)} checks in {sum(found.spent):.0f} s of {len(found.spent)} runs"
    )
    for _ in range(2):  # a busy control plane takes longer than pgha waits; the same command continues
        down = run(PGHA, "down", str(file), "--destroy", "broken")
        if down.code == 0:
            break
    assert down.code == 0, down.out


def test_before_anything_is_broken(broken: Broken) -> None:
    """Of all checks only those fail whose fault the file itself has: half the connections, and not in Git."""
    found = broken.verify("--report", str(broken.reports))
    slow = {"SC-001", "SC-002", "SC-008.lan", "SC-008.pod"}  # what a busy machine breaks
    assert found.keys() - slow == {"SC-003", "FR-009"}, found
    assert "47 for 100" in found["SC-003"][0] or "of 100 connected" in found["SC-003"][0]


def test_a_cluster_that_is_less_than_its_file(broken: Broken) -> None:
    kubectl("create", "secret", "generic", "broken-other", f"--namespace={NAMESPACE}", "--from-literal=username=other",
            "--from-literal=password=wrong")  # fmt: skip
    primary, _ = roles()
    ask(primary, "CREATE ROLE powerful LOGIN SUPERUSER PASSWORD 'x'")
    file = broken.promising(
        "more",
        instances=3,
        delivery="argocd",
        postgresql__version="16",
        postgresql__parameters={"max_connections": 50, "work_mem": "16MB"},
        storage__size="20Gi",
        network__loadBalancer__address="192.168.10.109",
        network__loadBalancer__readOnlyAddress="192.168.10.110",
        network__networks=["10.244.0.0/16"],
        databases=[{"name": "app", "owner": "app", "collation": "C.UTF-8"}, {"name": "orders", "owner": "powerful"}],
        users=[{"name": "app", "passwordSecret": "broken-other", "connectionLimit": 7}, {"name": "powerful"}],
        monitoring={"enabled": True},
        gitops={"repoURL": "https://git.example.com/x.git"},
        backup={"objectStore": {"destination": "s3://bucket/folder", "credentialsSecret": "keys"}},
    )
    found = broken.verify("--no-lan", file=file)
    assert found.keys() >= {
        "SC-006", "SC-007.routing", "FR-001", "FR-005.instances", "FR-005.streaming", "FR-007.balancer",
        "FR-007.networks", "FR-010", "FR-011.declared", "FR-012.recent", "EDGE-4", "EDGE-6", "DM-3", "DM-4",
        "DM-4.secrets", "DM-6", "P-I", "P-II", "P-IV.alerts", "P-VIII",
    }  # fmt: skip
    said = "; ".join(line for lines in found.values() for line in lines)
    for words in (
        "2 ready of 2 pods; the file asks for 3",
        "password authentication failed",
        "192.168.10.0",
        "there is no Service broken-external-ro",
        "app may hold -1, the file says 7",
        "runs 17.11, the file says 16",
        "there is no database orders",
        "powerful is a superuser",
        "there is no Secret broken-powerful",
        "Secret broken-other is of user other",
        "has 10Gi, the file asks for 20Gi",
        "work_mem is 8192kB, the file says 16MB",
        "there is no Application",
    ):
        assert words in said, (words, said)


def second_primary(node: str, claim: str) -> dict[str, Any]:
    """A server of its own behind the cluster's labels, as a restored copy that nobody took away would be.

    It sits on the standby's node and mounts the standby's volume too.
    """
    options = "-c listen_addresses=* -c unix_socket_directories=/tmp -c fsync=off -c wal_sender_timeout=0"
    script = f"initdb -D /tmp/data -U postgres --auth=trust >/dev/null && exec postgres -D /tmp/data {options}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "second", "labels": {"cnpg.io/cluster": "broken", "cnpg.io/podRole": "instance"}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsUser": 26, "runAsGroup": 26, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "postgres",
                    "image": IMAGE,
                    "command": ["sh", "-c", script],
                    "env": [{"name": "PGHOST", "value": "/tmp"}],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "shared", "mountPath": "/shared", "readOnly": True}],
                }
            ],
            "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": claim}}],
        },
    }  # fmt: skip


def test_a_second_primary(broken: Broken) -> None:
    """It answers on the node of a standby, with its volume; a Service would show only one of the two."""
    _, standby = roles()
    node = json.loads(kubectl("get", "pod", standby, f"--namespace={NAMESPACE}", "-ojson"))["spec"]["nodeName"]
    apply(second_primary(node, standby))
    try:
        eventually(lambda: "f" in _quiet(lambda: ask("second", "SELECT pg_is_in_recovery()")), within=60)
        metered = broken.promising("metered", monitoring={"enabled": True})
        found = broken.verify("--only", "FR-00*,EDGE-*,DM-6.own,P-*", "--no-lan", file=metered)
    finally:
        kubectl("delete", "pod", "second", f"--namespace={NAMESPACE}", "--wait=true")
    assert found.keys() >= {
        "FR-005.primary", "FR-008", "FR-005.nodes", "FR-005.instances", "FR-004", "FR-006.methods", "EDGE-1", "EDGE-3",
        "EDGE-7", "DM-6.own", "P-I", "P-III", "P-IV.metrics", "P-V", "P-VI",
    }  # fmt: skip
    assert "second" in found["FR-005.primary"][0]
    assert "serves" in found["DM-6.own"][0]


def _quiet(question: Any) -> str:
    try:
        return str(question())
    except Exception as error:
        return str(error)


def service(name: str, address: str | None, selector: dict[str, str], **spec: Any) -> dict[str, Any]:
    notes = {"metallb.io/loadBalancerIPs": address, "metallb.io/address-pool": "lab"} if address else {}
    port = {"name": "postgresql", "port": 5432, "targetPort": 5432}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": notes},
        "spec": {"selector": {"cnpg.io/cluster": "broken"} | selector, "ports": [port]} | spec,
    }


def test_what_hands_can_do(broken: Broken) -> None:
    """A pg_hba open to everybody, Services that nobody planned, one made anew, a replay that stands still."""
    primary, standby = roles()
    ask(standby, "SELECT pg_wal_replay_pause()")
    ask(primary, "CREATE TABLE later (id int); INSERT INTO later VALUES (1)")
    live = json.loads(kubectl("get", "clusters.postgresql.cnpg.io", "broken", f"--namespace={NAMESPACE}", "-ojson"))
    rules = live["spec"]["postgresql"]["pg_hba"]
    open_ = ["host all nobody_at_all 0.0.0.0/0 trust", "host all all 0.0.0.0/0 trust"]
    change = json.dumps({"spec": {"postgresql": {"pg_hba": [*open_, *rules]}}})
    kubectl(
        "patch",
        "clusters.postgresql.cnpg.io",
        "broken",
        f"--namespace={NAMESPACE}",
        "--type=merge",
        f"--patch={change}",
    )
    apply(
        service("broken-standby", "192.168.10.109", {"cnpg.io/instanceRole": "replica"}, type="LoadBalancer"),
        service("broken-door", None, {}, type="NodePort"),
        service("broken-odd", "192.168.10.110", {}, type="LoadBalancer")
        | {
            "spec": {
                "selector": {"cnpg.io/cluster": "broken"},
                "type": "LoadBalancer",
                "ports": [{"port": 5433, "targetPort": 5432}],
            }
        },
    )
    kubectl("delete", "service", "broken-r", f"--namespace={NAMESPACE}")
    eventually(lambda: "trust" in ask(primary, "SELECT string_agg(auth_method, ',') FROM pg_hba_file_rules"), within=60)
    eventually(lambda: "broken-r" in kubectl("get", "services", f"--namespace={NAMESPACE}", "-oname"), within=60)
    time.sleep(3)
    found = broken.verify("--report", str(broken.reports), "--write")
    assert found.keys() >= {
        "SC-004", "FR-005.streaming", "FR-006.pod", "FR-006.lan", "FR-006.methods", "FR-007.networks",
        "FR-007.stranger", "FR-007.balancer", "FR-007.public", "FR-010", "FR-010.hands", "FR-011.unchanged", "P-IX",
    }  # fmt: skip
    assert f"{standby} lacks 400 of 400" in found["SC-004"][0]
    assert "let in" in "; ".join(found["FR-006.pod"])

    wrong_way = broken.promising("wrong-way", network__loadBalancer__address="192.168.10.109")
    found = broken.verify("--only", "SC-002,FR-002,FR-005.routing,FR-011.declared,SC-006", file=wrong_way)
    assert found.keys() >= {"FR-005.routing", "FR-011.declared", "SC-006"}
    assert "5 of 5 answers from a standby" in "; ".join(found["FR-005.routing"])


def password() -> str:
    secret = json.loads(kubectl("get", "secret", "broken-app", f"--namespace={NAMESPACE}", "-ojson"))
    return base64.b64decode(secret["data"]["password"]).decode()


def test_no_connection_is_left(broken: Broken) -> None:
    """Somebody holds them all: the same cluster, healthy in every other respect, serves nobody."""
    held = []
    try:
        while len(held) < 60:
            try:
                held.append(
                    psycopg.connect(
                        host="127.168.10.107", user="app", dbname="app", password=password(), connect_timeout=5
                    )
                )
            except psycopg.OperationalError:
                break
        found = broken.verify("--only", "SC-001,SC-002,SC-003,SC-008,FR-001,FR-002,FR-003")
    finally:
        for each in held:
            each.close()
    assert found.keys() >= {"SC-001", "SC-002", "SC-008.pod", "SC-008.lan", "FR-001", "FR-002", "FR-003"}
    assert "connection slots" in found["SC-001"][0] or "too many clients" in found["SC-001"][0]


def test_a_standby_that_lags(broken: Broken) -> None:
    """Its replay has stood still for a minute by now."""
    _, standby = roles()
    eventually(
        lambda: float(ask(standby, "SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())")) > 61,
        within=90,
    )
    try:
        found = broken.verify("--only", "FR-005.lag")
        status = run(PGHA, "status", str(broken.file))
    finally:
        ask(standby, "SELECT pg_wal_replay_resume()")
    assert standby in "; ".join(found["FR-005.lag"])
    assert standby in status.out


def test_status_says_that_it_is_not_ready(broken: Broken) -> None:
    done = run(PGHA, "status", str(broken.promising("three", instances=3)))
    assert done.code == 1, done.out
    assert "2 of 3 instances ready" in done.out


def test_every_check_has_been_seen_to_fail() -> None:
    """Here, or, with the reason why not here, in tests/unit/verify/test_verify_checks.py."""
    every = {each.id for each in checks()}
    assert every >= NEVER_IN_THE_LAB.keys()
    if len(SEEN) > 20:  # all tests of this file ran
        assert sorted(every - SEEN) == sorted(NEVER_IN_THE_LAB)
