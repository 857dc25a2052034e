"""Argo CD: the AppProject and Application that make it apply a cluster's tree from Git."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pgha.config.model import Cluster
from pgha.config.operations import SyncWindow
from pgha.resources.metadata import Object, labels

_SERVER = "https://kubernetes.default.svc"

API_VERSION = "argoproj.io/v1alpha1"

KEEP = {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}
"""Annotation on what Argo CD must never delete: not when it vanishes from Git, not with its Application."""

KEEP_IN_TREE = KEEP | {"argocd.argoproj.io/compare-options": "IgnoreExtraneous"}
"""The same for what Argo CD applies itself: once gone from Git it is kept without calling the Application out of sync
for ever, which would use up the attempts to heal."""

CONTROLLER = "argocd-controller"
"""Field manager under which Argo CD applies."""

WAVE = "argocd.argoproj.io/sync-wave"
REFRESH = "argocd.argoproj.io/refresh"
TRACKING = "argocd.argoproj.io/tracking-id"
"""Annotation by which Argo CD knows what it made: `APPLICATION:GROUP/KIND:NAMESPACE/NAME`."""

PAUSED = "pgha/paused"
"""Annotation on an Application: since when it is paused, and why."""

KINDS = frozenset(
    {
        ("", "ConfigMap"),
        ("", "Service"),
        ("apps", "Deployment"),
        ("barmancloud.cnpg.io", "ObjectStore"),
        ("batch", "CronJob"),
        ("batch", "Job"),
        ("cert-manager.io", "Certificate"),
        ("cert-manager.io", "Issuer"),
        ("external-secrets.io", "ExternalSecret"),
        ("external-secrets.io", "SecretStore"),
        ("monitoring.coreos.com", "PodMonitor"),
        ("monitoring.coreos.com", "PrometheusRule"),
        ("monitoring.coreos.com", "ServiceMonitor"),
        ("networking.k8s.io", "NetworkPolicy"),
        ("policy", "PodDisruptionBudget"),
        ("postgresql.cnpg.io", "Cluster"),
        ("postgresql.cnpg.io", "Database"),
        ("postgresql.cnpg.io", "DatabaseRole"),
        ("postgresql.cnpg.io", "Pooler"),
        ("postgresql.cnpg.io", "ScheduledBackup"),
    }
)
"""All that a cluster file can become inside its namespace, by API group and kind. The project allows them from the
beginning, so that a commit that adds a pooler needs no new project; no Secret and no right is among them."""

MADE_BY_STACK = {
    "single": {"AppProject", "Application"},
    "application-set": {"AppProject"},
    "app-of-apps": set[str](),
}
"""By `gitops.layout`: what the stack applies; the rest is made by a parent."""


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
        "apiVersion": API_VERSION,
        "kind": "Application",
        "metadata": meta,
        "spec": {
            "project": cluster.project_name,
            **_sources(cluster, release),
            "destination": _destination(cluster),
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                # In the background, since CloudNativePG 1.30.0 makes the Deployment of a Pooler anew for as long as the
                # Pooler waits in the foreground for it to go: neither ever does (cloudnative-pg issue 11360).
                "syncOptions": ["ServerSideApply=true", "PruneLast=true", "PrunePropagationPolicy=background"],
                # Without end, since an operator may be away for longer than any number of attempts, and each time with
                # the newest commit, since that may be the one that mends it.
                "retry": {
                    "limit": -1,
                    "refresh": True,
                    "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"},
                },
            },
        },
    }
    if release is not None and release.ignored:
        # Only here: with this option Argo CD 3.2 cannot take over a custom resource that runs already. It drops every
        # annotation from what it applies, its own included, and calls the object out of sync for ever (measured).
        app["spec"]["syncPolicy"]["syncOptions"].append("RespectIgnoreDifferences=true")
        app["spec"]["ignoreDifferences"] = [
            {"group": group, "kind": kind, "jqPathExpressions": list(paths)}
            for (group, kind), paths in release.ignored.items()
        ]
    return [app] if cluster.gitops.project else [_project(cluster, release, kinds), app]


def _project(cluster: Cluster, release: ChartSource | None, kinds: Sequence[tuple[str, str]]) -> Object:
    """From these repositories, into this namespace, these kinds, and nothing that belongs to the whole cluster."""
    windows = cluster.gitops.sync_windows
    return {
        "apiVersion": API_VERSION,
        "kind": "AppProject",
        "metadata": _meta(cluster, cluster.project_name),
        "spec": {
            "description": f"PostgreSQL cluster {cluster.name}",
            "sourceRepos": [cluster.gitops.repo_url, *([release.url] if release else [])],
            "destinations": [_destination(cluster)],
            "namespaceResourceWhitelist": [
                {"group": group, "kind": kind} for group, kind in sorted(KINDS | set(kinds))
            ],
            **({"syncWindows": [_window(cluster, window) for window in windows]} if windows else {}),
        },
    }


def _window(cluster: Cluster, window: SyncWindow) -> Object:
    """For this Application alone, whoever else may come into the project."""
    return {
        "kind": window.kind,
        "schedule": window.schedule,
        "duration": window.duration,
        "timeZone": window.time_zone,
        "manualSync": window.manual_sync,
        "applications": [cluster.name],
        "description": window.name,
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
