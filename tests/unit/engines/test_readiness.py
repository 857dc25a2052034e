"""When a running cluster counts as ready."""

from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.engines import engine_of
from pgha.engines.base import Reader, Readiness
from tests.support import balancer, sample

CLUSTER = sample(network=balancer())
HEALTHY: dict[str, Any] = {
    "phase": "Cluster in healthy state",
    "readyInstances": 3,
    "currentPrimary": "db-1",
    "managedRolesStatus": {"byStatus": {"reconciled": ["app"]}},
}
ADDRESS = {"status": {"loadBalancer": {"ingress": [{"ip": "192.168.10.100"}]}}}


DONE = {"status": {"succeeded": 1}}


def judge(
    status: dict[str, Any] | None,
    service: dict[str, Any] | None = ADDRESS,
    database: dict[str, Any] | None = None,
    job: dict[str, Any] | None = DONE,
    quorum: dict[str, Any] | None = None,
    cluster: Cluster = CLUSTER,
) -> Readiness:
    roles = {"managed": {"roles": [{"name": "app"}]}}
    live = {"Cluster": None if status is None else {"spec": roles, "status": status}, "Service": service}
    live |= {"Database": database or {"status": {"applied": True}}, "Job": job, "FailoverQuorum": quorum}
    read: Reader = lambda _version, kind, _namespace, _name: live[kind]  # noqa: E731
    return engine_of(cluster).readiness(cluster, read)


def test_ready_names_the_primary() -> None:
    assert judge(HEALTHY) == Readiness(ready=True, summary="3 of 3 instances ready, primary db-1")


@pytest.mark.parametrize(
    ("status", "service", "summary"),
    [
        (None, ADDRESS, "the Cluster does not exist"),
        ({}, ADDRESS, "the operator has not seen the Cluster yet, 0 of 3 instances ready"),
        (HEALTHY | {"readyInstances": 2}, ADDRESS, "Cluster in healthy state, 2 of 3 instances ready"),
        ({"phase": "Failing over", "readyInstances": 3}, ADDRESS, "Failing over, 3 of 3 instances ready"),
        (HEALTHY | {"managedRolesStatus": {}}, ADDRESS, "role app: not made yet"),
        (
            HEALTHY | {"managedRolesStatus": {"cannotReconcile": {"app": ["secret not found"]}}},
            ADDRESS,
            "role app: secret not found",
        ),
        (HEALTHY, None, "Service db-external has no address 192.168.10.100 yet"),
        (
            HEALTHY,
            {"status": {"loadBalancer": {"ingress": [{"ip": "192.168.10.105"}]}}},
            "Service db-external has no address 192.168.10.100 yet",
        ),
    ],
    ids=["absent", "new", "an instance short", "failing over", "role", "role refused", "no address", "another address"],
)
def test_not_ready_says_why(status: dict[str, Any] | None, service: dict[str, Any] | None, summary: str) -> None:
    assert judge(status, service) == Readiness(ready=False, summary=summary)


def test_an_invalid_definition_ends_the_waiting() -> None:
    found = judge({"phase": "Invalid cluster definition", "phaseReason": "spec.instances: too few"})
    assert found == Readiness(ready=False, failed=True, summary="Invalid cluster definition: spec.instances: too few")


@pytest.mark.parametrize(
    ("job", "failed", "words"),
    [
        (None, False, "privileges are not given yet"),
        ({"status": {"active": 1}}, False, "privileges are not given yet"),
        ({"status": {"conditions": [{"type": "Failed", "message": "backoff limit"}]}}, True, "backoff limit"),
    ],
    ids=["absent", "at work", "failed"],
)
def test_a_cluster_without_its_privileges_is_not_ready(job: dict[str, Any] | None, failed: bool, words: str) -> None:
    found = judge(HEALTHY, job=job)
    assert (found.ready, found.failed) == (False, failed)
    assert found.summary.startswith("Job db-access-app-")
    assert found.summary.endswith(words)


def test_a_database_that_cannot_be_made_says_why() -> None:
    found = judge(HEALTHY, database={"status": {"applied": False, "message": "role is missing"}})
    assert found == Readiness(ready=False, summary="database app: role is missing")


@pytest.mark.parametrize(
    ("durability", "quorum", "ready"),
    [
        ("required", {"status": {"method": "ANY", "standbyNumber": 1}}, True),
        ("required", {"status": {}}, False),
        ("required", None, False),
        ("preferred", None, True),
    ],
)
def test_a_synchronous_cluster_is_ready_when_its_primary_says_that_it_is(
    durability: str, quorum: dict[str, Any] | None, ready: bool
) -> None:
    cluster = sample(replication={"mode": "sync", "durability": durability})
    found = judge(HEALTHY, quorum=quorum, cluster=cluster)
    assert found.ready == ready
    assert ready or "not synchronous yet" in found.summary
