"""What verify asks of PostgreSQL, asked of a real primary and its standby: the statements, the client, the rows."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api, ApiError
from pgha.verify import instances, rows
from pgha.verify.archive import client
from pgha.verify.checks.capacity import percentile
from pgha.verify.readings import Missing
from tests.postgres import Server, primary, standby
from tests.support import sample

CLUSTER = sample()
PODS: list[dict[str, Any]] = [{"metadata": {"name": name}} for name in ("db-1", "db-2")]


@dataclass
class Pods:
    """Stands for the API server: a command in a pod runs here, against the server of that pod."""

    servers: dict[str, Server]
    away: set[str] = field(default_factory=set)

    def execute(self, namespace: str, pod: str, container: str, command: list[str]) -> str:
        assert (namespace, container, command[:3]) == ("db-ns", "postgres", ["psql", "-U", "postgres"])
        if pod in self.away:
            raise ApiError("nothing may be run there", "ask", 403)
        done = subprocess.run(
            ["psql", *command[3:]], env=self.servers[pod].environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ApiError(done.stderr, "read it")
        return done.stdout


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    with primary() as first:
        first.query("CREATE ROLE app LOGIN PASSWORD 'secret'")
        first.query("CREATE DATABASE app OWNER app")
        with standby(first, "127.0.0.4") as second:
            deadline = time.monotonic() + 30
            while first.query("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") != "1":
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield first, second


@pytest.fixture
def pods(pair: tuple[Server, Server]) -> Pods:
    return Pods(dict(zip(("db-1", "db-2"), pair, strict=True)))


def api(pods: Pods) -> Api:
    return cast("Api", pods)


@pytest.mark.parametrize("glance", [True, False])
def test_every_instance_says_what_the_checks_need(pods: Pods, glance: bool) -> None:
    found = instances.read(api(pods), CLUSTER, PODS, glance=glance)
    assert isinstance(found, dict)
    assert [found[name]["in_recovery"] for name in ("db-1", "db-2")] == [False, True]
    assert found["db-1"]["system"] == found["db-2"]["system"]
    assert found["db-1"]["timeline"] == 1
    assert [each["state"] for each in found["db-1"]["standbys"]] == ["streaming"]
    assert found["db-2"]["receiver"]["status"] == "streaming"
    assert found["db-2"]["replay_paused"] is False
    assert found["db-1"]["bytes"] > 0
    if not glance:
        assert found["db-1"]["settings"]["fsync"] == "off"
        assert {each["name"] for each in found["db-1"]["databases"]} == {"app", "postgres"}
        assert next(each for each in found["db-1"]["roles"] if each["name"] == "app")["password"] == "scram-sha-256"
        assert any(each["address"] == "all" for each in found["db-1"]["hba"])
        assert {"segment", "failed_at"} <= found["db-1"]["archiver"].keys()


def test_an_instance_that_does_not_answer_is_told_apart(pods: Pods) -> None:
    pods.away = {"db-2"}
    found = instances.read(api(pods), CLUSTER, PODS, glance=True)
    assert isinstance(found, dict)
    assert "error" in found["db-2"]
    assert "error" not in found["db-1"]


def test_nobody_may_be_asked(pods: Pods) -> None:
    pods.away = {"db-1", "db-2"}
    found = instances.read(api(pods), CLUSTER, PODS)
    assert isinstance(found, Missing)
    assert "pods/exec" in found.reason


def asked(server: Server, *steps: str, **more: Any) -> dict[str, Any]:
    """The client's facts by step, run as `pgha verify` runs it on the LAN."""
    request = {
        "steps": list(steps),
        "endpoints": [{"host": server.host, "port": server.port, "tls": "prefer"}],
        "logins": [{"user": "app", "database": "app", "password": "secret"}],
        "tls_required": False,
        "connections": 40,
        "rate": 50.0,
        "seconds": 1.0,
        "rows": 20,
        "origin": "test",
        "exporters": ["127.0.0.1"],
    }
    done = subprocess.run(
        [sys.executable, "-m", "pgha.verify.client"], input=json.dumps(request | more) + "\n", text=True,
        capture_output=True, check=True, timeout=100,
    )  # fmt: skip
    return {line["step"]: line["facts"] for line in map(json.loads, done.stdout.splitlines())}


def test_client_measures(pair: tuple[Server, Server]) -> None:
    found = asked(pair[0], "connections", "logins", "refusals", "concurrent", "mixed", "hundred", "metrics")
    (end,) = found["connections"]["endpoints"]
    assert len(end["seconds"]) == 5
    assert [answer["in_recovery"] for answer in end["answers"]] == [False] * 5
    assert found["logins"]["logins"][0]["answer"]["user"] == "app"
    attempts = found["refusals"]["attempts"]
    assert {name: each["sqlstate"] for name, each in attempts.items()} == dict.fromkeys(attempts, "28P01")
    assert found["concurrent"] == {"opened": 20, "refused": []}
    assert found["mixed"]["statements"] == 50
    assert found["mixed"]["failed"] == 0
    assert found["hundred"]["opened"] == 40
    assert found["hundred"]["room"]["limit"] == 97
    assert percentile(found["hundred"]["many"]["milliseconds"], 0.95) > 0
    assert "error" in found["metrics"]["exporters"][0]


