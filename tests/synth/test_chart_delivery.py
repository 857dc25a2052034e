"""A chart-based engine in both deliveries: who owns what, in which order, and that nothing destroys data."""

import importlib
import json
from functools import cache
from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.engines import engine_of, plan
from pgha.gitops import tree
from pgha.resources.argocd import KINDS
from pgha.stacks import ClusterStack
from tests.support import balancer, postgres_ha, sample, trio

cdktf = importlib.import_module("cdktf")  # after pgha.stacks, which chooses its Node

JOB = "job_trio_access_"


def with_tofu() -> Cluster:
    return trio(delivery="tofu", network=balancer(), backup={}, monitoring={"enabled": True})


@cache
def stack(name: str) -> dict[str, Any]:
    cluster = {"argocd": postgres_ha, "tofu": with_tofu}[name]()
    found: dict[str, Any] = json.loads(cdktf.Testing.synth(ClusterStack(cdktf.Testing.app(), cluster)))
    return found


def addresses(name: str) -> list[str]:
    """Without the digits in the name of the access job, which are another for another file."""
    found = [f"{kind}.{one}" for kind, resources in stack(name)["resource"].items() for one in resources]
    return sorted(f"{JOB}…" if JOB in one else one for one in found)


def application(cluster: Cluster) -> dict[str, Any]:
    return next(obj for obj in plan(cluster).stack if obj["kind"] == "Application")["spec"]  # type: ignore[no-any-return]


def test_addresses_with_argocd_are_api() -> None:
    assert addresses("argocd") == [
        "kubernetes_manifest.app_project_postgres_ha",
        "kubernetes_manifest.application_postgres_ha",
        "kubernetes_manifest.ip_address_pool_postgres_ha",
        "kubernetes_manifest.l2_advertisement_postgres_ha",
        "kubernetes_manifest.persistent_volume_claim_postgres_ha_backup",
        "kubernetes_namespace_v1.namespace",
        "kubernetes_secret_v1.secret_postgres_ha_admin",
        "kubernetes_secret_v1.secret_postgres_ha_app_user",
        "kubernetes_secret_v1.secret_postgres_ha_postgresql_credentials",
    ]


def test_addresses_with_tofu_are_api() -> None:
    assert addresses("tofu") == [
        "helm_release.release_trio",
        f"{JOB}…",
        "kubernetes_manifest.config_map_trio_access",
        "kubernetes_manifest.config_map_trio_backup",
        "kubernetes_manifest.config_map_trio_dashboard",
        "kubernetes_manifest.config_map_trio_servers",
        "kubernetes_manifest.cron_job_trio_backup",
        "kubernetes_manifest.ip_address_pool_trio",
        "kubernetes_manifest.l2_advertisement_trio",
        "kubernetes_manifest.network_policy_trio_jobs",
        "kubernetes_manifest.network_policy_trio_pgpool",
        "kubernetes_manifest.network_policy_trio_postgresql",
        "kubernetes_manifest.persistent_volume_claim_trio_backup",
        "kubernetes_manifest.prometheus_rule_trio",
        "kubernetes_manifest.service_trio_external",
        "kubernetes_namespace_v1.namespace",
        "kubernetes_secret_v1.secret_trio_app",
        "kubernetes_secret_v1.secret_trio_postgresql_credentials",
    ]


def test_the_release_is_rolled_back_when_it_fails_and_never_removed() -> None:
    release = stack("tofu")["resource"]["helm_release"]["release_trio"]
    assert release["atomic"] is True
    assert (release["timeout"], release["max_history"]) == (1200, 10)
    assert release["lifecycle"] == {"prevent_destroy": True}
    assert (release["chart"], release["version"]) == ("postgresql-ha", "12.8.2")
    assert release["repository"] == "oci://registry-1.docker.io/bitnamicharts"


def test_the_release_has_the_values_as_they_are() -> None:
    """`$(NAME)` is Kubernetes' own; only `${` and `%{` are OpenTofu's."""
    release = plan(with_tofu()).release
    assert release is not None
    (text,) = stack("tofu")["resource"]["helm_release"]["release_trio"]["values"]
    assert json.loads(text.replace("$${", "${").replace("%%{", "%{")) == release.values


