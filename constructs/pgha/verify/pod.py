"""The measuring client in a pod: a Job that carries the code, reads passwords by reference, and is always removed."""

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pgha.config.model import Cluster
from pgha.delivery.kubernetes import Api, ApiError
from pgha.resources.credentials import Login
from pgha.resources.metadata import Object, metadata
from pgha.resources.pods import RESTRICTED_CONTAINER, secret_variable, visitor
from pgha.verify.archive import client
from pgha.verify.readings import Missing, unread

IMAGE = "docker.io/library/python:3.13-slim-trixie"
"""Any image with Python 3.11 or newer does; the client brings everything else."""

_START_SECONDS = 60.0
_PULL_SECONDS = 10.0
"""An image that could not be pulled will not be: name another with --client-image."""
_JOB_SECONDS = 240
_KEPT_SECONDS = 300
_POLL_SECONDS = 0.5


def variable(number: int) -> str:
    """The environment variable with the password of login `number`."""
    return f"PGHA_PASSWORD_{number}"


def measure(
    api: Api, cluster: Cluster, request: dict[str, Any], logins: list[Login], *, image: str, say: Callable[[str], None]
) -> dict[str, Any] | Missing:
    """Facts by step. `request` holds no password: `variable` names where the pod finds each."""
    with job(api, cluster, request, logins, image=image) as name:
        return _answers(api, cluster.namespace, name, say)


@contextmanager
def job(api: Api, cluster: Cluster, request: dict[str, Any], logins: list[Login], *, image: str) -> Iterator[str]:
    """A Job and the ConfigMap that it reads.

    Both go when we are done; should we be killed, Kubernetes removes the Job five minutes after its end, and the
    ConfigMap with it.
    """
    name = f"{cluster.name[:40]}-verify-{secrets.token_hex(3)}"
    config = _config_map(cluster, name, request)
    wanted = _job(cluster, name, logins, image)
    try:
        api.create(config)
        made = api.create(wanted)
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": made["metadata"]["uid"]}
        api.apply({**config, "metadata": {**config["metadata"], "ownerReferences": [owner]}})
        yield name
    finally:
        api.delete(wanted)
        api.delete(config)


def _answers(api: Api, namespace: str, name: str, say: Callable[[str], None]) -> dict[str, Any] | Missing:
    begun, found = time.monotonic(), dict[str, Any]()
    while True:
        pod = next(iter(api.list("v1", "Pod", namespace, {"batch.kubernetes.io/job-name": name})), None)
        phase = ((pod or {}).get("status") or {}).get("phase")
        if pod is not None and phase in {"Running", "Succeeded", "Failed"}:
            for answer in _lines(api, namespace, pod["metadata"]["name"]):
                if answer["step"] not in found:
                    say(f"{answer['step']} ({answer['took']} s)")
                    found[answer["step"]] = answer["facts"]
        if phase == "Succeeded":
            return found
        waited = time.monotonic() - begun
        if phase == "Failed" or waited > _JOB_SECONDS:
            return unread(f"the client's pod failed: {_last_line(api, pod)}")
        if phase != "Running":
            reason = _waiting(pod)
            say(f"pod {reason}")
            if waited > (_PULL_SECONDS if "ImagePull" in reason else _START_SECONDS):
                return unread(f"the client's pod did not start within {waited:.0f} s: {reason}")
        time.sleep(_POLL_SECONDS)


def _lines(api: Api, namespace: str, pod: str) -> Iterator[dict[str, Any]]:
    try:
        text = api.log(namespace, pod)
    except ApiError:
        return  # it has only just begun
    for line in text.splitlines():
        if line.startswith("{") and line.endswith("}"):
            yield json.loads(line)


def _last_line(api: Api, pod: Object | None) -> str:
    if pod is None:
        return "there was none"
    try:
        lines = api.log(pod["metadata"]["namespace"], pod["metadata"]["name"]).strip().splitlines()
    except ApiError as error:
        return error.what
    return lines[-1] if lines else "it wrote nothing"


def _waiting(pod: Object | None) -> str:
    for entry in ((pod or {}).get("status") or {}).get("containerStatuses") or []:
        waiting = (entry.get("state") or {}).get("waiting")
        if waiting:
            reason, image = str(waiting.get("reason")), entry.get("image")
            return f"{reason}: {image}; --client-image names another" if "ImagePull" in reason else reason
    for entry in ((pod or {}).get("status") or {}).get("conditions") or []:
        if entry.get("type") == "PodScheduled" and entry.get("status") == "False":
            return str(entry.get("message"))
    return "is not scheduled yet"


def _config_map(cluster: Cluster, name: str, request: dict[str, Any]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(cluster, name),
        "data": {"request.json": json.dumps(request)},
        "binaryData": {"client.pyz": base64.b64encode(client()).decode()},
    }


def _job(cluster: Cluster, name: str, logins: list[Login], image: str) -> Object:
    """One pod that meets the Pod Security Standard `restricted` and asks the API server for nothing."""
    environment = [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}]
    environment += [
        _optional(secret_variable(variable(number), login.secret, "password")) for number, login in enumerate(logins)
    ]
    container = {
        "name": "client",
        "image": image,
        "command": ["python3", "/client/client.pyz", "/client/request.json"],
        "env": environment,
        "volumeMounts": [{"name": "client", "mountPath": "/client", "readOnly": True}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": RESTRICTED_CONTAINER,
    }
    pod = visitor(container) | {"volumes": [{"name": "client", "configMap": {"name": name}}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(cluster, name),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": _JOB_SECONDS,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {"metadata": {"labels": _metadata(cluster, name)["labels"]}, "spec": pod},
        },
    }


def _optional(entry: Object) -> Object:
    """A Secret that is not there keeps one login from working, not the pod from starting."""
    entry["valueFrom"]["secretKeyRef"]["optional"] = True
    return entry


def _metadata(cluster: Cluster, name: str) -> Object:
    meta = metadata(cluster, name)
    meta["labels"] |= {"app.kubernetes.io/component": "verify"}
    return meta
