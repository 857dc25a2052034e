"""Who makes the Application, what it may do, and what Argo CD must never delete."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from pgha.config.model import Cluster
from pgha.engines import plan
from pgha.gitops import tree
from pgha.gitops.parents import parent
from pgha.resources.argocd import KINDS
from pgha.resources.argocd_health import health
from tests.support import balancer, postgres_ha, sample

WINDOW = {"name": "office", "kind": "deny", "schedule": "0 8 * * 1-5", "duration": "10h", "timeZone": "Europe/Madrid"}


def of(**gitops: Any) -> Cluster:
    return sample(delivery="argocd", network=balancer(), gitops=gitops)


def kinds(objects: list[dict[str, Any]]) -> list[str]:
    return [obj["kind"] for obj in objects]


@pytest.mark.parametrize(
    ("layout", "by_stack", "file"),
    [
        ("single", {"AppProject", "Application"}, None),
        ("app-of-apps", set(), "kubernetes/applications/app-of-apps.yaml"),
        ("application-set", {"AppProject"}, "kubernetes/applications/application-set.yaml"),
    ],
)
def test_an_application_has_one_owner(layout: str, by_stack: set[str], file: str | None) -> None:
    cluster = of(layout=layout)
    planned = plan(cluster)
    assert by_stack == {kind for kind in kinds(planned.stack) if kind.startswith("App")}
    assert kinds(planned.argocd) == ["AppProject", "Application"]
    files = tree(cluster)
    beside = [path for path in files if path.count("/") == 2 and path.startswith("kubernetes/applications/")]
    assert beside == ([file] if file else [])
    assert "kubernetes/applications/db/application.yaml" in files


def test_a_parent_is_the_same_for_every_cluster_of_a_repository() -> None:
    for layout in ("app-of-apps", "application-set"):
        one = of(layout=layout)
        other = one.model_copy(update={"name": "other", "namespace": "elsewhere", "instances": 5})
        assert parent(one) == parent(other)


def test_nothing_that_a_parent_does_deletes_a_cluster() -> None:
    found = parent(of(layout="app-of-apps"))
    assert found is not None
    assert all("finalizers" not in obj["metadata"] for obj in [*found[1], *plan(of()).argocd])
    found = parent(of(layout="application-set"))
    assert found is not None
    assert found[1][0]["spec"]["syncPolicy"] == {
        "applicationsSync": "create-update",
        "preserveResourcesOnDeletion": True,
    }


def test_a_parent_leaves_a_pause_alone() -> None:
    found = parent(of(layout="application-set"))
    assert found is not None
    spec = found[1][0]["spec"]
    assert spec["ignoreApplicationDifferences"] == [{"jsonPointers": ["/spec/syncPolicy/automated/enabled"]}]
    assert spec["preservedFields"] == {"annotations": ["pgha/paused"]}


def test_an_application_set_makes_what_the_stack_would() -> None:
    """Its template with the cluster's own values in place of the expressions."""
    cluster = of(layout="application-set")
    found = parent(cluster)
    assert found is not None
    values = {
        "{{ .name }}": cluster.name,
        '{{ dig "namespace" "postgresql" . }}': cluster.namespace,
        '{{ dig "gitops" "project" .name . }}': cluster.project_name,
    }

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        for expression, word in values.items():
            value = value.replace(expression, word) if isinstance(value, str) else value
        return value

    single = plan(cluster).argocd[-1]
    assert filled(found[1][0]["spec"]["template"]) == {key: single[key] for key in ("metadata", "spec")}


def test_windows_are_for_this_application_alone() -> None:
    project = plan(of(syncWindows=[WINDOW])).argocd[0]
    assert project["spec"]["syncWindows"] == [
        {
            "kind": "deny",
            "schedule": "0 8 * * 1-5",
            "duration": "10h",
            "timeZone": "Europe/Madrid",
            "manualSync": True,
            "applications": ["db"],
            "description": "office",
        }
    ]
    assert "syncWindows" not in plan(of()).argocd[0]["spec"]


def test_a_chart_may_come_from_a_mirror() -> None:
    cluster = postgres_ha()
    settings = cluster.gitops.model_copy(update={"chart_repository": "oci://registry.example.net/mirror/charts"})
    mirrored = plan(cluster.model_copy(update={"gitops": settings})).argocd
    assert mirrored[-1]["spec"]["sources"][0]["repoURL"] == "registry.example.net/mirror/charts"
    assert "registry.example.net/mirror/charts" in mirrored[0]["spec"]["sourceRepos"]


def test_argo_cd_can_take_over_what_runs() -> None:
    """With RespectIgnoreDifferences it never gets its annotations into a custom resource that was there before."""
    options = plan(of()).argocd[-1]["spec"]["syncPolicy"]["syncOptions"]
    assert options == ["ServerSideApply=true", "PruneLast=true", "PrunePropagationPolicy=background"]


def test_a_commit_needs_no_new_project() -> None:
    """Whatever a key adds inside the namespace is allowed from the beginning; rights and Secrets are not."""
    many = sample(
        delivery="argocd",
        network=balancer(),
        databases=[{"name": "app", "owner": "app"}, {"name": "two", "owner": "app"}],
        pooler={},
        monitoring={"enabled": True},
    )
    for cluster in (many, of()):
        assert {(obj["apiVersion"].rpartition("/")[0], obj["kind"]) for obj in plan(cluster).tree} <= KINDS
    projects = [plan(cluster).argocd[0]["spec"]["namespaceResourceWhitelist"] for cluster in (many, of())]
    assert projects[0] == projects[1]
    assert not {kind for _, kind in KINDS} & {"Secret", "Role", "RoleBinding", "ServiceAccount"}


def test_what_holds_data_survives_git_and_the_application() -> None:
    kept = {
        obj["kind"]: obj["metadata"]["annotations"]
        for obj in plan(
            sample(delivery="argocd", databases=[{"name": name, "owner": "app"} for name in ("a", "b")])
        ).tree
        if obj["kind"] in {"Cluster", "Database"}
    }
    assert set(kept) == {"Cluster", "Database"}
    for notes in kept.values():
        assert notes["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
        assert notes["argocd.argoproj.io/compare-options"] == "IgnoreExtraneous"


def test_health_rules_are_a_part_of_argocds_configuration() -> None:
    found = health("argocd")
    assert found["metadata"]["name"] == "argocd-cm"
    judged = {key.removeprefix("resource.customizations.health.") for key in found["data"] if ".health." in key}
    assert judged == {
        f"postgresql.cnpg.io_{kind}" for kind in ("Backup", "Cluster", "Database", "DatabaseRole", "Pooler")
    }
    text = tree(of())["kubernetes/argocd/health.yaml"]
    assert YAML(typ="safe").load(text) == found
    assert "kubectl patch configmap argocd-cm --namespace=argocd --type=merge" in text.splitlines()[1]
