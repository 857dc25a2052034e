"""A cluster whose Application a parent makes is not taken down under it: the parent would make it again at once."""

from pathlib import Path
from typing import Any

import pytest
from api_server import Server

from pgha.config.problems import UserError
from pgha.delivery.kubernetes import Api
from pgha.delivery.preflight import check, no_parent
from pgha.delivery.removal import remove
from pgha.engines import plan
from pgha.resources.metadata import describe, labels
from tests.support import balancer, pgha, sample

CLUSTER = sample(delivery="argocd", network=balancer(), gitops={"layout": "app-of-apps"})
OBJECTS = "/apis/argoproj.io/v1alpha1/namespaces/argocd"
BY_SET = {"ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "clusters"}]}
BY_APP = {"annotations": {"argocd.argoproj.io/tracking-id": "clusters:argoproj.io/Application:argocd/db"}}


@pytest.fixture
def argocd(server: Server) -> Server:
    """A server that has Argo CD's kinds."""
    kinds = {"AppProject": "appprojects", "Application": "applications", "ApplicationSet": "applicationsets"}
    server.groups["/apis/argoproj.io/v1alpha1"] = {kind: (plural, True) for kind, plural in kinds.items()}
    return server


def live(server: Server, plural: str, name: str, meta: dict[str, Any] | None = None) -> None:
    ours = {"name": name, "namespace": "argocd", "labels": labels(CLUSTER)}
    server.objects[f"{OBJECTS}/{plural}/{name}"] = {"metadata": ours | (meta or {})}


@pytest.mark.parametrize(
    ("meta", "plural", "sentence"),
    [
        (
            BY_SET,
            "applicationsets",
            "ApplicationSet argocd/clusters makes the Application of cluster db, and would make",
        ),
        (BY_APP, "applications", "Application argocd/clusters makes the Application of cluster db, and would make"),
    ],
    ids=["application-set", "app-of-apps"],
)
def test_a_parent_is_in_the_way(argocd: Server, api: Api, meta: dict[str, Any], plural: str, sentence: str) -> None:
    live(argocd, "applications", "db", meta)
    live(argocd, plural, "clusters")
    with pytest.raises(UserError, match=sentence):
        no_parent(api, CLUSTER)
    own = sample(network=balancer())
    with pytest.raises(UserError, match=sentence):
        check(api, own, plan(own))  # with `delivery: tofu` up deletes it, and it would come back too


def test_nothing_is_in_the_way_of_an_application_without_a_living_parent(argocd: Server, api: Api) -> None:
    no_parent(api, CLUSTER)
    for meta in ({}, BY_SET, BY_APP):
        live(argocd, "applications", "db", meta)
        no_parent(api, CLUSTER)


def test_what_a_parent_left_behind_goes_with_the_cluster(argocd: Server, api: Api) -> None:
    live(argocd, "applications", "db", BY_APP)
    live(argocd, "appprojects", "db")
    removed = remove(api, CLUSTER, plan(CLUSTER), timeout=5, say=lambda _: None)
    assert removed == [describe(obj) for obj in reversed(plan(CLUSTER).argocd)]


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_opentofu_does_not_begin_what_a_parent_would_undo(argocd: Server, tmp_path: Path, command: str) -> None:
    live(argocd, "applications", "lab", BY_SET)
    live(argocd, "applicationsets", "clusters")
    kubeconfig = argocd.kubeconfig(tmp_path)
    done = pgha(command, "clusters/lab.yaml", "--kubeconfig", str(kubeconfig))
    assert done.returncode == 2, done.stderr
    assert "ApplicationSet argocd/clusters makes the Application of cluster lab" in done.stderr
    assert argocd.writes == []


def test_down_refuses_with_2_and_deletes_nothing(argocd: Server, tmp_path: Path) -> None:
    live(argocd, "applications", "gitops", BY_SET)
    live(argocd, "applicationsets", "clusters")
    before = dict(argocd.objects)
    kubeconfig = argocd.kubeconfig(tmp_path)
    done = pgha("down", "tests/lab/clusters/gitops.yaml", "--destroy", "gitops", "--kubeconfig", str(kubeconfig))
    assert done.returncode == 2, done.stderr
    assert "push a commit in which the cluster file does not say gitops.layout: application-set" in done.stderr
    assert "kubectl delete --ignore-not-found --namespace=argocd applications.argoproj.io/gitops" in done.stderr
    assert (argocd.objects, argocd.writes) == (before, [])
