"""An Application's own record in words. The records are shaped as Argo CD 3.2.3 wrote them in the lab."""

from typing import Any

import pytest

from pgha.delivery.argocd import state
from pgha.engines import plan
from tests.support import sample

NEW, OLD = "b" * 40, "a" * 40
TREE = plan(sample(delivery="argocd", pooler={})).tree


def application(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "db", "annotations": {}},
        "spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}},
        "status": {"sync": {"status": "OutOfSync", "revision": NEW}} | status,
    }


def operation(phase: str, message: str = "", revision: str = NEW, *results: dict[str, Any], **more: Any) -> Any:
    return {
        "phase": phase,
        "message": message,
        "operation": {"sync": {"revision": revision}},
        "syncResult": {"revision": revision, "resources": list(results)},
    } | more


def result(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"group": "postgresql.cnpg.io", "version": "v1", "kind": kind, "name": name} | more


def test_in_sync_and_healthy_is_ready() -> None:
    found = state(application(sync={"status": "Synced", "revision": NEW}, health={"status": "Healthy"}), TREE)
    assert (found.ready, found.error, found.summary) == (True, "", "in sync with bbbbbbbb, healthy")


@pytest.mark.parametrize("health", ["Progressing", "Degraded", "Missing"])
def test_in_sync_but_not_well_is_waited_for(health: str) -> None:
    found = state(application(sync={"status": "Synced", "revision": NEW}, health={"status": health}), TREE)
    assert (found.ready, found.error) == (False, "")
    assert health.lower() in found.summary


def test_progress_names_the_wave() -> None:
    done = result("NetworkPolicy", "db", hookPhase="Succeeded", status="Synced")
    busy = result("Cluster", "db", hookPhase="Running", status="Synced")
    found = state(application(operationState=operation("Running", "waiting", NEW, done, busy)), TREE)
    waves = len({obj["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0") for obj in TREE})
    assert found.summary == f"wave 2 of {waves}: Cluster db"
    again = state(application(operationState=operation("Running", "waiting", NEW, busy, retryCount=2)), TREE)
    assert again.summary.endswith("(attempt 3)")


def test_what_the_server_refused_is_said_with_its_reason() -> None:
    refused = result("Cluster", "db", status="SyncFailed", message="admission webhook denied\nthe request: min 1")
    found = state(application(operationState=operation("Failed", "one or more objects failed", NEW, refused)), TREE)
    assert found.problems == ["Cluster db: admission webhook denied the request: min 1"]
    assert found.error.startswith("one or more objects failed; Cluster db: admission webhook")


def test_a_newer_commit_than_the_failed_one_is_waited_for() -> None:
    found = state(application(operationState=operation("Failed", "no", OLD)), TREE)
    assert found.error == ""


def test_an_error_of_comparison_is_the_answer() -> None:
    condition = {"type": "ComparisonError", "message": "app path does\nnot exist"}
    found = state(application(sync={"status": "Unknown"}, conditions=[condition]), TREE)
    assert (found.ready, found.error, found.revision) == (False, "app path does not exist", "no commit")


def test_a_pause_is_never_waited_for() -> None:
    app = application(resources=[result("Cluster", "db", status="OutOfSync")])
    app["metadata"]["annotations"] = {"pgha/paused": "since noon"}
    app["spec"]["syncPolicy"]["automated"]["enabled"] = False
    found = state(app, TREE)
    assert found.error == "paused, and out of sync: Cluster db"
    assert found.paused == "since noon"


def test_the_commit_of_several_sources_is_gits() -> None:
    compared = {"status": "Synced", "revisions": ["12.8.2", NEW, NEW]}
    assert state(application(sync=compared, health={"status": "Healthy"}), TREE).revision == "bbbbbbbb"


def test_what_left_git_and_was_kept_is_named() -> None:
    resources = [result("Cluster", "db", status="Synced", requiresPruning=True), result("Pooler", "p", status="Synced")]
    app = application(sync={"status": "Synced", "revision": NEW}, health={"status": "Healthy"}, resources=resources)
    assert state(app, TREE).kept == ["Cluster db"]