def test_client_tells_a_standby(pair: tuple[Server, Server]) -> None:
    (end,) = asked(pair[1], "connections")["connections"]["endpoints"]
    assert all(answer["in_recovery"] for answer in end["answers"])


def test_client_knows_the_limit_and_that_it_ends(pair: tuple[Server, Server]) -> None:
    found = asked(pair[0], "limit")["limit"]
    assert 80 < found["opened"] <= 97
    assert found["refusal"]["sqlstate"] == "53300"
    assert found["afterwards"]["connected"]


def test_client_says_what_is_in_the_way(pair: tuple[Server, Server]) -> None:
    away = [{"host": pair[0].host, "port": 1, "tls": "prefer"}]
    found = asked(pair[0], "connections", "mixed", endpoints=away)
    assert found["connections"]["endpoints"][0]["errors"][0]["sqlstate"] is None
    assert found["mixed"]["refused"]


def test_client_counts_only_commits_that_reached_the_standby(pair: tuple[Server, Server]) -> None:
    """A wait for a synchronous standby that is cancelled looks like success: the server only warns."""
    first = pair[0]
    first.query("CREATE SCHEMA pgha_verify AUTHORIZATION app", "app")
    first.query("CREATE TABLE pgha_verify.acknowledged (origin text, n int)", "app")
    first.query("GRANT INSERT ON pgha_verify.acknowledged TO app", "app")
    try:
        assert len(asked(first, "write")["write"]["acknowledged"]) == 20
        first.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        first.query("SELECT pg_reload_conf()")
        cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        loop = f'while sleep 0.2; do psql -XAtq -c "{cancel}"; done'
        with subprocess.Popen(["sh", "-c", loop], env=first.environment(), stdout=subprocess.DEVNULL) as canceller:
            found = asked(first, "write", rows=4)["write"]
            canceller.terminate()
        assert found["acknowledged"] == []
    finally:
        first.query("ALTER SYSTEM RESET synchronous_standby_names")
        first.query("SELECT pg_reload_conf()")
        first.query("DROP SCHEMA pgha_verify CASCADE", "app")


def test_rows_are_looked_for_on_every_instance_and_nothing_remains(pods: Pods, pair: tuple[Server, Server]) -> None:
    with rows.schema(api(pods), CLUSTER, PODS, wanted=True) as missing:
        assert missing is None
        wrote = {"test": asked(pair[0], "write", "mixed", read=rows.READ, commit=rows.COMMIT)["write"]}
        assert len(wrote["test"]["acknowledged"]) == 20
        found = rows.survey(api(pods), CLUSTER, PODS, wrote)
        assert found["missing"] == {"db-1": [], "db-2": []}
        wrote["test"]["acknowledged"].append(99)  # one that never came: it must be missed
        pods_short = [PODS[0]]
        assert rows.survey(api(pods), CLUSTER, pods_short, wrote)["missing"] == {"db-1": [("test", 99)]}
    assert pair[0].query("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgha_verify'", "app") == "0"


def test_a_run_that_was_killed_is_cleaned_up_by_the_next(pods: Pods, pair: tuple[Server, Server]) -> None:
    mark = "made by pgha verify --write; safe to drop"
    pair[0].query(f"CREATE SCHEMA pgha_verify AUTHORIZATION app; COMMENT ON SCHEMA pgha_verify IS '{mark}'", "app")
    with rows.schema(api(pods), CLUSTER, PODS, wanted=True) as missing:
        assert missing is None
    assert pair[0].query("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgha_verify'", "app") == "0"


def test_somebody_elses_schema_is_left_alone(pods: Pods, pair: tuple[Server, Server]) -> None:
    pair[0].query("CREATE SCHEMA pgha_verify", "app")
    try:
        with pytest.raises(UserError, match="did not make"), rows.schema(api(pods), CLUSTER, PODS, wanted=True):
            pass
        assert pair[0].query("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgha_verify'", "app") == "1"
    finally:
        pair[0].query("DROP SCHEMA pgha_verify", "app")


def test_it_is_removed_when_the_run_is_interrupted(pods: Pods, pair: tuple[Server, Server]) -> None:
    with pytest.raises(KeyboardInterrupt), rows.schema(api(pods), CLUSTER, PODS, wanted=True):
        raise KeyboardInterrupt
    assert pair[0].query("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgha_verify'", "app") == "0"


def test_archive_runs_where_nothing_is_installed(pair: tuple[Server, Server], tmp_path: Path) -> None:
    """Python without this project and its packages: what a plain image offers."""
    archive = tmp_path / "client.pyz"
    archive.write_bytes(client())
    assert client() == archive.read_bytes()
    assert len(archive.read_bytes()) < 2**19  # a ConfigMap holds 1 MiB, and base64 takes a third more
    request = tmp_path / "request.json"
    ends = [{"host": pair[0].host, "port": pair[0].port, "tls": "prefer"}]
    logins = [{"user": "app", "database": "app", "variable": "PGHA_PASSWORD_0"}]
    request.write_text(json.dumps({"steps": ["connections"], "endpoints": ends, "logins": logins}))
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(archive), str(request)], env={"PGHA_PASSWORD_0": "secret"}, text=True,
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["facts"]["endpoints"][0]["errors"] == []
