"""Drift: what lives against what the file plans, by dry runs alone."""

from typing import Any

from api_server import Server

from pgha.delivery.kubernetes import Api
from pgha.engines import plan
from pgha.resources.metadata import describe
from pgha.verify import drift
from tests.support import balancer, sample

PLAN = plan(sample(network=balancer()))
CLUSTER_PATH = "/apis/postgresql.cnpg.io/v1/namespaces/db-ns/clusters/db"


def by_object(found: list[drift.Drift]) -> dict[str, drift.Drift]:
    return {entry["object"]: entry for entry in found}


def live(**changes: Any) -> dict[str, Any]:
    """The planned Cluster as the server keeps it, with its own book-keeping."""
    (wanted,) = [obj for obj in PLAN.stack if obj["kind"] == "Cluster"]
    kept = {"uid": "u", "resourceVersion": "7", "generation": 2, "creationTimestamp": "2026-11-21T10:00:00Z"}
    return {
        **wanted, "spec": wanted["spec"] | changes, "status": {"phase": "x"}, "metadata": wanted["metadata"] | kept,
    }  # fmt: skip


def test_what_is_as_planned_does_not_differ(api: Api, server: Server) -> None:
    server.objects[CLUSTER_PATH] = live()
    found = by_object(drift.read(api, PLAN, lambda _: None))
    assert found.keys() == {describe(obj) for obj in PLAN.stack}
    assert found["Cluster db-ns/db"] == {
        "object": "Cluster db-ns/db", "exists": True, "differs": [], "refused": "", "hands": [],
    }  # fmt: skip
    assert not found["Namespace db-ns"]["exists"]


def test_it_names_the_fields_and_the_hands(api: Api, server: Server) -> None:
    obj = server.objects[CLUSTER_PATH] = live(instances=5, smartShutdownTimeout=77)
    ours = {"f:spec": {"f:storage": {"f:size": {}}}, "f:metadata": {"f:labels": {"f:a": {}}}}
    theirs = {"f:spec": {"f:instances": {}}, "f:metadata": {"f:labels": {".": {}, "f:a": {}}}}
    at = {"operation": "Update", "time": "2026-11-21T11:00:00Z"}
    obj["metadata"]["managedFields"] = [
        {"manager": "pgha", "operation": "Apply", "time": "2026-11-21T10:00:00Z", "fieldsV1": ours},
        {"manager": "kubectl-edit", "fieldsV1": theirs, **at},
        {"manager": "kubectl-label", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}}, **at},
        {"manager": "kubectl", "subresource": "status", "fieldsV1": {"f:status": {}}, **at},
    ]
    entry = by_object(drift.read(api, PLAN, lambda _: None))["Cluster db-ns/db"]
    assert entry["differs"] == ["spec.instances", "spec.smartShutdownTimeout"]
    assert entry["hands"] == ["spec.instances by kubectl-edit at 2026-11-21T11:00:00Z"]


def test_a_refusal_is_told_and_the_rest_is_compared(api: Api, server: Server) -> None:
    server.objects[CLUSTER_PATH] = live()
    server.answers[CLUSTER_PATH] = [(403, '{"message": "may not patch"}')]
    found = by_object(drift.read(api, PLAN, lambda _: None))
    assert "may not patch" in found["Cluster db-ns/db"]["refused"]
    assert len(found) == len(PLAN.stack)


def test_it_writes_nothing(api: Api, server: Server) -> None:
    server.objects[CLUSTER_PATH] = live(instances=5)
    drift.read(api, PLAN, lambda _: None)
    assert server.writes == []
    assert server.dry_runs == [CLUSTER_PATH]
