"""Users by password and by certificate, with the operator."""

from typing import Any

import pytest

from pgha.engines import engine_of, plan
from tests.support import sample

USERS = [{"name": "app"}, {"name": "shop", "databases": ["app"], "authentication": "cert", "connectionLimit": 5}]
CLUSTER = sample(users=USERS)


def objects(kind: str) -> list[dict[str, Any]]:
    return [obj for obj in plan(CLUSTER).stack if obj["kind"] == kind]


def test_a_certificate_user_is_a_role_object_and_nothing_in_the_cluster() -> None:
    (role,) = [obj for obj in objects("DatabaseRole") if obj["spec"]["name"] == "shop"]
    assert role["metadata"]["name"] == "db-shop"
    assert role["spec"] == {
        "cluster": {"name": "db"},
        "name": "shop",
        "login": True,
        "inherit": True,
        "superuser": False,
        "connectionLimit": 5,
        "disablePassword": True,
        "clientCertificate": {"enabled": True},
        "databaseRoleReclaimPolicy": "retain",
    }
    (cluster,) = objects("Cluster")
    assert [role["name"] for role in cluster["spec"]["managed"]["roles"]] == ["app"]


def test_its_secret_is_the_operators() -> None:
    assert [secret.name for secret in plan(CLUSTER).secrets] == ["db-app"]
    assert CLUSTER.secret_name(CLUSTER.users[1]) == "db-shop-client-cert"


def test_it_gets_in_by_certificate_and_tls_from_the_listed_networks_only() -> None:
    lines = objects("Cluster")[0]["spec"]["postgresql"]["pg_hba"]
    own = [line for line in lines if '"shop"' in line]
    assert own == ['hostssl all "shop" 10.0.0.0/8 cert', 'host all "shop" all reject']
    assert lines.index(own[1]) < lines.index("host all all 10.0.0.0/8 scram-sha-256")


def test_a_user_called_all_is_one_user() -> None:
    cluster = sample(users=[{"name": "app"}, {"name": "all", "databases": ["app"], "authentication": "cert"}])
    (live,) = [obj for obj in plan(cluster).stack if obj["kind"] == "Cluster"]
    assert 'host all "all" all reject' in live["spec"]["postgresql"]["pg_hba"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, "role shop: not made yet"),
        ({"applied": True}, "role shop: not made yet"),
        ({"applied": False, "message": "it is managed by the cluster"}, "role shop: it is managed by the cluster"),
        (
            {"applied": True, "clientCertificate": {"message": "the authority has no key"}},
            "role shop: the authority has no key",
        ),
    ],
)
def test_waits_for_the_certificate(status: dict[str, Any] | None, reason: str) -> None:
    healthy = {
        "phase": "Cluster in healthy state",
        "readyInstances": 3,
        "managedRolesStatus": {"byStatus": {"reconciled": ["app"]}},
    }

    def read(_version: str, kind: str, _namespace: str | None, name: str) -> dict[str, Any] | None:
        if kind == "Cluster":
            return {"spec": {"managed": {"roles": [{"name": "app"}]}}, "status": healthy}
        return {"status": status} if kind == "DatabaseRole" and name == "db-shop" else None

    found = engine_of(CLUSTER).readiness(CLUSTER, read)
    assert (found.ready, found.summary) == (False, reason)