def test_the_release_comes_after_what_its_pods_mount_and_before_what_needs_it() -> None:
    resources = stack("tofu")["resource"]
    before = set(resources["helm_release"]["release_trio"]["depends_on"])
    assert {
        "kubernetes_manifest.config_map_trio_servers",
        "kubernetes_manifest.network_policy_trio_postgresql",
        "kubernetes_secret_v1.secret_trio_app",
        "kubernetes_secret_v1.secret_trio_postgresql_credentials",
    } <= before
    job = next(value for name, value in resources["kubernetes_manifest"].items() if name.startswith(JOB))
    assert "helm_release.release_trio" in job["depends_on"]
    assert job["wait"] == {"fields": {"status.succeeded": "^1$"}}
    assert "helm_release.release_trio" in resources["kubernetes_manifest"]["service_trio_external"]["depends_on"]


def test_what_holds_data_cannot_be_destroyed_by_mistake() -> None:
    resources = stack("tofu")["resource"]
    for guarded in (
        resources["kubernetes_namespace_v1"]["namespace"],
        resources["kubernetes_manifest"]["persistent_volume_claim_trio_backup"],
        *resources["kubernetes_secret_v1"].values(),
    ):
        assert guarded["lifecycle"] == {"prevent_destroy": True}


@pytest.mark.parametrize("name", ["argocd", "tofu"])
def test_every_password_is_ephemeral(name: str) -> None:
    found = stack(name)
    for secret in found["resource"]["kubernetes_secret_v1"].values():
        assert "data" not in secret
        for key, value in secret["data_wo"].items():
            assert key == "username" or value.startswith("${ephemeral.random_password.")


def test_a_raised_revision_leaves_the_servers_own_passwords() -> None:
    """They live in the running servers, which would not start again with others."""
    secrets = {secret.name: secret.revision for secret in plan(trio(credentials={"revision": 3})).secrets}
    assert secrets == {"trio-postgresql-credentials": 1, "trio-app": 3}


