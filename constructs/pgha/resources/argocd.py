"""Argo CD: the AppProject and Application that make it apply a cluster's tree from Git."""

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, labels

_SERVER = "https://kubernetes.default.svc"


def project_name(cluster: Cluster) -> str:
    """`gitops.project`, or a project of the cluster's own name."""
    return cluster.gitops.project or cluster.name


def manifests_path(cluster: Cluster) -> str:
    """Folder inside the repository that Argo CD applies."""
    return f"{cluster.gitops.path}/{cluster.name}/manifests"


def application(cluster: Cluster) -> list[Object]:
    """The AppProject (where the file names none) and the Application.

    Nothing is pruned: a Cluster that vanished from Git by mistake keeps its data until a person deletes it.
    Comparison is done by the server, so that the defaults which operators write are no difference.
    """
    destination = {"server": _SERVER, "namespace": cluster.namespace}
    project: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": _meta(cluster, project_name(cluster)),
        "spec": {
            "description": f"PostgreSQL cluster {cluster.name}",
            "sourceRepos": [cluster.gitops.repo_url],
            "destinations": [destination],
            "namespaceResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }
    meta = _meta(cluster, cluster.name)
    meta["annotations"] = {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}
    app: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": meta,
        "spec": {
            "project": project_name(cluster),
            "source": {
                "repoURL": cluster.gitops.repo_url,
                "targetRevision": cluster.gitops.target_revision,
                "path": manifests_path(cluster),
            },
            "destination": destination,
            "syncPolicy": {
                "automated": {"prune": False, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true"],
            },
        },
    }
    return [app] if cluster.gitops.project else [project, app]


def _meta(cluster: Cluster, name: str) -> Object:
    return {"name": name, "namespace": cluster.gitops.argocd_namespace, "labels": labels(cluster)}
