"""Which file holds which object."""

from pgha.config.model import Cluster
from pgha.engines import plan
from pgha.gitops.text import to_yaml
from pgha.resources.argocd import application


def tree(cluster: Cluster) -> dict[str, str]:
    """Path below the repository → text; empty with `delivery: tofu`.

    Files are numbered in the order of application, so that a listing reads as one.

    Raises:
        NotBuiltError: The engine cannot do what the file asks for yet.
    """
    objects = plan(cluster).tree
    if not objects:
        return {}
    folder = f"{cluster.gitops.path}/{cluster.name}"
    files = {f"{folder}/application.yaml": to_yaml(application(cluster))}
    for number, obj in enumerate(objects, start=1):
        name = f"{number:02}-{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"
        files[f"{folder}/manifests/{name}"] = to_yaml([obj])
    return files
