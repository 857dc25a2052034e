"""Which file holds which object."""

from pgha.config.model import Cluster
from pgha.engines import plan
from pgha.gitops.text import to_yaml
from pgha.resources.argocd import folder, manifests_path


def tree(cluster: Cluster) -> dict[str, str]:
    """Path below the repository → text; empty with `delivery: tofu`.

    `application.yaml` (what the stack itself puts into Argo CD), `values/` of the chart where there is one, and
    `manifests/`, numbered in the order of application, so that a listing reads as one.

    Raises:
        NotBuiltError: The engine cannot do what the file asks for yet.
    """
    if cluster.delivery != "argocd":
        return {}
    planned = plan(cluster)
    argocds = [obj for obj in planned.stack if obj["apiVersion"].startswith("argoproj.io/")]
    files = {f"{folder(cluster)}/application.yaml": to_yaml(argocds)}
    if planned.release is not None:
        path = f"{folder(cluster)}/values/{planned.release.values_name}.yaml"
        files[path] = to_yaml([planned.release.values])
    for number, obj in enumerate(planned.tree, start=1):
        name = f"{number:02}-{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"
        files[f"{manifests_path(cluster)}/{name}"] = to_yaml([obj])
    return files
