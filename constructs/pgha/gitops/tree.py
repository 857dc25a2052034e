"""Which file holds which object."""

from pgha.config.model import Cluster
from pgha.engines import plan
from pgha.gitops.parents import parent
from pgha.gitops.text import to_yaml
from pgha.resources.argocd import folder, manifests_path
from pgha.resources.argocd_health import PATH, command, health


def tree(cluster: Cluster) -> dict[str, str]:
    """Path below the repository → text; empty with `delivery: tofu`.

    `application.yaml` (the Application and its project, whoever applies them), `values/` of the chart where there is
    one, and `manifests/`, numbered in the order of application, so that a listing reads as one. Beside the clusters'
    folders: what makes their Applications, where the stack does not, and the health rules that Argo CD needs.

    Raises:
        NotBuiltError: The engine cannot do what the file asks for yet.
    """
    if cluster.delivery != "argocd":
        return {}
    planned = plan(cluster)
    files = {f"{folder(cluster)}/application.yaml": to_yaml(planned.argocd)}
    if planned.release is not None:
        path = f"{folder(cluster)}/values/{planned.release.values_name}.yaml"
        files[path] = to_yaml([planned.release.values])
    for number, obj in enumerate(planned.tree, start=1):
        name = f"{number:02}-{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"
        files[f"{manifests_path(cluster)}/{name}"] = to_yaml([obj])
    if made_by := parent(cluster):
        name, objects = made_by
        files[f"{cluster.gitops.path.rstrip('/')}/{name}"] = to_yaml(objects)
    argocd = cluster.gitops.argocd_namespace
    files[PATH] = f"# Only a part of it. Never kubectl apply, which deletes the rest:\n# {command(argocd)}\n"
    files[PATH] += to_yaml([health(argocd)])
    return files
