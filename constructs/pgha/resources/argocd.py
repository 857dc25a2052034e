"""Argo CD: the AppProject and Application that make it apply a cluster's tree from Git."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, labels

_SERVER = "https://kubernetes.default.svc"

KEEP = {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}
"""Annotation on what Argo CD must never delete: not when it vanishes from Git, not with its Application."""


@dataclass(frozen=True, kw_only=True)
class ChartSource:
    """A chart that Argo CD renders beside the tree, with the values from Git."""

    name: str
    chart: str
    version: str
    repository: str
    values_name: str
    ignored: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """By group and kind: jq paths that the server adds."""

    @property
    def url(self) -> str:
        """The repository as Argo CD names it: an OCI registry without its scheme."""
        return self.repository.removeprefix("oci://").rstrip("/")


def folder(cluster: Cluster) -> str:
    """The cluster's folder inside the repository."""
    return f"{cluster.gitops.path.rstrip('/')}/{cluster.name}"


def manifests_path(cluster: Cluster) -> str:
    """Folder inside the repository that Argo CD applies."""
    return f"{folder(cluster)}/manifests"


def values_path(cluster: Cluster, chart: ChartSource) -> str:
    """The file inside the repository with the chart's values."""
    return f"{folder(cluster)}/values/{chart.values_name}.yaml"


def application(cluster: Cluster, *, release: ChartSource | None, kinds: Sequence[tuple[str, str]]) -> list[Object]:
    """The AppProject (where the file names none) and the Application.

    What vanishes from Git is pruned, except what is annotated otherwise: nothing that holds data can be. Deleting
    the Application deletes nothing, since it has no finalizer. Comparison is done by the server, so that the
    defaults which it and the operators write are no difference.
    """
    meta = _meta(cluster, cluster.name)
    meta["annotations"] = {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}
    app: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": meta,
        "spec": {
            "project": cluster.project_name,
            **_sources(cluster, release),
            "destination": _destination(cluster),
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true", "RespectIgnoreDifferences=true", "PruneLast=true"],
                "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
            },
        },
    }
    if release is not None and release.ignored:
        app["spec"]["ignoreDifferences"] = [
            {"group": group, "kind": kind, "jqPathExpressions": list(paths)}
            for (group, kind), paths in release.ignored.items()
        ]
    return [app] if cluster.gitops.project else [_project(cluster, release, kinds), app]


def _project(cluster: Cluster, release: ChartSource | None, kinds: Sequence[tuple[str, str]]) -> Object:
    """From these repositories, into this namespace, these kinds, and nothing that belongs to the whole cluster."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": _meta(cluster, cluster.project_name),
        "spec": {
            "description": f"PostgreSQL cluster {cluster.name}",
            "sourceRepos": [cluster.gitops.repo_url, *([release.url] if release else [])],
            "destinations": [_destination(cluster)],
            "namespaceResourceWhitelist": [{"group": group, "kind": kind} for group, kind in kinds],
        },
    }


def _sources(cluster: Cluster, release: ChartSource | None) -> Object:
    git: Object = {"repoURL": cluster.gitops.repo_url, "targetRevision": cluster.gitops.target_revision}
    manifests = git | {"path": manifests_path(cluster)}
    if release is None:
        return {"source": manifests}
    chart: Object = {
        "repoURL": release.url,
        "chart": release.chart,
        "targetRevision": release.version,
        "helm": {"releaseName": release.name, "valueFiles": [f"$values/{values_path(cluster, release)}"]},
    }
    return {"sources": [chart, git | {"ref": "values"}, manifests]}


def _destination(cluster: Cluster) -> Object:
    return {"server": _SERVER, "namespace": cluster.namespace}


def _meta(cluster: Cluster, name: str) -> Object:
    return {"name": name, "namespace": cluster.gitops.argocd_namespace, "labels": labels(cluster)}
