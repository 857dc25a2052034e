"""What every pod of ours has: the strictest Pod Security Standard, secrets by reference, small requests."""

from pgha.config.model import Cluster
from pgha.resources.metadata import Object, labels

USER = 1001
"""The user of the images that run our scripts."""

RESTRICTED_POD: Object = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}

RESTRICTED_CONTAINER: Object = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def toleration(taint: str, seconds: int) -> Object:
    """How long a pod stays with a node that is `not-ready` or `unreachable`; Kubernetes' own default is 300 s."""
    return {
        "key": f"node.kubernetes.io/{taint}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": seconds,
    }


_NOBODY = 65534


def visitor(container: Object) -> Object:
    """The spec of a pod that comes for a moment, as nobody, and asks the API server for nothing."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }


def is_ready(pod: Object) -> bool:
    """Whether Kubernetes sends clients to a live pod."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def secret_variable(name: str, secret: str, key: str) -> Object:
    """An environment variable whose value comes from a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def per_instance(cluster: Cluster) -> Object:
    """What each server asks for and may use at most; a part that the file leaves empty is left out."""
    lists = {"requests": cluster.resources.requests, "limits": cluster.resources.limits}
    found = {name: amounts.model_dump(exclude_none=True) for name, amounts in lists.items()}
    return {name: amounts for name, amounts in found.items() if amounts}


def small(memory: str = "128Mi") -> Object:
    """For what works for a moment: little is reserved, and more than the limit ends it."""
    return {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": memory}}


def job_labels(cluster: Cluster) -> dict[str, str]:
    """Labels of the pods of our jobs, by which the servers' NetworkPolicy admits them."""
    return labels(cluster) | {"app.kubernetes.io/component": "job"}


ACCESS = {"app.kubernetes.io/component": "access"}
"""Label of a Job that gives privileges; its name says what it does, so that another file is another Job."""
