"""The way without OpenTofu: order, Secrets that are made once, a second run that changes nothing."""

import base64
from typing import Any

from api_server import Server

from pgha.config.model import Cluster
from pgha.delivery.apply import apply
from pgha.delivery.kubernetes import Api
from pgha.delivery.removal import remove
from pgha.engines import plan
from pgha.resources.metadata import describe
from tests.support import balancer, sample

CLUSTER = sample(network=balancer())
SECRET = "/api/v1/namespaces/db-ns/secrets/db-app"


def applied(api: Api, cluster: Cluster = CLUSTER) -> tuple[list[str], list[str]]:
    """Changes, and everything that was said on the way."""
    said: list[str] = []
    return apply(api, plan(cluster), said.append), said


def password(server: Server) -> str:
    return base64.b64decode(server.objects[SECRET]["data"]["password"]).decode()


def revised(number: int) -> Cluster:
    return sample(network=balancer(), credentials={"revision": number})


def test_namespace_first_then_secrets_then_the_rest(server: Server, api: Api) -> None:
    changes, _ = applied(api)
    rest = [f"created {describe(obj)}" for obj in plan(CLUSTER).stack[1:]]
    assert changes == ["created Namespace db-ns", "created Secret db-ns/db-app", *rest]
    assert "created Cluster db-ns/db" in rest
    assert [path.rpartition("/")[0].rpartition("/")[2] for path in server.writes] == [
        "namespaces",
        "secrets",
        "ipaddresspools",
        "l2advertisements",
        "networkpolicies",
        "clusters",
        "databases",
        "databaseroles",
        "deployments",
        "jobs",
    ]


def test_a_second_run_changes_nothing(server: Server, api: Api) -> None:
    applied(api)
    before = password(server)
    assert applied(api)[0] == []
    assert password(server) == before


def test_the_job_of_an_earlier_file_goes_and_comes_back_with_it(server: Server, api: Api) -> None:
    """A finished Job that stays would not run again."""

    def jobs() -> list[str]:
        return [path for path in server.objects if "/jobs/" in path]

    applied(api)
    first = jobs()
    users = [{"name": "app"}, {"name": "guest", "databases": ["app"]}]
    changes, _ = applied(api, sample(network=balancer(), users=users))
    assert len(jobs()) == 1
    assert jobs() != first
    name = first[0].rpartition("/")[2]
    assert f"deleted Job db-ns/{name}" in changes
    assert f"created Job db-ns/{name}" in applied(api)[0]
    assert jobs() == first


def test_a_job_that_is_there_is_left_alone(server: Server, api: Api) -> None:
    """The server selects its pods by a label that nobody may take away, whoever claims it."""
    applied(api)
    before = len(server.writes)
    jobs = [path for path in server.objects if "/jobs/" in path]
    server.objects[jobs[0]]["spec"]["selector"] = {"matchLabels": {"controller-uid": "1"}}
    assert applied(api)[0] == []
    assert not [path for path in server.writes[before:] if "/jobs/" in path]


def test_what_somebody_changed_by_hand_is_taken_back(server: Server, api: Api) -> None:
    applied(api)
    server.objects["/apis/postgresql.cnpg.io/v1/namespaces/db-ns/clusters/db"]["spec"] = {"instances": 1}
    assert applied(api)[0] == ["changed Cluster db-ns/db"]


def test_a_secret_has_24_letters_and_digits_and_its_revision(server: Server, api: Api) -> None:
    applied(api)
    secret: dict[str, Any] = server.objects[SECRET]
    assert secret["type"] == "kubernetes.io/basic-auth"
    assert base64.b64decode(secret["data"]["username"]) == b"app"
    assert secret["metadata"]["annotations"] == {"pgha/credentials-revision": "1"}
    assert len(password(server)) == 24
    assert password(server).isalnum()


def test_no_password_is_said(server: Server, api: Api) -> None:
    changes, said = applied(api)
    assert password(server) not in " ".join([*changes, *said])


def test_a_raised_revision_renews_the_passwords_once(server: Server, api: Api) -> None:
    applied(api)
    before = password(server)
    changes, _ = applied(api, revised(2))
    assert "renewed the passwords of Secret db-ns/db-app" in changes
    assert password(server) != before
    assert applied(api, revised(2))[0] == []


def test_a_secret_that_somebody_put_there_is_used_as_it_is(server: Server, api: Api) -> None:
    theirs = {
        "metadata": {"name": "db-app", "resourceVersion": "1"},
        "data": {"username": "YXBw", "password": "bWluZQ=="},
    }
    server.objects[SECRET] = theirs
    applied(api)
    assert server.objects[SECRET] == theirs


def test_removal_is_the_reverse_and_says_nothing_when_there_is_nothing(server: Server, api: Api) -> None:
    applied(api)
    removed = remove(api, CLUSTER, plan(CLUSTER), timeout=5, say=lambda _: None)
    assert removed == [describe(obj) for obj in reversed(plan(CLUSTER).stack)]
    assert removed[-1] == "Namespace db-ns"
    assert remove(api, CLUSTER, plan(CLUSTER), timeout=5, say=lambda _: None) == []


def test_removal_leaves_a_pool_of_the_same_name_that_is_not_ours(server: Server, api: Api) -> None:
    applied(api)
    path = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/db"
    server.objects[path]["metadata"]["labels"]["app.kubernetes.io/instance"] = "other"
    remove(api, CLUSTER, plan(CLUSTER), timeout=5, say=lambda _: None)
    assert path in server.objects