@pytest.mark.parametrize(
    "cluster", [postgres_ha(), with_tofu(), sample(delivery="argocd")], ids=["argocd", "tofu", "operator"]
)
def test_no_object_has_two_owners(cluster: Cluster) -> None:
    """What the chart makes is compared in tests/unit/engines/test_bitnami_chart.py."""
    planned = plan(cluster)
    every = [
        (o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in [*planned.stack, *planned.tree]
    ]
    every += [("Secret", secret.namespace, secret.name) for secret in planned.secrets]
    assert len(every) == len(set(every))
    assert bool(planned.tree) == (cluster.delivery == "argocd")


def test_the_tree_is_laid_out_as_the_plan_says() -> None:
    *files, health = tree(postgres_ha())
    assert health == "kubernetes/argocd/health.yaml"
    folder = "kubernetes/applications/postgres-ha"
    assert files[:2] == [f"{folder}/application.yaml", f"{folder}/values/postgresql-values.yaml"]
    assert all(path.startswith(f"{folder}/manifests/{number:02}-") for number, path in enumerate(files[2:], start=1))


def test_the_application_has_the_chart_its_values_and_the_manifests() -> None:
    git = {"repoURL": "https://git.example.com/platform/pgha.git", "targetRevision": "main"}
    assert application(postgres_ha())["sources"] == [
        {
            "repoURL": "registry-1.docker.io/bitnamicharts",
            "chart": "postgresql-ha",
            "targetRevision": "12.8.2",
            "helm": {
                "releaseName": "postgres-ha",
                "valueFiles": ["$values/kubernetes/applications/postgres-ha/values/postgresql-values.yaml"],
            },
        },
        git | {"ref": "values"},
        git | {"path": "kubernetes/applications/postgres-ha/manifests"},
    ]


def test_a_chart_repository_of_ones_own() -> None:
    cluster = trio(delivery="argocd", gitops={"chartRepository": "oci://charts.example.com/mirror"})
    assert application(cluster)["sources"][0]["repoURL"] == "charts.example.com/mirror"
    project = next(obj for obj in plan(cluster).stack if obj["kind"] == "AppProject")
    assert "charts.example.com/mirror" in project["spec"]["sourceRepos"]


@pytest.mark.parametrize("cluster", [postgres_ha(), sample(delivery="argocd")], ids=["chart", "operator"])
def test_argocd_prunes_heals_and_tries_again(cluster: Cluster) -> None:
    policy = application(cluster)["syncPolicy"]
    assert policy["automated"] == {"prune": True, "selfHeal": True}
    backoff = {"duration": "5s", "factor": 2, "maxDuration": "3m"}
    assert policy["retry"] == {"limit": -1, "refresh": True, "backoff": backoff}  # without end, with the newest commit
    app = next(obj for obj in plan(cluster).stack if obj["kind"] == "Application")
    assert "finalizers" not in app["metadata"]  # deleting the Application deletes nothing


@pytest.mark.parametrize("cluster", [postgres_ha(), sample(delivery="argocd")], ids=["chart", "operator"])
def test_what_holds_data_is_never_pruned(cluster: Cluster) -> None:
    engine = engine_of(cluster)
    for obj in plan(cluster).tree:
        notes = obj["metadata"].get("annotations", {})
        guarded = notes.get("argocd.argoproj.io/sync-options") == "Prune=false,Delete=false"
        assert guarded == engine.traits(obj).holds_data
    assert "PersistentVolumeClaim" not in {obj["kind"] for obj in plan(cluster).tree}


@pytest.mark.parametrize("cluster", [postgres_ha(), sample(delivery="argocd")], ids=["chart", "operator"])
def test_what_the_stack_owns_inside_the_namespace_argocd_never_deletes(cluster: Cluster) -> None:
    """Before 3.0 it takes every object with its Application's name as a label for its own."""
    planned = plan(cluster)
    inside = [obj["metadata"] for obj in planned.stack if obj["metadata"].get("namespace") == cluster.namespace]
    notes = [meta.get("annotations", {}) for meta in inside] + [secret.annotations for secret in planned.secrets]
    assert {found.get("argocd.argoproj.io/sync-options") for found in notes} == {"Prune=false,Delete=false"}


def test_waves_rise() -> None:
    """Policies and what pods mount, then the chart (wave 0), then roles, then what clients and people see."""
    waves = [
        (obj["kind"], int(obj["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0)))
        for obj in plan(postgres_ha()).tree
    ]
    assert [wave for _, wave in waves] == sorted(wave for _, wave in waves)
    assert dict(waves) == {
        "NetworkPolicy": -1,
        "ConfigMap": -1,
        "Job": 1,
        "Service": 2,
        "CronJob": 2,
        "PrometheusRule": 2,
    }


def test_the_project_admits_what_a_cluster_can_become_and_no_more() -> None:
    (project,) = [obj["spec"] for obj in plan(postgres_ha()).stack if obj["kind"] == "AppProject"]
    assert project["destinations"] == [{"server": "https://kubernetes.default.svc", "namespace": "postgresql"}]
    assert "clusterResourceWhitelist" not in project
    kinds = {(entry["group"], entry["kind"]) for entry in project["namespaceResourceWhitelist"]}
    chart = {
        ("", "ServiceAccount"),
        ("apps", "StatefulSet"),
        ("policy", "PodDisruptionBudget"),
    }
    assert kinds == KINDS | chart  # a cluster file can become nothing else inside its namespace


def test_what_the_server_adds_to_the_chart_is_no_difference() -> None:
    assert application(postgres_ha())["ignoreDifferences"] == [
        {
            "group": "apps",
            "kind": "StatefulSet",
            "jqPathExpressions": [
                ".spec.volumeClaimTemplates[]?.apiVersion",
                ".spec.volumeClaimTemplates[]?.kind",
            ],
        }
    ]
    assert "RespectIgnoreDifferences=true" in application(postgres_ha())["syncPolicy"]["syncOptions"]
