"""What the product promises, on a real cluster: the README's commands, a LAN client, a pod, and things that die."""

import re
import threading
import time

import psycopg
import pytest
from running_lab import NAMESPACE, Database, eventually, run

from lab.home import STATE
from pgha.delivery.kubernetes import Api

pytestmark = pytest.mark.lab


def test_up_prints_the_endpoints(database: Database) -> None:
    printed = database.first_up.out if database.first_up else run("make", "up").out
    assert "192.168.10.100" in printed
    assert "lab-rw.lab-postgresql.svc.cluster.local" in printed
    assert "127.168.10.100" in printed
    assert database.password() not in printed


def test_three_instances_run_on_three_nodes(whole: Database) -> None:
    nodes = [pod["spec"]["nodeName"] for pod in whole.pods().values()]
    assert sorted(nodes) == ["n1", "n2", "n3"]


def test_up_again_changes_nothing(whole: Database, figures: list[str]) -> None:
    def versions() -> dict[str, str]:
        kinds = "secrets,services,networkpolicies,clusters.postgresql.cnpg.io,persistentvolumeclaims,pods"
        return {
            f"{item['kind']}/{item['metadata']['name']}": str(
                item["metadata"].get("generation", item["metadata"]["uid"])
            )
            for item in whole.get(kinds)["items"]
        }

    before, password = versions(), whole.password()
    again = run("make", "--no-print-directory", "up")
    assert again.code == 0, again.out
    figures.append(f"make up again: {again.seconds:.1f} s")
    assert "nothing changed" in again.out
    assert versions() == before
    assert whole.password() == password


def test_what_the_lan_writes_a_pod_reads_also_after_every_pod_was_deleted(whole: Database) -> None:
    with whole.from_lan() as connection:
        connection.execute("create table if not exists read_back (id int primary key, text text)")
        connection.execute("truncate read_back")
        connection.execute("insert into read_back select n, 'row ' || n from generate_series(1, 1000) n")
    primary = whole.status()["currentPrimary"]
    assert whole.in_pod(primary, "select count(*) from read_back") == "1000"

    for pod in whole.pods():
        whole.kubectl("delete", "pod", f"--namespace={NAMESPACE}", pod, "--wait=true")
        whole.heal()

    for pod in whole.pods():
        eventually(lambda pod=pod: whole.in_pod(pod, "select count(*) from read_back") == "1000", within=30)
    with whole.from_lan() as connection:
        assert connection.execute("select count(*), max(id) from read_back").fetchone() == (1000, 1000)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"user": "nobody"}, "password authentication failed|no pg_hba.conf entry|rejects connection"),
        ({"user": "postgres", "dbname": "postgres"}, "password authentication failed|rejects connection"),
    ],
    ids=["wrong password", "unknown user", "superuser"],
)
def test_fails_to_connect_with(database: Database, changes: dict[str, str], words: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=words):
        database.from_lan(**changes)


def test_exactly_one_instance_takes_writes(whole: Database) -> None:
    answers = {pod: whole.in_pod(pod, "select pg_is_in_recovery()") for pod in whole.pods()}
    assert sorted(answers.values()) == ["f", "t", "t"]


def test_lan_address_serves_writes_after_the_primary_was_killed(whole: Database, figures: list[str]) -> None:
    with whole.from_lan() as connection:
        connection.execute(
            "create table if not exists survives (id bigint generated always as identity, at timestamptz)"
        )
        connection.execute("insert into survives (at) values (now())")
    before = whole.status()["currentPrimary"]
    whole.kubectl("delete", "pod", f"--namespace={NAMESPACE}", before, "--grace-period=0", "--force")
    killed = time.monotonic()

    def written() -> bool:
        with whole.from_lan() as connection:
            connection.execute("insert into survives (at) values (now())")
        return True

    eventually(written, within=60)
    outage = time.monotonic() - killed
    figures.append(f"primary's pod killed, the LAN address takes writes again: {outage:.1f} s")
    with whole.from_lan() as connection:
        assert (connection.execute("select count(*) from survives").fetchone() or (0,))[0] >= 2


def test_a_node_that_lost_power_rejoins(whole: Database) -> None:
    primary = whole.status()["currentPrimary"]
    nodes = {pod["spec"]["nodeName"]: name for name, pod in whole.pods().items()}
    name = next(node for node in ("n3", "n2") if nodes[node] != primary)
    assert run(".venv/bin/lab", "node", "stop", name).code == 0
    status = run(".venv/bin/lab", "status")
    assert status.code == 1
    assert re.search(rf"^{name}\s+stopped$", status.out, re.MULTILINE)
    started = run(".venv/bin/lab", "node", "start", name)
    assert started.code == 0, started.out
    whole.heal()
    assert run(".venv/bin/lab", "status").code == 0


def test_an_answer_from_inside_a_pod_leaves_nobody_reading(whole: Database) -> None:
    """A thread that goes on reading a closed socket takes the bytes of whoever gets the socket's number next."""
    api = Api.connect(STATE / "kubeconfig")
    before = set(threading.enumerate())
    words = ["psql", "-XAtq", "-U", "postgres", "-c", "SELECT repeat('x', 30000)"]
    answers = [api.execute(NAMESPACE, pod, "postgres", words) for pod in whole.pods()]
    assert [len(answer) for answer in answers] == [30001] * 3
    assert set(threading.enumerate()) == before


def test_host_of_the_lan_reaches_the_address_itself(database: Database) -> None:
    probe = "import socket; socket.create_connection(('192.168.10.100', 5432), 5)"
    assert run(".venv/bin/lab", "run-on-lan", ".venv/bin/python", "-c", probe).code == 0


def test_this_machine_has_no_route_to_the_lan(database: Database) -> None:
    routes = run("ip", "route", "show", "table", "all").out
    assert "192.168.10." not in routes
    assert "10.244." not in routes
