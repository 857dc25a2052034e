"""Names and labels that every object carries, and how an object is addressed."""

import hashlib
from collections.abc import Mapping
from typing import Any

from pgha.config.model import Cluster

Object = dict[str, Any]
"""A Kubernetes object as it stands in YAML."""

MANAGED_BY = "pgha"
"""Value of `app.kubernetes.io/managed-by`: with the instance label, the proof that an object is ours to
change or delete.
"""

REVISION = "pgha/credentials-revision"
"""Annotation on a generated Secret: the `credentials.revision` for which its passwords were made."""

CHECKSUM = "pgha/configuration"
"""Annotation on a pod template: a change of what the pod reads at its start only makes it start anew."""


def checksum(*texts: str) -> str:
    """Eight digits that change with any of the texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


def labels(cluster: Cluster) -> dict[str, str]:
    """The recommended labels of Kubernetes' own documentation; `instance` is the cluster's name."""
    return {
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/instance": cluster.name,
        "app.kubernetes.io/managed-by": MANAGED_BY,
    }


def metadata(
    cluster: Cluster, name: str, *, namespace: str | None = None, annotations: Mapping[str, str] | None = None
) -> Object:
    """The metadata of an object in the cluster's namespace, or in another one."""
    meta: Object = {"name": name, "namespace": namespace or cluster.namespace, "labels": labels(cluster)}
    if annotations:
        meta["annotations"] = dict(annotations)
    return meta


def describe(obj: Object) -> str:
    """`Kind namespace/name`, for messages."""
    meta = obj["metadata"]
    where = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{obj['kind']} {where}{meta['name']}"
