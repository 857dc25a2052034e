"""What makes the Applications of many clusters: a parent Application, or an ApplicationSet.

Either is applied once, by hand or by whoever sets Argo CD up; from then on a cluster comes with its file in Git. Both
leave every object where it is when a cluster's file goes, and when they go themselves.
"""

from pgha.config.model import Cluster
from pgha.resources.argocd import API_VERSION, PAUSED, application
from pgha.resources.metadata import MANAGED_BY, Object

_NAME = "clusters"
_MADE = {"app.kubernetes.io/managed-by": MANAGED_BY}


def parent(cluster: Cluster) -> tuple[str, list[Object]] | None:
    """File name and objects of the parent that `gitops.layout` asks for; None where the stack makes the Application.

    Clusters of one repository have the same.
    """
    match cluster.gitops.layout:
        case "app-of-apps":
            return "app-of-apps.yaml", _app_of_apps(cluster)
        case "application-set":
            return "application-set.yaml", [_application_set(cluster)]
        case _:
            return None


def _app_of_apps(cluster: Cluster) -> list[Object]:
    """An Application that applies every `application.yaml`, in a project that may do nothing else."""
    settings = cluster.gitops
    destination = {"server": "https://kubernetes.default.svc", "namespace": settings.argocd_namespace}
    project: Object = {
        "apiVersion": API_VERSION,
        "kind": "AppProject",
        "metadata": _meta(cluster),
        "spec": {
            "description": "The Applications of the PostgreSQL clusters",
            "sourceRepos": [settings.repo_url],
            "destinations": [destination],
            "namespaceResourceWhitelist": [
                {"group": API_VERSION.partition("/")[0], "kind": kind} for kind in ("AppProject", "Application")
            ],
        },
    }
    app: Object = {
        "apiVersion": API_VERSION,
        "kind": "Application",
        "metadata": _meta(cluster),
        "spec": {
            "project": _NAME,
            "source": {
                "repoURL": settings.repo_url,
                "targetRevision": settings.target_revision,
                "path": settings.path.rstrip("/"),
                "directory": {"recurse": True, "include": "*/application.yaml"},
            },
            "destination": destination,
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true"],
                "retry": {"limit": -1, "refresh": True},
            },
        },
    }
    return [project, app]


def _application_set(cluster: Cluster) -> Object:
    """One Application for each file of `clusters/` that asks for it, as the stack would make it.

    A pause is left alone: the switch and the annotation are not the set's to change.
    """
    settings = cluster.gitops
    single = application(cluster.model_copy(update={"name": _SLOT, "namespace": _SLOT}), release=None, kinds=[])[-1]
    return {
        "apiVersion": API_VERSION,
        "kind": "ApplicationSet",
        "metadata": _meta(cluster),
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [
                {
                    "git": {
                        "repoURL": settings.repo_url,
                        "revision": settings.target_revision,
                        "files": [{"path": "clusters/*.yaml"}],
                        "requeueAfterSeconds": 60,
                    },
                    "selector": {"matchLabels": {"gitops.layout": settings.layout}},
                }
            ],
            "template": _template(single),
            "syncPolicy": {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True},
            "preservedFields": {"annotations": [PAUSED]},
            "ignoreApplicationDifferences": [{"jsonPointers": ["/spec/syncPolicy/automated/enabled"]}],
        },
    }


_SLOT = "slot"
_FILLED = {
    "name": "{{ .name }}",
    "namespace": '{{ dig "namespace" "postgresql" . }}',
    "project": '{{ dig "gitops" "project" .name . }}',
}


def _template(app: Object) -> Object:
    """The Application of one cluster with its own values taken from its file."""
    meta, spec = app["metadata"], app["spec"]
    labels = meta["labels"] | {"app.kubernetes.io/instance": _FILLED["name"]}
    source = spec["source"] | {"path": spec["source"]["path"].replace(_SLOT, _FILLED["name"])}
    destination = spec["destination"] | {"namespace": _FILLED["namespace"]}
    return {
        "metadata": meta | {"name": _FILLED["name"], "labels": labels},
        "spec": spec | {"project": _FILLED["project"], "source": source, "destination": destination},
    }


def _meta(cluster: Cluster) -> Object:
    return {"name": _NAME, "namespace": cluster.gitops.argocd_namespace, "labels": dict(_MADE)}
