"""The Namespace of one cluster."""

from typing import Literal

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, labels

Level = Literal["restricted", "baseline", "privileged"]


def namespace(cluster: Cluster, *, pod_security: Level = "restricted") -> Object:
    """A Namespace whose pods must meet a Pod Security Standard; weaker only where an engine must."""
    security = {f"pod-security.kubernetes.io/{mode}": pod_security for mode in ("enforce", "audit", "warn")}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": cluster.namespace, "labels": labels(cluster) | security},
    }
