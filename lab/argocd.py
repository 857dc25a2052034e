"""Argo CD as its core installation: it reconciles, and has no web server and no users.

The manifest is the one that its Go module ships, with small requests and images that are loaded, never pulled.
"""

import json
import secrets
from typing import Any

from lab import git_server, programs
from lab.kubernetes import kubectl
from lab.steps import console, step

NAMESPACE = "argocd"

_WORKLOADS = (
    "deployment/argocd-redis",
    "deployment/argocd-repo-server",
    "deployment/argocd-applicationset-controller",
    "statefulset/argocd-application-controller",
)
_MEMORY = {
    "argocd-application-controller": ("160Mi", "512Mi"),
    "argocd-repo-server": ("64Mi", "512Mi"),
    "argocd-applicationset-controller": ("32Mi", "256Mi"),
    "argocd-redis": ("16Mi", "64Mi"),
}
"""Working sets as measured with a handful of Applications, and limits beyond which something is wrong."""

_SETTINGS = {
    # Stock: 120 s and up to 60 s more. Nobody waits that long in front of a lab; a cluster of one's own has a webhook.
    "argocd-cm": {"timeout.reconciliation": "15s", "timeout.reconciliation.jitter": "0s"},
    # Stock: a third change by hand within minutes is healed after 18 s, a fourth after 54 s, up to 300 s.
    "argocd-cmd-params-cm": {"controller.self.heal.backoff.cap.seconds": "5"},
}

_DEFAULT_PROJECT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "default", "namespace": NAMESPACE},
    "spec": {
        "sourceRepos": ["*"],
        "destinations": [{"namespace": "*", "server": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    },
}
"""What Argo CD's web server would make at its first start."""


def install() -> None:
    """Start the Git server and Argo CD, and wait until both run. A second time changes nothing."""
    with step("install a Git server and Argo CD") as say:
        git_server.install()
        _apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        # Made by the web server too, elsewhere; without it no Application is looked at.
        if not git_server.read_secret(NAMESPACE, "argocd-secret", "server.secretkey"):
            git_server.write_secret(NAMESPACE, "argocd-secret", {"server.secretkey": secrets.token_urlsafe(32)})
        _apply(_manifest())
        kubectl("wait", "--for=condition=Established", "customresourcedefinition/appprojects.argoproj.io")
        _apply([_DEFAULT_PROJECT])
        for workload in _WORKLOADS:
            say(f"wait for {workload}")
            kubectl("rollout", "status", f"--namespace={NAMESPACE}", workload, "--timeout=180s")
    console.print(
        f"push to {git_server.OUTSIDE}/NAME.git (password in {git_server.CREDENTIALS}); "
        f"Argo CD reads {git_server.INSIDE}/NAME.git",
        markup=False,
    )


def _manifest() -> list[dict[str, Any]]:
    text = programs.program("argo-cd", "core-install.yaml").read_text()
    read = kubectl("create", "--dry-run=client", "--output=json", f"--namespace={NAMESPACE}", "-f", "-", stdin=text)
    objects: list[dict[str, Any]] = []
    while read.strip():  # one document after the other
        obj, end = json.JSONDecoder().raw_decode(read.lstrip())
        objects.append(obj)
        read = read.lstrip()[end:]
    for obj in objects:
        if obj["kind"] in {"Deployment", "StatefulSet"}:
            _fit(obj["spec"]["template"]["spec"])
        settings = _SETTINGS.get(obj["metadata"]["name"])
        if obj["kind"] == "ConfigMap" and settings:
            obj["data"] = obj.get("data", {}) | settings
    return objects


def _fit(pod: dict[str, Any]) -> None:
    for container in (*pod["containers"], *pod.get("initContainers", [])):
        container["imagePullPolicy"] = "IfNotPresent"
    for container in pod["containers"]:
        request, limit = _MEMORY[container["name"] if container["name"] != "redis" else "argocd-redis"]
        container["resources"] = {"requests": {"cpu": "10m", "memory": request}, "limits": {"memory": limit}}


def _apply(objects: list[dict[str, Any]]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(listed))
